#pragma once

#include <array>

#include "nets/blocks.h"

namespace clmnet::nets {

struct ResNetOptions {
  std::array<std::int64_t, 4> blocks = {3, 4, 6, 3};  ///< resnet50; resnet152 is {3, 8, 36, 3}
  double width = 1.0;
  std::array<bool, 3> dilate = {false, false, false};  ///< stages 2 to 4: dilation in place of stride
  bool squeeze_excite = false;                         ///< a gate after each stage
  std::int64_t classes = 0;                            ///< 0: no pooling and no fully connected layer

  static ResNetOptions resnet50(std::int64_t classes);
  static ResNetOptions resnet152(std::int64_t classes);
};

/// ResNet with bottleneck blocks, stride in the 3 x 3 convolution.  He et al. 2016, arXiv:1512.03385.
/// Keys as torchvision's ("layer1.0.conv1.weight", "fc.weight"), gates apart ("gates.0.fc1.weight").
class ResNetImpl : public torch::nn::Module {
 public:
  explicit ResNetImpl(const ResNetOptions& options);
  /// [N,3,H,W] -> [N,channels(),H/s,W/s]; s is 32, halved for each dilated stage.
  torch::Tensor features(const torch::Tensor& x);
  /// [N,3,H,W] -> [N,classes] logits. Throws std::invalid_argument when built without classes.
  torch::Tensor forward(const torch::Tensor& x);
  std::int64_t channels() const { return channels_; }

 private:
  torch::nn::Sequential make_stage(std::int64_t planes, std::int64_t blocks, std::int64_t stride, bool dilate);

  ResNetOptions options_;
  std::int64_t channels_ = 0;
  std::int64_t dilation_ = 1;
  Conv conv1_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr};
  std::array<torch::nn::Sequential, 4> stages_;
  torch::nn::ModuleList gates_;
  torch::nn::Linear fc_{nullptr};
};
TORCH_MODULE(ResNet);

}  // namespace clmnet::nets
