#pragma once

#include "nets/blocks.h"
#include "nets/member.h"

namespace clmnet::nets {

struct Vgg16Options {
  double width = 1.0;
  std::int64_t classes = 2;
  bool batch_norm = true;
  bool squeeze_excite = true;         ///< a gate after each of the five stages
  std::int64_t feature_size = 512;    ///< at width 1 the last stage has it; else a 1 x 1 layer leads to it
  bool fully_connected_head = false;  ///< torchvision's 4096-4096 head in place of pooling and class-activation map

  /// vgg16 or vgg16_bn exactly as torchvision has them.
  static Vgg16Options torchvision(bool batch_norm, std::int64_t classes = 1000);
};

/// VGG16: thirteen 3 x 3 convolutions in five stages.  Simonyan and Zisserman 2015, arXiv:1409.1556.
/// Keys as torchvision's ("features.0.weight"), gates apart ("gates.0.fc1.weight").
/// With the pooled head the last pooling is left out, so the map is H/16 x W/16; it is the class-activation map
/// (Zhou et al. 2016, arXiv:1512.04150): its spatial mean is class_logits.
/// With the fully connected head map_logits and features are empty.
class Vgg16Impl : public Member {
 public:
  explicit Vgg16Impl(const Vgg16Options& options);
  MemberOutput predict(const torch::Tensor& x) override;
  torch::Tensor classify(const torch::Tensor& activation) override;

 private:
  torch::Tensor convolve(torch::Tensor x);

  Vgg16Options options_;
  torch::nn::Sequential features_, embed_{nullptr}, classifier_;
  torch::nn::ModuleList gates_;
  std::vector<std::size_t> pool_positions_;
};
TORCH_MODULE(Vgg16);

}  // namespace clmnet::nets
