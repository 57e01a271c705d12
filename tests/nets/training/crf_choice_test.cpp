#include "nets/training/crf_choice.h"

#include <gtest/gtest.h>

namespace clmnet::nets {
namespace {

constexpr std::int64_t kSide = 40;

/// One network whose fused probability is its own; the tumour is a dark disc on a bright ground.
ModelConfig one_network() {
  ModelConfig config;
  config.members.emplace_back();
  config.members[0].class_weight = config.members[0].map_weight = 1;
  config.members[0].class_temperature = config.members[0].map_temperature = 1;
  config.map_from_class_weight = 0;
  config.map_threshold = 0.5;
  return config;
}

ValidationOutputs disc(double noise) {
  torch::manual_seed(5);
  ValidationOutputs outputs;
  const torch::Tensor at = torch::arange(kSide, torch::kFloat32) - kSide / 2.0;
  const torch::Tensor inside = (at.unsqueeze(0).square() + at.unsqueeze(1).square()).lt(100);
  outputs.mask = inside.to(torch::kInt64).unsqueeze(0).repeat({3, 1, 1});
  outputs.label = torch::ones({3}, torch::kInt64);
  outputs.guide = torch::where(inside, 90, 220).to(torch::kUInt8).unsqueeze(0).unsqueeze(-1).repeat({3, 1, 1, 3}).contiguous();
  const torch::Tensor log_odds = (outputs.mask * 2 - 1).to(torch::kFloat32) * 1.5 + noise * torch::randn({3, kSide, kSide});
  outputs.map_logits = {torch::stack({torch::zeros_like(log_odds), log_odds}, 1)};
  outputs.class_logits = {torch::zeros({3, 2})};
  return outputs;
}

TEST(ChooseCrf, TakesOneThatClearsNoiseAlongTheColours) {
  ModelConfig config = one_network();
  const CrfChoice choice = choose_crf(disc(1.5), config);
  EXPECT_LT(choice.dice_before, 0.9);
  EXPECT_GT(choice.dice_after, 0.99);
  EXPECT_GT(config.crf.bilat_weight, 0);
  EXPECT_EQ(config.map_threshold, choice.threshold);
}

TEST(ChooseCrf, OfEquallyGoodOnesItTakesTheWeakest) {
  ModelConfig config = one_network();
  const CrfChoice choice = choose_crf(disc(0), config);  // right everywhere: none can lose a pixel
  EXPECT_DOUBLE_EQ(choice.dice_before, 1);
  EXPECT_DOUBLE_EQ(choice.dice_after, 1);
  EXPECT_DOUBLE_EQ(config.crf.bilat_weight, 0.25);
  EXPECT_DOUBLE_EQ(config.crf.gauss_weight, 0.5);
  EXPECT_EQ(config.crf.iterations, 1);  // more would change nothing
}

TEST(ChooseCrf, PixelsWithoutAMaskDoNotCount) {
  ModelConfig config = one_network();
  ValidationOutputs outputs = disc(0);
  outputs.map_logits[0][0].mul_(-1);  // one image is wrong throughout ...
  outputs.mask[0].fill_(-1);          // ... where nothing is known
  EXPECT_DOUBLE_EQ(choose_crf(outputs, config).dice_before, 1);
}

}  // namespace
}  // namespace clmnet::nets
