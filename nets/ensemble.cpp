#include "nets/ensemble.h"

#include <stdexcept>

#include "nets/blocks.h"
#include "nets/checkpoint/safetensors.h"
#include "nets/checkpoint/state_dict.h"
#include "nets/class_activation.h"
#include "nets/conv.h"
#include "nets/torchscript.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace fs = std::filesystem;

namespace {

void check_sum(const fs::path& file, const MemberConfig& config) {
  const std::string found = sha256_of_file(file);
  if (found != config.sha256) {
    throw InputError(file.string() + ": SHA-256 is " + found + ", config.json says " + config.sha256 +
                     "; take the file that belongs to the model, or train it again");
  }
}

std::shared_ptr<Member> load_weights(const fs::path& folder, const MemberConfig& config) {
  const fs::path file = folder / config.weights;
  check_sum(file, config);
  auto member = make_member(config.options);
  load_state_dict(*member, load_safetensors(file).tensors, LoadMode::kStrict, file.string());
  member->eval();
  return member;
}

std::shared_ptr<Member> load_program(const fs::path& folder, const MemberConfig& config, const ModelConfig& model, torch::Device device) {
  const fs::path file = folder / config.weights;
  if (!config.sha256.empty()) check_sum(file, config);  // WSInfer's zoo states none
  return load_torchscript_member(file, config.options.classes, model.resize_px, device);
}

/// One of a square's eight symmetries: mirrored from 4 on, then turned view % 4 quarters.
torch::Tensor seen_as(const torch::Tensor& x, int view) { return torch::rot90(view >= 4 ? x.flip({3}) : x, view % 4, {2, 3}); }

torch::Tensor seen_back(const torch::Tensor& y, int view) {
  const torch::Tensor x = torch::rot90(y, -(view % 4), {2, 3});
  return view >= 4 ? x.flip({3}) : x;
}

/// Streams of the GPU for `count` networks.
std::vector<c10::Stream> streams_of(torch::Device device, std::size_t count) {
  const c10::impl::VirtualGuardImpl gpu(device.type());
  std::vector<c10::Stream> streams;
  for (std::size_t k = 0; k < count; ++k) streams.push_back(gpu.getStreamFromGlobalPool(device));
  return streams;
}

/// Means over the eight symmetries, maps turned back; the activation is that of the tile as it is.
MemberOutput predict_symmetries(Member& member, const torch::Tensor& x) {
  constexpr int kViews = 8;
  MemberOutput mean = member.predict(x);
  for (int view = 1; view < kViews; ++view) {
    const MemberOutput said = member.predict(seen_as(x, view).contiguous(at::MemoryFormat::ChannelsLast));
    mean.class_logits = mean.class_logits + said.class_logits;
    mean.map_logits = mean.map_logits + seen_back(said.map_logits, view);
    mean.features = mean.features + said.features;
  }
  for (torch::Tensor* sum : {&mean.class_logits, &mean.map_logits, &mean.features}) *sum = *sum / kViews;
  return mean;
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

std::vector<std::shared_ptr<Member>> load_members(const fs::path& folder, const ModelConfig& config) {
  std::vector<std::shared_ptr<Member>> members;
  for (const auto& member : config.members) {
    if (member.options.network == kTorchScript) {
      throw InputError((folder / member.weights).string() + ": is a TorchScript program; expected networks of clmnet");
    }
    members.push_back(load_weights(folder, member));
  }
  return members;
}

void Ensemble::place(Member& member) const {
  member.eval();
  member.to(device_, device_.is_cuda() ? torch::kHalf : torch::kFloat32);
  if (!options_.prepare) return;
  prepare_for_inference(member);
  use_channels_last(member);  // what is no Conv runs fastest so too
}

Ensemble::Ensemble(const fs::path& folder, torch::Device device, const EnsembleOptions& options)
    : config_(read_model_config(folder)), device_(device), options_(options) {
  for (const auto& member : config_.members) {
    if (member.options.network == kTorchScript) {
      if (options.class_activation) {
        throw InputError((folder / member.weights).string() + ": a TorchScript program shows no activation; leave map.class_activation out");
      }
      members_.push_back(load_program(folder, member, config_, device_));
    } else {
      members_.push_back(load_weights(folder, member));
      place(*members_.back());
    }
  }
}

Ensemble::Ensemble(ModelConfig config, std::vector<std::shared_ptr<Member>> members, torch::Device device, const EnsembleOptions& options)
    : config_(std::move(config)), device_(device), options_(options), members_(std::move(members)) {
  if (members_.size() != config_.members.size()) throw std::invalid_argument("an ensemble has as many networks as its configuration");
  for (const auto& member : members_) place(*member);
}

std::vector<MemberOutput> Ensemble::ask_members(const torch::Tensor& x) {
  const auto ask = [&](std::size_t k) {
    return options_.flips_and_turns ? predict_symmetries(*members_[k], x) : members_[k]->predict(x);
  };
  std::vector<MemberOutput> said;
  if (!options_.streams || !device_.is_cuda()) {
    for (std::size_t k = 0; k < members_.size(); ++k) said.push_back(ask(k));
    return said;
  }
  if (streams_.empty()) streams_ = streams_of(device_, members_.size());
  const c10::Stream caller = c10::impl::VirtualGuardImpl(device_.type()).getStream(device_);
  c10::Event ready(device_.type());
  ready.record(caller);
  for (std::size_t k = 0; k < members_.size(); ++k) {
    ready.block(streams_[k]);
    const c10::StreamGuard beside(streams_[k]);
    x.record_stream(streams_[k]);
    said.push_back(ask(k));
    c10::Event done(device_.type());
    done.record(streams_[k]);
    done.block(caller);
    for (const torch::Tensor* part : {&said[k].class_logits, &said[k].map_logits, &said[k].features, &said[k].activation}) {
      if (part->defined()) part->record_stream(caller);
    }
  }
  return said;
}

Prediction Ensemble::predict(const torch::Tensor& rgb, std::int64_t map_px) {
  const c10::InferenceMode inference;
  const std::int64_t height = rgb.size(1) / map_px, width = rgb.size(2) / map_px;
  torch::Tensor x = normalise(rgb, config_, device_);
  if (device_.is_cuda()) x = x.to(torch::kHalf);

  std::vector<torch::Tensor> class_logits, map_logits, features;
  std::vector<double> class_weights, class_temperatures, map_weights, map_temperatures;
  Prediction out;
  std::vector<torch::Tensor> probabilities, maps, activations;
  const std::vector<MemberOutput> all = ask_members(x);
  for (std::size_t k = 0; k < members_.size(); ++k) {
    const MemberOutput& said = all[k];
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
    if (options_.class_activation) {
      const torch::Tensor where = map_at(grad_cam_plus_plus(*members_[k], said.activation).unsqueeze(1), height, width).squeeze(1);
      activations.push_back(where * (1 - probabilities.back().select(1, 0)).view({-1, 1, 1}));
    }
  }
  const torch::Tensor fused_class = fuse_logits(class_logits, class_weights, class_temperatures);
  const torch::Tensor fused_map = fuse_logits(map_logits, map_weights, map_temperatures) +
                                  config_.map_from_class_weight * fused_class.unsqueeze(-1).unsqueeze(-1);
  out.probability = torch::softmax(fused_class, 1).cpu();
  out.member_probability = torch::stack(probabilities, 1).cpu();
  out.map = (1 - torch::softmax(fused_map, 1).select(1, 0)).contiguous().cpu();
  out.member_map = torch::stack(maps, 1).contiguous().cpu();
  out.features = torch::cat(features, 1).contiguous().cpu();
  if (options_.class_activation) out.activation = torch::stack(activations, 1).contiguous().cpu();
  return out;
}

}  // namespace clmnet::nets
