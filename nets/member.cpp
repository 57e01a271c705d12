#include "nets/member.h"

#include "nets/backbone_member.h"
#include "nets/deeplabv3.h"
#include "nets/unet.h"
#include "nets/vgg16.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

std::shared_ptr<Member> make_vgg16(const MemberOptions& options) {
  Vgg16Options vgg;
  vgg.width = options.width;
  vgg.classes = options.classes;
  vgg.batch_norm = options.batch_norm;
  vgg.squeeze_excite = options.squeeze_excite;
  vgg.feature_size = options.feature_size;
  return std::make_shared<Vgg16Impl>(vgg);
}

std::shared_ptr<Member> make_deeplabv3(const MemberOptions& options) {
  DeepLabV3Options deeplab;
  deeplab.width = options.width;
  deeplab.classes = options.classes;
  deeplab.squeeze_excite = options.squeeze_excite;
  deeplab.feature_size = options.feature_size;
  if (!options.atrous_rates.empty()) deeplab.atrous_rates = options.atrous_rates;
  return std::make_shared<DeepLabV3Impl>(deeplab);
}

std::shared_ptr<Member> make_unet(const MemberOptions& options) {
  UNetOptions unet;
  unet.width = options.width;
  unet.classes = options.classes;
  unet.squeeze_excite = options.squeeze_excite;
  unet.feature_size = options.feature_size;
  if (!options.atrous_rates.empty()) unet.atrous_rates = options.atrous_rates;
  return std::make_shared<UNetImpl>(unet);
}

}  // namespace

const std::vector<std::string>& clmnet_member_names() {
  static const std::vector<std::string> names = {"vgg16", "deeplabv3", "unet"};
  return names;
}

const std::vector<std::string>& member_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = clmnet_member_names();
    all.insert(all.end(), backbone_names().begin(), backbone_names().end());
    return all;
  }();
  return names;
}

bool maps_by_class_activation(const std::string& network) { return network == "vgg16" || is_backbone(network); }

std::shared_ptr<Member> make_member(const MemberOptions& options) {
  if (!(options.width > 0 && options.width <= 4)) {
    throw InputError(options.network + ": width " + std::to_string(options.width) + ", expected above 0 and at most 4");
  }
  if (options.classes < 2 || options.classes > 1000) {
    throw InputError(options.network + ": " + std::to_string(options.classes) + " classes, expected 2 to 1000");
  }
  if (options.feature_size < 1) throw InputError(options.network + ": feature_size must be at least 1");
  std::shared_ptr<Member> member;
  if (options.network == "vgg16") member = make_vgg16(options);
  if (options.network == "deeplabv3") member = make_deeplabv3(options);
  if (options.network == "unet") member = make_unet(options);
  if (is_backbone(options.network)) member = std::make_shared<BackboneMemberImpl>(options);
  if (!member) {
    std::string known;
    for (const auto& name : member_names()) known += (known.empty() ? "" : ", ") + name;
    throw InputError("no network '" + options.network + "'; there are: " + known);
  }
  initialise_weights(*member);
  return member;
}

void initialise_weights(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& part : module.modules()) {
    if (auto* conv = part->as<torch::nn::Conv2d>()) {
      torch::nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
      if (conv->bias.defined()) torch::nn::init::zeros_(conv->bias);
    } else if (auto* norm = part->as<torch::nn::BatchNorm2d>()) {
      torch::nn::init::ones_(norm->weight);
      torch::nn::init::zeros_(norm->bias);
    }
  }
  // Afterwards: the gates' own convolutions were drawn with all others.
  for (auto& part : module.modules()) {
    if (auto* gate = part->as<SqueezeExcite>()) gate->open();
  }
}

}  // namespace clmnet::nets
