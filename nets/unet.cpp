#include "nets/unet.h"

#include <algorithm>

namespace clmnet::nets {
namespace nn = torch::nn;

namespace {

constexpr std::int64_t kStages = 4;

/// Two 3 x 3 convolutions with batch norm and ReLU, then the gate.
nn::Sequential double_conv(std::int64_t in, std::int64_t out, bool squeeze_excite) {
  nn::Sequential block;
  for (const std::int64_t channels : {in, out}) {
    block->push_back(Conv(nn::Conv2dOptions(channels, out, 3).padding(1).bias(false)));
    block->push_back(nn::BatchNorm2d(out));
    block->push_back(nn::ReLU(nn::ReLUOptions(true)));
  }
  if (squeeze_excite) block->push_back(SqueezeExcite(out));
  return block;
}

}  // namespace

UNetImpl::UNetImpl(const UNetOptions& options) {
  const auto channels = [&](std::int64_t stage) { return scaled_channels(std::int64_t{64} << stage, options.width); };
  std::int64_t in = 3;
  for (std::int64_t stage = 0; stage < kStages; ++stage) {
    down_->push_back(double_conv(in, channels(stage), options.squeeze_excite));
    in = channels(stage);
  }
  bottleneck_ = double_conv(in, channels(kStages), options.squeeze_excite);
  AsppOptions aspp;
  aspp.in_channels = channels(kStages);
  aspp.out_channels = scaled_channels(256, options.width);
  aspp.rates = options.atrous_rates;
  aspp.dropout *= std::min(1.0, options.width);  // few channels cannot spare half of them
  aspp_ = Aspp(aspp);
  in = aspp.out_channels;
  for (std::int64_t stage = kStages - 1; stage >= 0; --stage) {
    up_->push_back(nn::ConvTranspose2d(nn::ConvTranspose2dOptions(in, channels(stage), 2).stride(2)));
    merge_->push_back(double_conv(2 * channels(stage), channels(stage), options.squeeze_excite));
    in = channels(stage);
  }
  map_ = Conv(nn::Conv2dOptions(in, options.classes, 1));
  register_module("down", down_);
  register_module("bottleneck", bottleneck_);
  register_module("aspp", aspp_);
  register_module("up", up_);
  register_module("merge", merge_);
  register_module("map", map_);
  head_ = register_module("head", PooledHead(aspp.out_channels, options.feature_size, options.classes));
}

MemberOutput UNetImpl::predict(const torch::Tensor& x) {
  std::vector<torch::Tensor> skips;
  torch::Tensor y = x;
  for (const auto& block : *down_) {
    skips.push_back(run_chain(*block->as<nn::SequentialImpl>(), y));
    y = torch::max_pool2d(skips.back(), 2);
  }
  y = aspp_(run_chain(*bottleneck_, y));
  MemberOutput output;
  output.activation = y;
  std::tie(output.features, output.class_logits) = head_(y);
  for (std::size_t i = 0; i < up_->size(); ++i) {
    const torch::Tensor& skip = skips[skips.size() - 1 - i];
    y = up_[i]->as<nn::ConvTranspose2d>()->forward(y);
    // An odd side lost a pixel when it was halved.
    if (y.size(2) != skip.size(2) || y.size(3) != skip.size(3)) y = resize_bilinear(y, skip.size(2), skip.size(3));
    y = run_chain(*merge_[i]->as<nn::SequentialImpl>(), torch::cat({skip, y}, 1));
  }
  output.map_logits = map_(y);
  return output;
}

torch::Tensor UNetImpl::classify(const torch::Tensor& activation) { return std::get<1>(head_(activation)); }

}  // namespace clmnet::nets
