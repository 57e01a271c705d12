#include "nets/vgg16.h"

#include <array>

namespace clmnet::nets {
namespace nn = torch::nn;

namespace {
// Channels of the convolutions at width 1, stage by stage.
const std::vector<std::vector<std::int64_t>> kVggStages = {
    {64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}};
}  // namespace

Vgg16Options Vgg16Options::torchvision(bool batch_norm, std::int64_t classes) {
  Vgg16Options options;
  options.classes = classes;
  options.batch_norm = batch_norm;
  options.squeeze_excite = false;
  options.fully_connected_head = true;
  return options;
}

Vgg16Impl::Vgg16Impl(const Vgg16Options& options) : options_(options) {
  std::int64_t in = 3;
  for (const auto& stage : kVggStages) {
    for (const std::int64_t channels : stage) {
      const std::int64_t out = scaled_channels(channels, options.width);
      features_->push_back(Conv(nn::Conv2dOptions(in, out, 3).padding(1).bias(true)));
      if (options.batch_norm) features_->push_back(nn::BatchNorm2d(out));
      features_->push_back(nn::ReLU(nn::ReLUOptions(true)));
      in = out;
    }
    pool_positions_.push_back(features_->size());
    features_->push_back(nn::MaxPool2d(nn::MaxPool2dOptions(2).stride(2)));
    if (options.squeeze_excite) gates_->push_back(SqueezeExcite(in));
  }
  register_module("features", features_);
  if (options.squeeze_excite) register_module("gates", gates_);
  if (options.fully_connected_head) {
    const std::int64_t hidden = scaled_channels(4096, options.width);
    classifier_ = nn::Sequential(nn::Linear(in * 7 * 7, hidden), nn::ReLU(), nn::Dropout(), nn::Linear(hidden, hidden),
                                 nn::ReLU(), nn::Dropout(), nn::Linear(hidden, options.classes));
  } else {
    if (in != options.feature_size) {
      embed_ = nn::Sequential(Conv(nn::Conv2dOptions(in, options.feature_size, 1).bias(false)),
                              nn::BatchNorm2d(options.feature_size), nn::ReLU());
      register_module("embed", embed_);
    }
    classifier_ = nn::Sequential(nn::Linear(options.feature_size, options.classes));
  }
  register_module("classifier", classifier_);
}

torch::Tensor Vgg16Impl::convolve(torch::Tensor x) {
  std::size_t begin = 0;
  for (std::size_t stage = 0; stage < pool_positions_.size(); ++stage) {
    const std::size_t pool = pool_positions_[stage];
    x = run_chain(*features_, x, begin, pool);
    if (options_.squeeze_excite) x = gates_[stage]->as<SqueezeExciteImpl>()->forward(x);
    const bool last = stage + 1 == pool_positions_.size();
    if (!last || options_.fully_connected_head) x = run_chain(*features_, x, pool, pool + 1);
    begin = pool + 1;
  }
  return x;
}

MemberOutput Vgg16Impl::predict(const torch::Tensor& input) {
  torch::Tensor x = convolve(input);
  MemberOutput output;
  if (options_.fully_connected_head) {
    x = torch::adaptive_avg_pool2d(x, {7, 7}).flatten(1);
    output.class_logits = classifier_->forward(x);
    return output;
  }
  if (embed_) x = run_chain(*embed_, x);
  output.activation = x;
  output.features = x.mean({2, 3});
  output.class_logits = classifier_->forward(output.features);
  const auto* linear = classifier_[0]->as<nn::Linear>();
  output.map_logits = torch::conv2d(x, linear->weight.unsqueeze(-1).unsqueeze(-1), linear->bias);
  return output;
}

torch::Tensor Vgg16Impl::classify(const torch::Tensor& activation) { return classifier_->forward(activation.mean({2, 3})); }

}  // namespace clmnet::nets
