#pragma once

#include <array>

#include "nets/blocks.h"

namespace clmnet::nets {

struct DenseNetOptions {
  std::array<std::int64_t, 4> blocks = {6, 12, 48, 32};  ///< densenet201
  double width = 1.0;                                     ///< multiplies the growth rate (32) and the stem (64)
  bool squeeze_excite = false;                            ///< a gate after each dense block
  std::int64_t classes = 0;                               ///< 0: no pooling and no classifier

  static DenseNetOptions densenet201(std::int64_t classes);
};

/// DenseNet with bottleneck layers and halving transitions.  Huang et al. 2017, arXiv:1608.06993.
/// Keys as torchvision's ("features.denseblock1.denselayer1.norm1.weight"), gates apart ("gates.0.fc1.weight").
class DenseNetImpl : public torch::nn::Module {
 public:
  explicit DenseNetImpl(const DenseNetOptions& options);
  /// [N,3,H,W] -> [N,channels(),H/32,W/32], after the last normalisation and ReLU.
  torch::Tensor features(const torch::Tensor& x);
  /// [N,3,H,W] -> [N,classes] logits. Throws std::invalid_argument when built without classes.
  torch::Tensor forward(const torch::Tensor& x);
  std::int64_t channels() const { return channels_; }

 private:
  std::int64_t channels_ = 0;
  torch::nn::Sequential features_;
  torch::nn::ModuleList gates_;
  torch::nn::Linear classifier_{nullptr};
};
TORCH_MODULE(DenseNet);

/// torchvision's published densenet files name layers as of 2017 ("denselayer1.norm.1.weight"); today's name for that,
/// any other name unchanged.
std::string modern_densenet_name(const std::string& name);

}  // namespace clmnet::nets
