#pragma once

#include <functional>
#include <string>
#include <vector>

#include "nets/blocks.h"
#include "nets/member.h"

namespace clmnet::nets {

/// The backbones that can be a classification member: "resnet50", "resnet152", "densenet201", "inception_resnet_v2".
const std::vector<std::string>& backbone_names();
bool is_backbone(const std::string& network);

/// A backbone with VGG16's pooled head: a 1 x 1 layer to feature_size channels, mean, linear classes. Its map is the
/// class-activation map (Zhou et al. 2016, arXiv:1512.04150), H/32 x W/32 (Inception-ResNet-v2 a little less, which pads
/// nothing and wants at least 75 x 75 px).
/// Keys of the backbone as torchvision's and timm's ("layer1.0.conv1.weight"), so that their files begin it (--init); the
/// head's are "embed.0.weight", "embed.1.weight", "classifier.0.weight".
class BackboneMemberImpl : public Member {
 public:
  explicit BackboneMemberImpl(const MemberOptions& options);
  MemberOutput predict(const torch::Tensor& x) override;
  torch::Tensor classify(const torch::Tensor& activation) override;

 private:
  std::string network_;
  std::function<torch::Tensor(const torch::Tensor&)> features_;  // the backbone, whose parts are registered here
  torch::nn::Sequential embed_, classifier_;
};
TORCH_MODULE(BackboneMember);

}  // namespace clmnet::nets
