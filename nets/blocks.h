#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "nets/conv.h"

namespace clmnet::nets {

/// Channels at a width multiplier: a multiple of 8, at least 8; at width 1 the number itself.
std::int64_t scaled_channels(std::int64_t channels, double width);

/// Squeeze-and-excitation gate: global average pooling, two 1 x 1 convolutions, sigmoid, product with the input.
/// [N,C,h,w] -> [N,C,h,w].  Hu et al. 2018, arXiv:1709.01507.  Keys: "fc1.weight", "fc2.weight" (as torchvision's).
class SqueezeExciteImpl : public torch::nn::Module {
 public:
  explicit SqueezeExciteImpl(std::int64_t channels, std::int64_t reduction = 16);
  torch::Tensor forward(const torch::Tensor& x);
  /// Lets nearly all through at the start of training: gates at random halve the signal at every stage, which costs epochs.
  void open();

 private:
  Conv fc1_{nullptr}, fc2_{nullptr};
};
TORCH_MODULE(SqueezeExcite);

struct AsppOptions {
  std::int64_t in_channels = 2048;
  std::int64_t out_channels = 256;
  std::vector<std::int64_t> rates = {12, 24, 36};
  double dropout = 0.5;  ///< after the projection, in training
};

/// Atrous spatial pyramid pooling with an image-level branch.
/// [N,in,h,w] -> [N,out,h,w].  Chen et al. 2017, arXiv:1706.05587.
/// Keys as torchvision's ("convs.1.0.weight", "project.0.weight").
/// In training N must be > 1: the pooled branch normalises a 1 x 1 map over the batch.
class AsppImpl : public torch::nn::Module {
 public:
  explicit AsppImpl(const AsppOptions& options);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  torch::nn::ModuleList convs_;
  torch::nn::Sequential project_;
};
TORCH_MODULE(Aspp);

/// Global average pooling, a layer of the wanted feature size where the channels differ, class logits.
/// [N,C,h,w] -> features [N,feature_size], logits [N,classes].
class PooledHeadImpl : public torch::nn::Module {
 public:
  PooledHeadImpl(std::int64_t channels, std::int64_t feature_size, std::int64_t classes);
  std::tuple<torch::Tensor, torch::Tensor> forward(const torch::Tensor& x);

 private:
  torch::nn::Linear embed_{nullptr}, classes_{nullptr};
};
TORCH_MODULE(PooledHead);

/// Bilinear resize to height x width, corners not aligned (half-pixel centres).  [N,C,h,w] -> [N,C,height,width].
torch::Tensor resize_bilinear(const torch::Tensor& x, std::int64_t height, std::int64_t width);

}  // namespace clmnet::nets
