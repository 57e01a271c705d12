#include "nets/ensemble.h"

#include "nets/blocks.h"
#include "nets/checkpoint/safetensors.h"
#include "nets/checkpoint/state_dict.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace fs = std::filesystem;

namespace {

std::shared_ptr<Member> load_member(const fs::path& folder, const MemberConfig& config, torch::Device device) {
  const fs::path file = folder / config.weights;
  const std::string found = sha256_of_file(file);
  if (found != config.sha256) {
    throw InputError(file.string() + ": SHA-256 is " + found + ", config.json says " + config.sha256 +
                     "; take the file that belongs to the model, or train it again");
  }
  auto member = make_member(config.options);
  load_state_dict(*member, load_safetensors(file).tensors, LoadMode::kStrict, file.string());
  member->eval();
  member->to(device, device.is_cuda() ? torch::kHalf : torch::kFloat32);
  // Convolutions run fastest with channels last, on the CPU as on the GPU.
  torch::NoGradGuard no_grad;
  for (auto& parameter : member->parameters()) {
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
  }
  return member;
}

}  // namespace

torch::Tensor fuse_logits(const std::vector<torch::Tensor>& logits, const std::vector<double>& weights,
                          const std::vector<double>& temperatures) {
  torch::Tensor sum;
  for (std::size_t k = 0; k < logits.size(); ++k) {
    const torch::Tensor part = logits[k] * (weights[k] / temperatures[k]);
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

torch::Tensor map_at(const torch::Tensor& logits, std::int64_t height, std::int64_t width) {
  const std::int64_t h = logits.size(2), w = logits.size(3);
  if (h == height && w == width) return logits;
  if (h % height == 0 && w % width == 0) return torch::avg_pool2d(logits, {h / height, w / width});
  return resize_bilinear(logits, height, width);
}

torch::Tensor normalise(const torch::Tensor& rgb, const ModelConfig& config, torch::Device device) {
  const auto options = torch::TensorOptions().device(device).dtype(torch::kFloat32);
  const torch::Tensor mean = torch::tensor(std::vector<double>(config.mean.begin(), config.mean.end()), options) * 255;
  const torch::Tensor sd =
      torch::tensor(std::vector<double>(config.standard_deviation.begin(), config.standard_deviation.end()), options) * 255;
  const torch::Tensor x = (rgb.to(device, /*non_blocking=*/true).to(torch::kFloat32) - mean) / sd;
  return x.permute({0, 3, 1, 2});  // channels last in memory
}

Ensemble::Ensemble(const fs::path& folder, torch::Device device) : config_(read_model_config(folder)), device_(device) {
  for (const auto& member : config_.members) members_.push_back(load_member(folder, member, device_));
}

Prediction Ensemble::predict(const torch::Tensor& rgb, std::int64_t map_px) {
  const c10::InferenceMode inference;
  const std::int64_t height = rgb.size(1) / map_px, width = rgb.size(2) / map_px;
  torch::Tensor x = normalise(rgb, config_, device_);
  if (device_.is_cuda()) x = x.to(torch::kHalf);

  std::vector<torch::Tensor> class_logits, map_logits, features;
  std::vector<double> class_weights, class_temperatures, map_weights, map_temperatures;
  Prediction out;
  std::vector<torch::Tensor> probabilities, maps;
  for (std::size_t k = 0; k < members_.size(); ++k) {
    const MemberOutput said = members_[k]->predict(x);
    const MemberConfig& member = config_.members[k];
    class_logits.push_back(said.class_logits.to(torch::kFloat32));
    map_logits.push_back(map_at(said.map_logits.to(torch::kFloat32), height, width));
    features.push_back(said.features.to(torch::kFloat32));
    class_weights.push_back(member.class_weight);
    class_temperatures.push_back(member.class_temperature);
    map_weights.push_back(member.map_weight);
    map_temperatures.push_back(member.map_temperature);
    probabilities.push_back(torch::softmax(class_logits.back() / member.class_temperature, 1));
    maps.push_back(1 - torch::softmax(map_logits.back() / member.map_temperature, 1).select(1, 0));
  }
  const torch::Tensor fused_class = fuse_logits(class_logits, class_weights, class_temperatures);
  const torch::Tensor fused_map = fuse_logits(map_logits, map_weights, map_temperatures) +
                                  config_.map_from_class_weight * fused_class.unsqueeze(-1).unsqueeze(-1);
  out.probability = torch::softmax(fused_class, 1).cpu();
  out.member_probability = torch::stack(probabilities, 1).cpu();
  out.map = (1 - torch::softmax(fused_map, 1).select(1, 0)).contiguous().cpu();
  out.member_map = torch::stack(maps, 1).contiguous().cpu();
  out.features = torch::cat(features, 1).contiguous().cpu();
  return out;
}

}  // namespace clmnet::nets
