#include "nets/widen.h"

#include <gtest/gtest.h>

#include "nets/member.h"

namespace clmnet::nets {
namespace {

MemberOptions options_of(const std::string& network, double width) {
  MemberOptions options;
  options.network = network;
  options.width = width;
  options.feature_size = 96;
  return options;
}

/// A member whose running statistics and gates are not those it begins with.
std::shared_ptr<Member> lived_in(const MemberOptions& options) {
  auto member = make_member(options);
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : state_dict(*member)) {
    if (!tensor.is_floating_point() || tensor.dim() > 1) continue;
    if (name.ends_with("running_var") || name.ends_with("weight")) {
      tensor.uniform_(0.8, 1.2);
    } else {
      tensor.add_(torch::randn_like(tensor) * 0.05);
    }
  }
  member->eval();
  return member;
}

NamedTensors copy_of(const torch::nn::Module& module) {
  NamedTensors copy;
  for (const auto& [name, tensor] : state_dict(module)) copy.emplace_back(name, tensor.detach().clone());
  return copy;
}

double relative(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>() / std::max(1e-3, b.abs().max().item<double>());
}

struct Step {
  std::string network;
  double from = 0, to = 0;  // width
};

class WidenedMember : public ::testing::TestWithParam<Step> {};
INSTANTIATE_TEST_SUITE_P(Networks, WidenedMember,
                         ::testing::Values(Step{"vgg16", 0.125, 0.25}, Step{"deeplabv3", 0.125, 0.25}, Step{"unet", 0.125, 0.25},
                                           Step{"resnet50", 0.125, 0.25},
                                           Step{"densenet201", 0.25, 0.5},  // a growth of 8 channels is the least there is
                                           Step{"vgg16", 0.25, 0.375}, Step{"unet", 0.5, 0.75}, Step{"deeplabv3", 0.5, 0.75}));

TEST_P(WidenedMember, ComputesTheSame) {
  torch::manual_seed(3);
  const auto narrow = lived_in(options_of(GetParam().network, GetParam().from));
  const MemberOptions options = options_of(GetParam().network, GetParam().to);
  const auto wide = make_member(options);
  load_state_dict(*wide, widened(*wide, options, copy_of(*narrow)).value(), LoadMode::kStrict, GetParam().network);
  wide->eval();
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::randn({2, 3, 96, 96});
  const MemberOutput wanted = narrow->predict(x), said = wide->predict(x);
  EXPECT_LT(relative(said.class_logits, wanted.class_logits), 1e-3);
  EXPECT_LT(relative(said.map_logits, wanted.map_logits), 1e-3);
  EXPECT_LT(relative(said.features, wanted.features), 1e-3);
}

TEST(Widened, CopiesOfAChannelAreReadWithWeightsOfTheirOwn) {
  torch::manual_seed(4);
  const auto narrow = lived_in(options_of("unet", 0.125));
  const MemberOptions options = options_of("unet", 0.25);
  int inner = 0;
  const NamedTensors grown = widened(*make_member(options), options, copy_of(*narrow)).value();
  for (const auto& [name, weight] : grown) {
    if (weight.dim() != 4 || name.starts_with("up.") || weight.size(1) == 3) continue;
    EXPECT_FALSE(torch::allclose(weight.select(1, 0), weight.select(1, 1))) << name;
    ++inner;
  }
  EXPECT_GT(inner, 20);
}

class WidenedVariance : public ::testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(Widths, WidenedVariance, ::testing::Values(0.375, 0.5));

TEST_P(WidenedVariance, IsWhatHeAndOthersDrawWith) {
  torch::manual_seed(5);
  const MemberOptions narrow = options_of("vgg16", 0.25), wide = options_of("vgg16", GetParam());
  const auto member = make_member(wide);
  const NamedTensors drawn = copy_of(*member);
  const NamedTensors grown = widened(*member, wide, copy_of(*make_member(narrow))).value();
  int compared = 0;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    if (!drawn[i].first.starts_with("features.") || drawn[i].second.dim() != 4 || drawn[i].second.size(1) == 3) continue;
    const double ratio = grown[i].second.square().mean().item<double>() / drawn[i].second.square().mean().item<double>();
    EXPECT_NEAR(ratio, 1.0, 0.1) << drawn[i].first;
    ++compared;
  }
  EXPECT_EQ(compared, 12);
}

TEST(Widened, TakesNothingButANarrowerCopyOfTheNetwork) {
  const MemberOptions wide = options_of("unet", 0.25);
  const auto member = make_member(wide);
  const auto taken = [&](const MemberOptions& of) { return widened(*member, wide, copy_of(*make_member(of))).has_value(); };
  MemberOptions other = options_of("unet", 0.125);
  EXPECT_TRUE(taken(other));
  other.classes = 4;
  EXPECT_FALSE(taken(other));
  other = options_of("unet", 0.125);
  other.squeeze_excite = false;
  EXPECT_FALSE(taken(other));
  EXPECT_FALSE(taken(wide));                        // as wide already
  EXPECT_FALSE(taken(options_of("unet", 0.5)));     // wider
  EXPECT_FALSE(taken(options_of("vgg16", 0.125)));  // another network
  EXPECT_FALSE(widened(*member, wide, {}).has_value());
  // Gates have at least four channels: at thrice the width six, half as many again, where the others have thrice as many.
  const MemberOptions thrice = options_of("unet", 0.375);
  EXPECT_FALSE(widened(*make_member(thrice), thrice, copy_of(*make_member(options_of("unet", 0.125)))).has_value());
}

}  // namespace
}  // namespace clmnet::nets
