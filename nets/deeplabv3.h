#pragma once

#include "nets/blocks.h"
#include "nets/member.h"
#include "nets/resnet.h"

namespace clmnet::nets {

struct DeepLabV3Options {
  double width = 1.0;
  std::int64_t classes = 2;
  bool squeeze_excite = true;                         ///< a gate after each backbone stage and after the ASPP
  std::vector<std::int64_t> atrous_rates = {12, 24, 36};
  bool full_size_map = false;                         ///< map_logits resized to the input; else they are H/8 x W/8
  bool classification_head = true;                    ///< class logits and features beside the map
  std::int64_t feature_size = 256;

  /// deeplabv3_resnet50 exactly as torchvision has it (without the auxiliary classifier).
  static DeepLabV3Options torchvision(std::int64_t classes = 21);
};

/// DeepLab-v3: ResNet-50 whose last two stages are dilated (stride 8), ASPP with image pooling.
/// Chen et al. 2017, arXiv:1706.05587.
/// Keys as torchvision's ("backbone.layer1.0.conv1.weight", "classifier.0.convs.0.0.weight"), the class head apart.
class DeepLabV3Impl : public Member {
 public:
  explicit DeepLabV3Impl(const DeepLabV3Options& options);
  MemberOutput predict(const torch::Tensor& x) override;
  torch::Tensor classify(const torch::Tensor& activation) override;

 private:
  DeepLabV3Options options_;
  ResNet backbone_{nullptr};
  Aspp aspp_{nullptr};
  SqueezeExcite gate_{nullptr};
  torch::nn::Sequential classifier_;
  PooledHead head_{nullptr};
};
TORCH_MODULE(DeepLabV3);

}  // namespace clmnet::nets
