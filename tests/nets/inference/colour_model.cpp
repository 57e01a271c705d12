#include "tests/nets/inference/colour_model.h"

#include "nets/checkpoint/safetensors.h"
#include "nets/checkpoint/state_dict.h"
#include "nets/member.h"
#include "nets/model_config.h"
#include "tools/base/atomic_file.h"

namespace clmnet::test {
namespace {

torch::Tensor named(const nets::NamedTensors& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return tensor;
  }
  throw std::logic_error("no tensor " + name);
}

}  // namespace

void write_colour_model(const std::filesystem::path& folder, double um_per_px, double pale, double dark) {
  const torch::NoGradGuard no_grad;
  nets::ModelConfig config;
  config.name = "colour";
  config.patch_size_px = 64;
  config.spacing_um_per_px = um_per_px;
  config.crf.iterations = 2;
  nets::MemberConfig member;
  member.options.network = "unet";
  member.options.width = 0.125;
  member.options.feature_size = 256;
  member.weights = "unet.safetensors";
  member.class_weight = member.map_weight = 1;

  auto network = nets::make_member(member.options);
  const nets::NamedTensors tensors = nets::state_dict(*network);
  for (const auto& [name, tensor] : tensors) {
    if (name.ends_with("running_var") || name.ends_with(".1.weight") || name.ends_with(".4.weight")) {
      tensor.fill_(1);  // normalisation that changes nothing
    } else {
      tensor.zero_();
    }
  }
  // Channel 0 of the first block: relu(middle - red), handed on by the skip and the last block; gates at zero weights pass
  // one half each. The map's logit of tumour minus that of normal is steep * (signal - half of the full signal).
  const double middle = ((pale + dark) / 2 / 255 - config.mean[0]) / config.standard_deviation[0];
  const double full = (pale - dark) / 2 / 255 / config.standard_deviation[0];
  named(tensors, "down.0.0.weight")[0][0][1][1] = -1;
  named(tensors, "down.0.1.bias")[0] = middle + full;  // 0 at pale, 2 * full at dark
  named(tensors, "down.0.3.weight")[0][0][1][1] = 1;
  named(tensors, "merge.3.0.weight")[0][0][1][1] = 1;
  named(tensors, "merge.3.3.weight")[0][0][1][1] = 1;
  const double steep = 12 / (2 * full);
  named(tensors, "map.weight")[1][0] = steep * 4;      // two gates of one half
  named(tensors, "map.bias")[1] = -6;

  std::filesystem::create_directories(folder);
  nets::save_safetensors(folder / member.weights, tensors);
  member.sha256 = sha256_of_file(folder / member.weights);
  config.members = {member};
  nets::write_model_config(folder, config);
}

}  // namespace clmnet::test
