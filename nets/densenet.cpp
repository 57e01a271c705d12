#include "nets/densenet.h"

#include <regex>
#include <stdexcept>

namespace clmnet::nets {
namespace nn = torch::nn;

namespace {

constexpr std::size_t kStemLayers = 4;   // convolution, normalisation, ReLU, pooling
constexpr std::int64_t kBottleneck = 4;  // channels between the two convolutions of a layer, in growth rates

Conv conv(std::int64_t in, std::int64_t out, std::int64_t kernel) {
  return Conv(nn::Conv2dOptions(in, out, kernel).padding(kernel / 2).bias(false));
}

/// Normalisation before each convolution; gives `growth` new channels.
class DenseLayerImpl : public nn::Module {
 public:
  DenseLayerImpl(std::int64_t in, std::int64_t growth) {
    norm1_ = register_module("norm1", nn::BatchNorm2d(in));
    conv1_ = register_module("conv1", conv(in, kBottleneck * growth, 1));
    norm2_ = register_module("norm2", nn::BatchNorm2d(kBottleneck * growth));
    conv2_ = register_module("conv2", conv(kBottleneck * growth, growth, 3));
  }

  torch::Tensor forward(const torch::Tensor& x) {
    return conv2_(conv1_->run(norm1_(x).relu_(), {.norm = norm2_.get(), .relu = true}));
  }

 private:
  nn::BatchNorm2d norm1_{nullptr}, norm2_{nullptr};
  Conv conv1_{nullptr}, conv2_{nullptr};
};
TORCH_MODULE(DenseLayer);

/// Each layer sees the input and what all layers before it gave.
class DenseBlockImpl : public nn::Module {
 public:
  DenseBlockImpl(std::int64_t in, std::int64_t layers, std::int64_t growth) {
    for (std::int64_t i = 0; i < layers; ++i) {
      layers_.push_back(register_module("denselayer" + std::to_string(i + 1), DenseLayer(in + i * growth, growth)));
    }
  }

  torch::Tensor forward(const torch::Tensor& x) {
    std::vector<torch::Tensor> parts = {x};
    for (auto& layer : layers_) parts.push_back(layer(torch::cat(parts, 1)));
    return torch::cat(parts, 1);
  }

 private:
  std::vector<DenseLayer> layers_;
};
TORCH_MODULE(DenseBlock);

class TransitionImpl : public nn::Module {
 public:
  TransitionImpl(std::int64_t in, std::int64_t out) {
    norm_ = register_module("norm", nn::BatchNorm2d(in));
    conv_ = register_module("conv", conv(in, out, 1));
  }

  torch::Tensor forward(const torch::Tensor& x) { return torch::avg_pool2d(conv_(norm_(x).relu_()), 2, 2); }

 private:
  nn::BatchNorm2d norm_{nullptr};
  Conv conv_{nullptr};
};
TORCH_MODULE(Transition);

}  // namespace

DenseNetOptions DenseNetOptions::densenet201(std::int64_t classes) {
  DenseNetOptions options;
  options.classes = classes;
  return options;
}

DenseNetImpl::DenseNetImpl(const DenseNetOptions& options) {
  const std::int64_t growth = scaled_channels(32, options.width);
  channels_ = scaled_channels(64, options.width);
  features_->push_back("conv0", Conv(nn::Conv2dOptions(3, channels_, 7).stride(2).padding(3).bias(false)));
  features_->push_back("norm0", nn::BatchNorm2d(channels_));
  features_->push_back("relu0", nn::ReLU(nn::ReLUOptions(true)));
  features_->push_back("pool0", nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2).padding(1)));
  for (std::size_t i = 0; i < options.blocks.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    features_->push_back("denseblock" + number, DenseBlock(channels_, options.blocks[i], growth));
    channels_ += options.blocks[i] * growth;
    if (options.squeeze_excite) gates_->push_back(SqueezeExcite(channels_));
    if (i + 1 < options.blocks.size()) {
      features_->push_back("transition" + number, Transition(channels_, channels_ / 2));
      channels_ /= 2;
    }
  }
  features_->push_back("norm5", nn::BatchNorm2d(channels_));
  register_module("features", features_);
  if (options.squeeze_excite) register_module("gates", gates_);
  if (options.classes > 0) classifier_ = register_module("classifier", nn::Linear(channels_, options.classes));
}

torch::Tensor DenseNetImpl::features(const torch::Tensor& x) {
  torch::Tensor y = run_chain(*features_, x, 0, kStemLayers);
  std::size_t gate = 0;
  for (std::size_t i = kStemLayers; i < features_->size(); ++i) {
    y = run_chain(*features_, y, i, i + 1);
    if (gates_->is_empty() || !features_->ptr(i)->as<DenseBlockImpl>()) continue;
    y = gates_[gate++]->as<SqueezeExciteImpl>()->forward(y);
  }
  return torch::relu_(y);
}

torch::Tensor DenseNetImpl::forward(const torch::Tensor& x) {
  if (!classifier_) throw std::invalid_argument("DenseNet without classes has no logits; use features()");
  return classifier_(features(x).mean({2, 3}));
}

std::string modern_densenet_name(const std::string& name) {
  static const std::regex old_name(R"((.*denselayer\d+\.(?:norm|conv))\.([12]\..*))");
  return std::regex_replace(name, old_name, "$1$2");
}

}  // namespace clmnet::nets
