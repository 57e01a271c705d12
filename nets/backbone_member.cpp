#include "nets/backbone_member.h"

#include <algorithm>
#include <stdexcept>

#include "nets/densenet.h"
#include "nets/inception_resnet_v2.h"
#include "nets/resnet.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace nn = torch::nn;

namespace {

ResNet make_resnet(const MemberOptions& member) {
  ResNetOptions options = member.network == "resnet152" ? ResNetOptions::resnet152(0) : ResNetOptions::resnet50(0);
  options.width = member.width;
  options.squeeze_excite = member.squeeze_excite;
  return ResNet(options);
}

DenseNet make_densenet(const MemberOptions& member) {
  DenseNetOptions options;
  options.width = member.width;
  options.squeeze_excite = member.squeeze_excite;
  return DenseNet(options);
}

InceptionResNetV2 make_inception(const MemberOptions& member) {
  InceptionResNetV2Options options;
  options.width = member.width;
  options.squeeze_excite = member.squeeze_excite;
  return InceptionResNetV2(options);
}

}  // namespace

const std::vector<std::string>& backbone_names() {
  static const std::vector<std::string> names = {"resnet50", "resnet152", "densenet201", "inception_resnet_v2"};
  return names;
}

bool is_backbone(const std::string& network) {
  return std::find(backbone_names().begin(), backbone_names().end(), network) != backbone_names().end();
}

BackboneMemberImpl::BackboneMemberImpl(const MemberOptions& options) : network_(options.network) {
  std::int64_t channels = 0;
  const auto take = [&](auto backbone) {
    // Its parts become parts of the member, under their own names; the backbone itself only calls them.
    for (const auto& part : backbone->named_children()) register_module(part.key(), part.value());
    channels = backbone->channels();
    features_ = [backbone](const torch::Tensor& x) mutable { return backbone->features(x); };
  };
  if (options.network == "densenet201") {
    take(make_densenet(options));
  } else if (options.network == "inception_resnet_v2") {
    take(make_inception(options));
  } else if (is_backbone(options.network)) {
    take(make_resnet(options));
  } else {
    throw std::invalid_argument("no backbone '" + options.network + "'");
  }
  embed_ = nn::Sequential(Conv(nn::Conv2dOptions(channels, options.feature_size, 1).bias(false)),
                          nn::BatchNorm2d(options.feature_size), nn::ReLU());
  classifier_ = nn::Sequential(nn::Linear(options.feature_size, options.classes));
  register_module("embed", embed_);
  register_module("classifier", classifier_);
}

MemberOutput BackboneMemberImpl::predict(const torch::Tensor& x) {
  if (network_ == "inception_resnet_v2" && (x.size(2) < 75 || x.size(3) < 75)) {
    throw InputError("inception_resnet_v2: tiles of " + std::to_string(x.size(3)) + " x " + std::to_string(x.size(2)) +
                     " px, expected at least 75 x 75; give a larger patch_size_px");
  }
  MemberOutput output;
  output.activation = run_chain(*embed_, features_(x));
  output.features = output.activation.mean({2, 3});
  output.class_logits = classifier_->forward(output.features);
  const auto* linear = classifier_[0]->as<nn::Linear>();
  output.map_logits = torch::conv2d(output.activation, linear->weight.unsqueeze(-1).unsqueeze(-1), linear->bias);
  return output;
}

torch::Tensor BackboneMemberImpl::classify(const torch::Tensor& activation) {
  return classifier_->forward(activation.mean({2, 3}));
}

}  // namespace clmnet::nets
