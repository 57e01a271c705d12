#include "nets/training/fusion.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "nets/ensemble.h"

namespace clmnet::nets {
namespace {

double log_odds(double p) { return std::log(p / (1 - p)); }

// One image of each class: their spreads are alike, so the best lies halfway between them.
TEST(BalancedThreshold, LiesHalfwayInLogOddsBetweenTwoImages) {
  const torch::Tensor truth = torch::tensor({0, 1});
  EXPECT_DOUBLE_EQ(balanced_threshold(torch::tensor({0.1, 0.9}), truth), 0.5);
  EXPECT_NEAR(log_odds(balanced_threshold(torch::tensor({0.02, 0.2}), truth)), (log_odds(0.02) + log_odds(0.2)) / 2, 0.013);
  EXPECT_NEAR(log_odds(balanced_threshold(torch::tensor({0.4, 0.98}), truth)), (log_odds(0.4) + log_odds(0.98)) / 2, 0.013);
}

TEST(BalancedThreshold, IsAHalfWhereNothingSpeaksAgainstIt) {
  EXPECT_DOUBLE_EQ(balanced_threshold(torch::tensor({0.1, 0.9}), torch::tensor({1, 1})), 0.5);  // one class alone
  EXPECT_DOUBLE_EQ(balanced_threshold(torch::tensor({0.7, 0.7}), torch::tensor({0, 1})), 0.5);  // nothing told apart
  EXPECT_DOUBLE_EQ(balanced_threshold(torch::tensor({0.0, 1.0}), torch::tensor({0, 1})), 0.5);  // certain
}

// A hundred images of each class; unsmoothed, one positive below 0.5 would pull the threshold below its 0.4.
TEST(BalancedThreshold, OneImageHardlyMovesItManyDo) {
  const auto with_low_positives = [](int low) {
    torch::Tensor p = torch::cat({torch::full({100}, 0.1), torch::full({100}, 0.9)});
    for (int i = 0; i < low; ++i) p[100 + i] = 0.4;
    return balanced_threshold(p, torch::cat({torch::zeros({100}), torch::ones({100})}));
  };
  EXPECT_NEAR(with_low_positives(1), 0.49, 0.011);
  EXPECT_LT(with_low_positives(50), 0.4);
  EXPECT_GT(with_low_positives(50), 0.2);
}

// Against the same in plain words, over ten times as many thresholds.
TEST(BalancedThreshold, HasTheLargestSmoothedYoudensIndex) {
  torch::manual_seed(4);
  for (int time = 0; time < 20; ++time) {
    const torch::Tensor truth = torch::randint(0, 2, {60}).to(torch::kFloat64);
    const torch::Tensor p = 0.02 + 0.96 * (truth * 0.3 + torch::rand({60}, torch::kFloat64) * (0.3 + 0.02 * time));
    std::vector<double> positives, negatives;
    for (int i = 0; i < 60; ++i) (truth[i].item<double>() > 0 ? positives : negatives).push_back(log_odds(p[i].item<double>()));
    const auto share_below = [](const std::vector<double>& values, double at) {
      double sum = 0;
      for (const double value : values) sum += 1 / (1 + std::exp((value - at) * std::acos(-1.0) / std::sqrt(3.0)));
      return sum / static_cast<double>(values.size());
    };
    const auto index_at = [&](double at) { return share_below(negatives, at) - share_below(positives, at); };
    double best = -2;
    for (double at = -6; at <= 6; at += 0.0025) best = std::max(best, index_at(at));
    EXPECT_GE(index_at(log_odds(balanced_threshold(p, truth))), best - 1e-4) << time;
  }
}

TEST(FuseLogits, IsTheWeightedSumOfCalibratedLogits) {
  const torch::Tensor a = torch::tensor({{2.0F, -2.0F}}), b = torch::tensor({{0.0F, 6.0F}});
  EXPECT_TRUE(torch::allclose(fuse_logits({a, b}, {0.5, 1.0}, {2.0, 3.0}), torch::tensor({{0.5F, 1.5F}})));
}

TEST(MapAt, AveragesWhatIsFinerAndInterpolatesWhatIsCoarser) {
  const torch::Tensor x = torch::arange(16, torch::kFloat32).reshape({1, 1, 4, 4});
  EXPECT_TRUE(torch::allclose(map_at(x, 2, 2), torch::tensor({{2.5F, 4.5F}, {10.5F, 12.5F}}).reshape({1, 1, 2, 2})));
  EXPECT_EQ(map_at(x, 8, 8).size(2), 8);
  EXPECT_TRUE(torch::equal(map_at(x, 4, 4), x));
}

/// Logits of a predictor that knows the truth with some noise, overconfident by `sharpness`.
torch::Tensor noisy_logits(const torch::Tensor& truth, double noise, double sharpness) {
  const torch::Tensor signal = truth.to(torch::kFloat32) * 2 - 1 + noise * torch::randn(truth.sizes());
  const torch::Tensor log_odds = 2 * signal / (noise * noise) * sharpness;
  return torch::stack({torch::zeros_like(log_odds), log_odds}, 1);
}

ValidationOutputs simulated() {
  torch::manual_seed(11);
  ValidationOutputs outputs;
  outputs.label = torch::randint(0, 2, {2000}, torch::kInt64);
  outputs.mask = torch::randint(0, 2, {2000, 2, 2}, torch::kInt64);
  outputs.label.slice(0, 0, 20).fill_(-1);
  outputs.mask.slice(0, 0, 5).fill_(-1);
  for (const auto& [noise, sharpness] : {std::pair{0.8, 3.0}, std::pair{1.0, 1.0}, std::pair{50.0, 1.0}}) {
    outputs.class_logits.push_back(noisy_logits(outputs.label.clamp_min(0), noise, sharpness));
    outputs.map_logits.push_back(noisy_logits(outputs.mask.clamp_min(0), noise, sharpness));
  }
  return outputs;
}

TEST(FitFusion, FindsTheTemperatureOfAnOverconfidentNetwork) {
  ModelConfig config;
  config.members.resize(3);
  fit_fusion(simulated(), config);
  EXPECT_NEAR(config.members[0].class_temperature, 3.0, 0.6);
  EXPECT_NEAR(config.members[1].class_temperature, 1.0, 0.2);
}

TEST(FitFusion, TrustsGoodNetworksAndIsBetterThanEach) {
  const ValidationOutputs outputs = simulated();
  ModelConfig config;
  config.members.resize(3);
  const ClassLogLoss said = fit_fusion(outputs, config);
  std::vector<double> weights, temperatures;
  for (const auto& member : config.members) {
    weights.push_back(member.class_weight);
    temperatures.push_back(member.class_temperature);
  }
  const torch::Tensor known = outputs.label.ge(0);
  const auto entropy = [&](const torch::Tensor& logits) {
    return torch::nn::functional::cross_entropy(
               logits, outputs.label, torch::nn::functional::CrossEntropyFuncOptions().ignore_index(-1)).item<double>();
  };
  const double fused = entropy(fuse_logits(outputs.class_logits, weights, temperatures));
  EXPECT_NEAR(said.ensemble, fused, 1e-5);
  ASSERT_EQ(said.networks.size(), 3u);
  for (std::size_t k = 0; k < 3; ++k) {
    const double alone = entropy(outputs.class_logits[k] / temperatures[k]);
    EXPECT_LT(fused, alone) << k;
    EXPECT_NEAR(said.networks[k], alone, 1e-5) << k;
  }
  for (const auto& member : config.members) {
    EXPECT_GE(member.class_weight, 0);
    EXPECT_GE(member.map_weight, 0);
  }
  EXPECT_NEAR(config.class_threshold, 0.5, 0.2);
}

}  // namespace
}  // namespace clmnet::nets
