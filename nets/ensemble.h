#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "nets/member.h"
#include "nets/model_config.h"

namespace clmnet::nets {

/// What the ensemble says of a batch of N tiles; float32 on the CPU. K networks, C classes, F = 1024 features.
struct Prediction {
  torch::Tensor probability;         ///< [N,C] fused class probabilities
  torch::Tensor member_probability;  ///< [N,K,C] calibrated class probabilities of each network
  torch::Tensor map;                 ///< [N,h,w] fused probability of tumour (1 - class 0)
  torch::Tensor member_map;          ///< [N,K,h,w] the same of each network
  torch::Tensor features;            ///< [N,F] the networks' features side by side
  torch::Tensor activation;          ///< [N,K,h,w] Grad-CAM++ of each network, only when asked for; see EnsembleOptions
};

struct EnsembleOptions {
  bool prepare = true;           ///< fold normalisation, lay weights out for the device: the same results but for rounding
  bool flips_and_turns = false;  ///< test-time augmentation: logits, maps and features are means over a tile's eight symmetries
  /// Also Prediction::activation: where each network sees tumour (nets/class_activation.h), the most active place of a tile
  /// having the tile's calibrated tumour probability.
  bool class_activation = false;
  bool streams = false;  ///< on a GPU: each network on a stream of its own, beside the others
};

/// Fuses calibrated logits: softmax(sum_k weight_k * logits_k / temperature_k).
/// logits  one [N,C,...] for each network;  weights, temperatures  one for each network
torch::Tensor fuse_logits(const std::vector<torch::Tensor>& logits, const std::vector<double>& weights,
                          const std::vector<double>& temperatures);

/// Map logits brought to height x width: averaged where they are finer, bilinear where they are coarser.
torch::Tensor map_at(const torch::Tensor& logits, std::int64_t height, std::int64_t width);

/// [N,H,W,3] uint8 -> [N,3,H,W] float, normalised with the model's mean and standard deviation, on `device`.
torch::Tensor normalise(const torch::Tensor& rgb, const ModelConfig& config, torch::Device device);

/// The networks of a model's folder, plain, in float32 on the CPU. A TorchScript program is refused: it is no module of ours.
/// Throws InputError as Ensemble does.
std::vector<std::shared_ptr<Member>> load_members(const std::filesystem::path& folder, const ModelConfig& config);

/// A model's networks, loaded and checked. One thread at a time may call predict.
class Ensemble {
 public:
  /// Throws InputError: no such folder, a config.json that does not fit, weights that are missing, of other shape, not
  /// finite, or whose checksum is not the one in config.json.
  /// A network that is a TorchScript program is run (see nets/torchscript.h).
  Ensemble(const std::filesystem::path& folder, torch::Device device, const EnsembleOptions& options = {});
  /// Networks in memory, in the order of config.members.
  Ensemble(ModelConfig config, std::vector<std::shared_ptr<Member>> members, torch::Device device, const EnsembleOptions& options = {});

  const ModelConfig& config() const { return config_; }
  torch::Device device() const { return device_; }
  const EnsembleOptions& options() const { return options_; }

  /// rgb       uint8 [N,H,W,3] at the model's µm/px; H and W need not be the patch size
  /// map_px    pixels of the input per pixel of the maps, at least 1; H and W are multiples of it
  Prediction predict(const torch::Tensor& rgb, std::int64_t map_px);

 private:
  void place(Member& member) const;
  /// What each network says, one after the other or side by side.
  std::vector<MemberOutput> ask_members(const torch::Tensor& x);

  ModelConfig config_;
  torch::Device device_;
  EnsembleOptions options_;
  std::vector<std::shared_ptr<Member>> members_;
  std::vector<c10::Stream> streams_;  // one a network, or none
};

}  // namespace clmnet::nets
