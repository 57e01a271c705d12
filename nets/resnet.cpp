#include "nets/resnet.h"

#include <stdexcept>
#include <string>

namespace clmnet::nets {
namespace nn = torch::nn;

namespace {

constexpr std::int64_t kExpansion = 4;

Conv conv(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t dilation) {
  const std::int64_t padding = kernel == 1 ? 0 : dilation;
  return Conv(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(padding).dilation(dilation).bias(false));
}

/// 1 x 1, 3 x 3, 1 x 1 with a shortcut; the last has four times the planes.
class BottleneckImpl : public nn::Module {
 public:
  BottleneckImpl(std::int64_t in, std::int64_t planes, std::int64_t stride, std::int64_t dilation) {
    const std::int64_t out = planes * kExpansion;
    conv1_ = register_module("conv1", conv(in, planes, 1, 1, 1));
    bn1_ = register_module("bn1", nn::BatchNorm2d(planes));
    conv2_ = register_module("conv2", conv(planes, planes, 3, stride, dilation));
    bn2_ = register_module("bn2", nn::BatchNorm2d(planes));
    conv3_ = register_module("conv3", conv(planes, out, 1, 1, 1));
    bn3_ = register_module("bn3", nn::BatchNorm2d(out));
    if (stride != 1 || in != out) {
      downsample_ = nn::Sequential(conv(in, out, 1, stride, 1), nn::BatchNorm2d(out));
      register_module("downsample", downsample_);
    }
  }

  torch::Tensor forward(const torch::Tensor& x) {
    torch::Tensor y = conv1_->run(x, {.norm = bn1_.get(), .relu = true});
    y = conv2_->run(y, {.norm = bn2_.get(), .relu = true});
    return conv3_->run(y, {.norm = bn3_.get(), .add = downsample_ ? run_chain(*downsample_, x) : x, .relu = true});
  }

 private:
  Conv conv1_{nullptr}, conv2_{nullptr}, conv3_{nullptr};
  nn::BatchNorm2d bn1_{nullptr}, bn2_{nullptr}, bn3_{nullptr};
  nn::Sequential downsample_{nullptr};
};
TORCH_MODULE(Bottleneck);

}  // namespace

ResNetOptions ResNetOptions::resnet50(std::int64_t classes) {
  ResNetOptions options;
  options.classes = classes;
  return options;
}

ResNetOptions ResNetOptions::resnet152(std::int64_t classes) {
  ResNetOptions options = resnet50(classes);
  options.blocks = {3, 8, 36, 3};
  return options;
}

ResNetImpl::ResNetImpl(const ResNetOptions& options) : options_(options) {
  channels_ = scaled_channels(64, options.width);
  conv1_ = register_module("conv1", Conv(nn::Conv2dOptions(3, channels_, 7).stride(2).padding(3).bias(false)));
  bn1_ = register_module("bn1", nn::BatchNorm2d(channels_));
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const std::int64_t planes = scaled_channels(std::int64_t{64} << i, options.width);
    stages_[i] = make_stage(planes, options.blocks[i], i == 0 ? 1 : 2, i > 0 && options.dilate[i - 1]);
    register_module("layer" + std::to_string(i + 1), stages_[i]);
    if (options.squeeze_excite) gates_->push_back(SqueezeExcite(channels_));
  }
  if (options.squeeze_excite) register_module("gates", gates_);
  if (options.classes > 0) fc_ = register_module("fc", nn::Linear(channels_, options.classes));
}

nn::Sequential ResNetImpl::make_stage(std::int64_t planes, std::int64_t blocks, std::int64_t stride, bool dilate) {
  // As torchvision: the first block of a dilated stage still has the dilation of the stage before.
  const std::int64_t first_dilation = dilation_;
  if (dilate) {
    dilation_ *= stride;
    stride = 1;
  }
  nn::Sequential stage;
  for (std::int64_t i = 0; i < blocks; ++i) {
    stage->push_back(Bottleneck(channels_, planes, i == 0 ? stride : 1, i == 0 ? first_dilation : dilation_));
    channels_ = planes * kExpansion;
  }
  return stage;
}

torch::Tensor ResNetImpl::features(const torch::Tensor& x) {
  torch::Tensor y = conv1_->run(x, {.norm = bn1_.get(), .relu = true});
  y = torch::max_pool2d(y, 3, 2, 1);
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    y = stages_[i]->forward(y);
    if (options_.squeeze_excite) y = gates_[i]->as<SqueezeExciteImpl>()->forward(y);
  }
  return y;
}

torch::Tensor ResNetImpl::forward(const torch::Tensor& x) {
  if (!fc_) throw std::invalid_argument("ResNet without classes has no logits; use features()");
  return fc_(features(x).mean({2, 3}));
}

}  // namespace clmnet::nets
