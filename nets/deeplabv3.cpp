#include "nets/deeplabv3.h"

#include <algorithm>

namespace clmnet::nets {
namespace nn = torch::nn;

DeepLabV3Options DeepLabV3Options::torchvision(std::int64_t classes) {
  DeepLabV3Options options;
  options.classes = classes;
  options.squeeze_excite = false;
  options.full_size_map = true;
  options.classification_head = false;
  return options;
}

DeepLabV3Impl::DeepLabV3Impl(const DeepLabV3Options& options) : options_(options) {
  ResNetOptions resnet;
  resnet.width = options.width;
  resnet.dilate = {false, true, true};
  resnet.squeeze_excite = options.squeeze_excite;
  backbone_ = register_module("backbone", ResNet(resnet));

  AsppOptions aspp;
  aspp.in_channels = backbone_->channels();
  aspp.out_channels = scaled_channels(256, options.width);
  aspp.rates = options.atrous_rates;
  aspp.dropout *= std::min(1.0, options.width);  // few channels cannot spare half of them
  const std::int64_t channels = aspp.out_channels;
  aspp_ = Aspp(aspp);
  classifier_ = nn::Sequential(aspp_, Conv(nn::Conv2dOptions(channels, channels, 3).padding(1).bias(false)),
                               nn::BatchNorm2d(channels), nn::ReLU(),
                               Conv(nn::Conv2dOptions(channels, options.classes, 1)));
  register_module("classifier", classifier_);
  if (options.squeeze_excite) gate_ = register_module("gate", SqueezeExcite(channels));
  if (options.classification_head) {
    head_ = register_module("head", PooledHead(channels, options.feature_size, options.classes));
  }
}

MemberOutput DeepLabV3Impl::predict(const torch::Tensor& x) {
  torch::Tensor y = aspp_(backbone_->features(x));
  if (gate_) y = gate_(y);
  MemberOutput output;
  y = run_chain(*classifier_, y, 1, 4);
  output.map_logits = run_chain(*classifier_, y, 4);
  if (options_.full_size_map) output.map_logits = resize_bilinear(output.map_logits, x.size(2), x.size(3));
  if (head_) {
    output.activation = y;
    std::tie(output.features, output.class_logits) = head_(y);
  }
  return output;
}

torch::Tensor DeepLabV3Impl::classify(const torch::Tensor& activation) { return std::get<1>(head_(activation)); }

}  // namespace clmnet::nets
