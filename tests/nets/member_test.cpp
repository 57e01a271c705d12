#include "nets/member.h"

#include <gtest/gtest.h>

#include "nets/checkpoint/state_dict.h"
#include "nets/deeplabv3.h"
#include "nets/unet.h"
#include "nets/vgg16.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

MemberOptions small(const std::string& network, std::int64_t features) {
  MemberOptions options;
  options.network = network;
  options.width = 0.125;
  options.feature_size = features;
  return options;
}

class EveryMember : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Networks, EveryMember, ::testing::ValuesIn(member_names()));

TEST_P(EveryMember, GivesClassMapAndFeaturesAtAnyWidthAndNumberOfClasses) {
  for (const double width : {0.125, 0.25}) {
    MemberOptions options = small(GetParam(), 96);
    options.width = width;
    options.classes = 3;
    auto member = make_member(options);
    member->eval();
    const torch::NoGradGuard no_grad;
    const MemberOutput said = member->predict(torch::randn({2, 3, 64, 96}));
    EXPECT_EQ(said.class_logits.sizes(), (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(said.features.sizes(), (std::vector<std::int64_t>{2, 96}));
    EXPECT_EQ(said.map_logits.size(1), 3);
    EXPECT_EQ(said.map_logits.size(3) * 2, said.map_logits.size(2) * 3);  // as wide to high as the input
  }
}

TEST_P(EveryMember, EveryWeightLearns) {
  auto member = make_member(small(GetParam(), 64));
  member->train();
  const MemberOutput said = member->predict(torch::randn({4, 3, 64, 64}));
  (said.class_logits.square().sum() + said.map_logits.square().sum() + said.features.square().sum()).backward();
  for (const auto& parameter : member->named_parameters()) {
    EXPECT_TRUE(parameter.value().grad().defined()) << parameter.key() << " has no gradient";
  }
}

TEST_P(EveryMember, ATileDoesNotDependOnItsNeighboursInTheBatch) {
  auto member = make_member(small(GetParam(), 64));
  member->eval();
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::randn({3, 3, 48, 48});
  const MemberOutput together = member->predict(x), alone = member->predict(x.slice(0, 1, 2));
  EXPECT_TRUE(torch::allclose(together.class_logits.slice(0, 1, 2), alone.class_logits, 1e-4, 1e-5));
  EXPECT_TRUE(torch::allclose(together.map_logits.slice(0, 1, 2), alone.map_logits, 1e-4, 1e-5));
}

TEST_P(EveryMember, GatesCanBeLeftOut) {
  MemberOptions options = small(GetParam(), 64);
  const std::size_t with = state_dict(*make_member(options)).size();
  options.squeeze_excite = false;
  EXPECT_LT(state_dict(*make_member(options)).size(), with);
}

TEST(Vgg16, TheMeanOfTheActivationMapIsTheClassLogit) {
  auto member = make_member(small("vgg16", 64));
  member->eval();
  const torch::NoGradGuard no_grad;
  const MemberOutput said = member->predict(torch::randn({2, 3, 64, 64}));
  EXPECT_EQ(said.map_logits.size(2), 4);  // 64 / 16
  EXPECT_TRUE(torch::allclose(said.map_logits.mean({2, 3}), said.class_logits, 1e-4, 1e-5));
}

TEST(DeepLabV3, ItsMapHasAnEighthOfTheInput) {
  auto member = make_member(small("deeplabv3", 64));
  member->eval();
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(member->predict(torch::randn({1, 3, 64, 64})).map_logits.size(2), 8);
}

TEST(UNet, TakesSidesThatDoNotHalve) {
  auto member = make_member(small("unet", 64));
  member->eval();
  const torch::NoGradGuard no_grad;
  const MemberOutput said = member->predict(torch::randn({1, 3, 50, 37}));
  EXPECT_EQ(said.map_logits.size(2), 50);
  EXPECT_EQ(said.map_logits.size(3), 37);
}

TEST(MakeMember, BeginsWithOpenGates) {
  const auto member = make_member(small("unet", 64));
  int gates = 0;
  for (const auto& parameter : member->named_parameters()) {
    if (!parameter.key().ends_with("fc2.bias")) continue;
    ++gates;
    EXPECT_TRUE(torch::all(parameter.value().eq(2.0)).item<bool>()) << parameter.key();
  }
  EXPECT_EQ(gates, 9);  // four down, bottleneck, four up
}

TEST(MakeMember, RefusesWhatMakesNoSense) {
  MemberOptions options = small("resnext", 64);
  EXPECT_THROW(make_member(options), InputError);
  options = small("unet", 64);
  options.width = 0;
  EXPECT_THROW(make_member(options), InputError);
  options = small("unet", 64);
  options.classes = 1;
  EXPECT_THROW(make_member(options), InputError);
  options = small("unet", 0);
  EXPECT_THROW(make_member(options), InputError);
}

}  // namespace
}  // namespace clmnet::nets
