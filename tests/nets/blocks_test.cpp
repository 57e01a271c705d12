#include "nets/blocks.h"

#include <gtest/gtest.h>

namespace clmnet::nets {
namespace {

TEST(ScaledChannels, AreMultiplesOfEightAndExactAtWidthOne) {
  EXPECT_EQ(scaled_channels(64, 1.0), 64);
  EXPECT_EQ(scaled_channels(100, 1.0), 100);
  EXPECT_EQ(scaled_channels(64, 0.25), 16);
  EXPECT_EQ(scaled_channels(64, 0.01), 8);
  EXPECT_EQ(scaled_channels(512, 2.0), 1024);
}

TEST(ScaledChannels, RefusesAWidthThatIsNotPositive) {
  EXPECT_THROW(scaled_channels(64, 0), std::invalid_argument);
  EXPECT_THROW(scaled_channels(64, -1), std::invalid_argument);
  EXPECT_THROW(scaled_channels(64, std::nan("")), std::invalid_argument);
}

TEST(SqueezeExcite, ZeroWeightsHalveTheInput) {
  SqueezeExcite gate(32);
  for (auto& parameter : gate->parameters()) parameter.data().zero_();
  const torch::Tensor x = torch::randn({2, 32, 5, 7});
  EXPECT_TRUE(torch::allclose(gate(x), x * 0.5));  // sigmoid(0) = 1/2
}

TEST(SqueezeExcite, ScalesWholeChannels) {
  torch::manual_seed(1);
  SqueezeExcite gate(16);
  const torch::Tensor x = torch::rand({1, 16, 4, 4}) + 0.1;
  const torch::Tensor ratio = gate(x) / x;
  EXPECT_TRUE(torch::allclose(ratio, ratio.mean({2, 3}, true).expand_as(ratio), 1e-5, 1e-6));
}

TEST(SqueezeExcite, OpenItLetsNearlyAllThrough) {
  torch::manual_seed(2);
  SqueezeExcite gate(32);
  gate->open();
  const torch::Tensor x = torch::rand({2, 32, 5, 5}) + 0.1;
  const torch::Tensor ratio = gate(x) / x;
  EXPECT_GT(ratio.min().item<float>(), 0.8F);
  EXPECT_LT(ratio.max().item<float>(), 0.95F);
}

TEST(Aspp, KeepsTheSizeAndNamesItsWeightsAsTorchvision) {
  AsppOptions options;
  options.in_channels = 24;
  options.out_channels = 8;
  Aspp aspp(options);
  aspp->eval();
  EXPECT_EQ(aspp(torch::randn({1, 24, 9, 6})).sizes(), (std::vector<std::int64_t>{1, 8, 9, 6}));
  const auto parameters = aspp->named_parameters();
  EXPECT_TRUE(parameters.contains("convs.1.0.weight"));
  EXPECT_TRUE(parameters.contains("convs.4.1.weight"));
  EXPECT_EQ(parameters["project.0.weight"].sizes(), (std::vector<std::int64_t>{8, 40, 1, 1}));
}

TEST(Aspp, SeesAsFarAsItsLargestRate) {
  AsppOptions options;
  options.in_channels = 4;
  options.out_channels = 8;
  options.rates = {2, 5};
  Aspp aspp(options);
  aspp->eval();
  torch::Tensor x = torch::zeros({1, 4, 21, 21}, torch::requires_grad());
  aspp(x + 1).select(2, 10).select(2, 10).sum().backward();
  const torch::Tensor reach = x.grad().abs().sum(std::vector<std::int64_t>{0, 1});
  EXPECT_GT(reach[10][15].item<float>(), reach[10][14].item<float>() * 1.01F);  // rate 5, not 4
  EXPECT_GT(reach[8][10].item<float>(), reach[7][10].item<float>() * 1.01F);    // rate 2, not 3
}

TEST(PooledHead, UsesTheChannelsThemselvesWhereTheyFit) {
  PooledHead fits(16, 16, 2), grows(16, 64, 3);
  EXPECT_EQ(fits->parameters().size(), 2U);
  const auto [features, logits] = grows(torch::randn({5, 16, 3, 3}));
  EXPECT_EQ(features.sizes(), (std::vector<std::int64_t>{5, 64}));
  EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{5, 3}));
  const torch::Tensor x = torch::randn({1, 16, 2, 2});
  EXPECT_TRUE(torch::allclose(std::get<0>(fits(x)), x.mean({2, 3})));
}

TEST(ResizeBilinear, TakesHalfPixelCentres) {
  const torch::Tensor x = torch::tensor({0.0F, 4.0F}).reshape({1, 1, 1, 2});
  const torch::Tensor y = resize_bilinear(x, 1, 4);
  EXPECT_TRUE(torch::allclose(y.flatten(), torch::tensor({0.0F, 1.0F, 3.0F, 4.0F})));
}

}  // namespace
}  // namespace clmnet::nets
