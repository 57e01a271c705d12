#include "nets/member.h"

#include <gtest/gtest.h>

#include "nets/checkpoint/state_dict.h"
#include "nets/deeplabv3.h"
#include "nets/model_config.h"
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
    const std::int64_t high = GetParam() == "inception_resnet_v2" ? 96 : 64;
    const MemberOutput said = member->predict(torch::randn({2, 3, high, high * 3 / 2}));
    EXPECT_EQ(said.class_logits.sizes(), (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(said.features.sizes(), (std::vector<std::int64_t>{2, 96}));
    EXPECT_EQ(said.map_logits.size(1), 3);
    if (GetParam() == "inception_resnet_v2") continue;  // pads nothing
    EXPECT_EQ(said.map_logits.size(3) * 2, said.map_logits.size(2) * 3);  // as wide to high as the input
  }
}

TEST_P(EveryMember, EveryWeightLearns) {
  auto member = make_member(small(GetParam(), 64));
  member->train();
  const MemberOutput said = member->predict(torch::randn({4, 3, 96, 96}));
  (said.class_logits.square().sum() + said.map_logits.square().sum() + said.features.square().sum()).backward();
  for (const auto& parameter : member->named_parameters()) {
    EXPECT_TRUE(parameter.value().grad().defined()) << parameter.key() << " has no gradient";
  }
}

TEST_P(EveryMember, ATileDoesNotDependOnItsNeighboursInTheBatch) {
  auto member = make_member(small(GetParam(), 64));
  member->eval();
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::randn({3, 3, 80, 80});
  const MemberOutput together = member->predict(x), alone = member->predict(x.slice(0, 1, 2));
  // Deep networks with random weights give large numbers; what is small beside them is rounding.
  const auto near = [](const torch::Tensor& a, const torch::Tensor& b) {
    return (a - b).abs().max().item<double>() < 1e-4 * std::max(1.0, b.abs().max().item<double>());
  };
  EXPECT_TRUE(near(together.class_logits.slice(0, 1, 2), alone.class_logits));
  EXPECT_TRUE(near(together.map_logits.slice(0, 1, 2), alone.map_logits));
}

TEST_P(EveryMember, GatesCanBeLeftOut) {
  MemberOptions options = small(GetParam(), 64);
  const std::size_t with = state_dict(*make_member(options)).size();
  options.squeeze_excite = false;
  EXPECT_LT(state_dict(*make_member(options)).size(), with);
}

TEST_P(EveryMember, TakesOddSides) {
  auto member = make_member(small(GetParam(), 64));
  member->eval();
  const torch::NoGradGuard no_grad;
  const MemberOutput said = member->predict(torch::randn({1, 3, 101, 83}));
  EXPECT_TRUE(torch::isfinite(said.class_logits).all().item<bool>());
  EXPECT_TRUE(torch::isfinite(said.map_logits).all().item<bool>());
}

TEST_P(EveryMember, IsTheSameAfterItsWeightsWentIntoAnother) {
  auto one = make_member(small(GetParam(), 64)), other = make_member(small(GetParam(), 64));
  one->eval();
  other->eval();
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::randn({1, 3, 96, 96});
  EXPECT_FALSE(torch::allclose(one->predict(x).class_logits, other->predict(x).class_logits));
  load_state_dict(*other, state_dict(*one), LoadMode::kStrict, "test");
  EXPECT_TRUE(one->predict(x).class_logits.equal(other->predict(x).class_logits));
}

// Their files begin a member: names of torchvision and timm, without a prefix.
TEST(Backbones, KeepThePublishedNames) {
  const auto has = [](const std::string& network, const std::string& key) {
    for (const auto& [name, tensor] : state_dict(*make_member(small(network, 64)))) {
      if (name == key) return true;
    }
    return false;
  };
  EXPECT_TRUE(has("resnet50", "layer1.0.conv1.weight"));
  EXPECT_TRUE(has("resnet152", "layer3.35.bn3.running_var"));
  EXPECT_TRUE(has("densenet201", "features.denseblock3.denselayer48.conv2.weight"));
  EXPECT_TRUE(has("inception_resnet_v2", "mixed_5b.branch1.0.conv.weight"));
  EXPECT_TRUE(has("inception_resnet_v2", "classifier.0.weight"));
}

TEST(Backbones, TheMeanOfTheMapIsTheClassLogit) {
  auto member = make_member(small("resnet50", 64));
  member->eval();
  const torch::NoGradGuard no_grad;
  const MemberOutput said = member->predict(torch::randn({2, 3, 96, 96}));
  EXPECT_EQ(said.map_logits.size(2), 3);  // 96 / 32
  EXPECT_TRUE(torch::allclose(said.map_logits.mean({2, 3}), said.class_logits, 1e-4, 1e-5));
}

TEST(Backbones, InceptionRefusesTilesItCannotTake) {
  auto member = make_member(small("inception_resnet_v2", 64));
  member->eval();
  EXPECT_THROW(member->predict(torch::randn({1, 3, 74, 96})), InputError);
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
  options.network = kTorchScript;  // a file's, not one to build
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
