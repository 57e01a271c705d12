#pragma once

#include "nets/blocks.h"

namespace clmnet::nets {

struct InceptionResNetV2Options {
  double width = 1.0;           ///< multiplies all channel counts
  bool squeeze_excite = false;  ///< a gate after each of the three stages of residual blocks
  std::int64_t classes = 0;     ///< 0: no pooling and no classifier
};

/// Inception-ResNet-v2.  Szegedy et al. 2017, arXiv:1602.07261.
/// Keys as timm's ("mixed_5b.branch1.0.conv.weight", "classif.weight"), gates apart ("gates.0.fc1.weight").
/// The network has no padding at its strided layers; the input must be at least 75 x 75.
class InceptionResNetV2Impl : public torch::nn::Module {
 public:
  explicit InceptionResNetV2Impl(const InceptionResNetV2Options& options);
  /// [N,3,H,W] -> [N,channels(),h,w]; 299 x 299 gives 8 x 8.
  torch::Tensor features(const torch::Tensor& x);
  /// [N,3,H,W] -> [N,classes] logits. Throws std::invalid_argument when built without classes.
  torch::Tensor forward(const torch::Tensor& x);
  std::int64_t channels() const { return channels_; }

 private:
  torch::Tensor gate(std::size_t stage, const torch::Tensor& x);

  std::int64_t channels_ = 0;
  // Chains of the registered modules; themselves not registered, so that they add no names.
  torch::nn::Sequential stem_, stage_a_, stage_b_, stage_c_, head_;
  torch::nn::ModuleList gates_;
  torch::nn::Linear classif_{nullptr};
};
TORCH_MODULE(InceptionResNetV2);

}  // namespace clmnet::nets
