#include "nets/blocks.h"

#include <algorithm>
#include <cmath>

namespace clmnet::nets {
namespace nn = torch::nn;
namespace F = torch::nn::functional;

std::int64_t scaled_channels(std::int64_t channels, double width) {
  if (!(width > 0)) throw std::invalid_argument("width multiplier must be > 0");
  if (width == 1.0) return channels;
  return std::max<std::int64_t>(8, std::llround(static_cast<double>(channels) * width / 8.0) * 8);
}

SqueezeExciteImpl::SqueezeExciteImpl(std::int64_t channels, std::int64_t reduction) {
  const std::int64_t hidden = std::max<std::int64_t>(4, channels / reduction);
  fc1_ = register_module("fc1", Conv(nn::Conv2dOptions(channels, hidden, 1)));
  fc2_ = register_module("fc2", Conv(nn::Conv2dOptions(hidden, channels, 1)));
}

torch::Tensor SqueezeExciteImpl::forward(const torch::Tensor& x) {
  const torch::Tensor squeezed = x.mean({2, 3}, /*keepdim=*/true);
  return x * torch::sigmoid(fc2_(fc1_->run(squeezed, {.relu = true})));
}

void SqueezeExciteImpl::open() {
  torch::NoGradGuard no_grad;
  nn::init::normal_(fc2_->weight, 0, 0.01);
  nn::init::constant_(fc2_->bias, 2.0);  // sigmoid(2) = 0.88
}

namespace {

nn::Sequential conv_bn_relu(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t dilation) {
  const std::int64_t padding = kernel == 1 ? 0 : dilation;
  return nn::Sequential(
      Conv(nn::Conv2dOptions(in, out, kernel).padding(padding).dilation(dilation).bias(false)),
      nn::BatchNorm2d(out), nn::ReLU());
}

}  // namespace

AsppImpl::AsppImpl(const AsppOptions& options) {
  const std::int64_t out = options.out_channels;
  convs_->push_back(conv_bn_relu(options.in_channels, out, 1, 1));
  for (const std::int64_t rate : options.rates) convs_->push_back(conv_bn_relu(options.in_channels, out, 3, rate));
  convs_->push_back(nn::Sequential(nn::AdaptiveAvgPool2d(1),
                                   Conv(nn::Conv2dOptions(options.in_channels, out, 1).bias(false)),
                                   nn::BatchNorm2d(out), nn::ReLU()));
  const auto branches = static_cast<std::int64_t>(convs_->size());
  project_ = nn::Sequential(Conv(nn::Conv2dOptions(branches * out, out, 1).bias(false)), nn::BatchNorm2d(out),
                            nn::ReLU(), nn::Dropout(options.dropout));
  register_module("convs", convs_);
  register_module("project", project_);
}

torch::Tensor AsppImpl::forward(const torch::Tensor& x) {
  std::vector<torch::Tensor> branches;
  for (const auto& branch : *convs_) {
    const torch::Tensor y = run_chain(*branch->as<nn::SequentialImpl>(), x);
    branches.push_back(y.size(2) == x.size(2) && y.size(3) == x.size(3) ? y : resize_bilinear(y, x.size(2), x.size(3)));
  }
  return run_chain(*project_, torch::cat(branches, 1));
}

PooledHeadImpl::PooledHeadImpl(std::int64_t channels, std::int64_t feature_size, std::int64_t classes) {
  if (channels != feature_size) embed_ = register_module("embed", nn::Linear(channels, feature_size));
  classes_ = register_module("classes", nn::Linear(feature_size, classes));
}

std::tuple<torch::Tensor, torch::Tensor> PooledHeadImpl::forward(const torch::Tensor& x) {
  torch::Tensor pooled = x.mean({2, 3});
  if (embed_) pooled = torch::relu(embed_(pooled));
  return {pooled, classes_(pooled)};
}

torch::Tensor resize_bilinear(const torch::Tensor& x, std::int64_t height, std::int64_t width) {
  return F::interpolate(x, F::InterpolateFuncOptions()
                               .size(std::vector<std::int64_t>{height, width})
                               .mode(torch::kBilinear)
                               .align_corners(false));
}

}  // namespace clmnet::nets
