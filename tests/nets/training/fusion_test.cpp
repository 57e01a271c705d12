#include "nets/training/fusion.h"

#include <cmath>

#include <gtest/gtest.h>

#include "nets/ensemble.h"

namespace clmnet::nets {
namespace {

TEST(BalancedThreshold, SeparatesWhereItCan) {
  const torch::Tensor truth = torch::tensor({0, 0, 0, 1, 1, 1});
  EXPECT_DOUBLE_EQ(balanced_threshold(torch::tensor({0.1, 0.2, 0.3, 0.7, 0.8, 0.9}), truth), 0.5);
  // All six are right at 0.15 only; the next threshold, two thirds against 1, is a third worse and one error is 0.327:
  // root of 2 (4/5 1/5) / 3.
  EXPECT_NEAR(balanced_threshold(torch::tensor({0.02, 0.05, 0.1, 0.2, 0.3, 0.4}), truth), 0.15, 1e-7);
  // One class only: nothing to choose from.
  EXPECT_DOUBLE_EQ(balanced_threshold(torch::tensor({0.1, 0.9}), torch::tensor({1, 1})), 0.5);
}

// A hundred images of each class. By hand: one positive lies below 0.5, so 0.5 has 1.99 and 0.3 has 2; one error is root of
// 2 (101/102 1/102) / 100 = 0.0139. With five below, 0.5 has 1.95, which is further off.
TEST(BalancedThreshold, OneImageMovesItNotFiveDo) {
  const auto with_low_positives = [](int low) {
    torch::Tensor p = torch::cat({torch::full({100}, 0.1), torch::full({100}, 0.9)});
    for (int i = 0; i < low; ++i) p[100 + i] = 0.4;
    const torch::Tensor truth = torch::cat({torch::zeros({100}), torch::ones({100})});
    return balanced_threshold(p, truth);
  };
  EXPECT_DOUBLE_EQ(with_low_positives(1), 0.5);
  EXPECT_NEAR(with_low_positives(5), 0.25, 1e-7);
}

TEST(BalancedThreshold, IsTheNearestToAHalfThatIsAsGood) {
  torch::manual_seed(4);
  for (int time = 0; time < 20; ++time) {
    const torch::Tensor truth = torch::randint(0, 2, {200}).to(torch::kFloat64);
    const torch::Tensor p = (truth * 0.3 + torch::rand({200}, torch::kFloat64) * (0.3 + 0.02 * time)).round(2);
    const double positives = truth.sum().item<double>(), negatives = 200 - positives;
    struct Rates {
      double score, error;
    };
    const auto rates_at = [&](double t) {
      const torch::Tensor said = p.ge(t).to(torch::kFloat64);
      const double hits = (said * truth).sum().item<double>(), alarms = (said * (1 - truth)).sum().item<double>();
      const double a = (hits + 1) / (positives + 2), b = (alarms + 1) / (negatives + 2);
      return Rates{hits / positives - alarms / negatives, std::sqrt(a * (1 - a) / positives + b * (1 - b) / negatives)};
    };
    const double chosen = balanced_threshold(p, truth);
    Rates best{-1, 0};
    for (double t = 0.9975; t > 0; t -= 0.005) {
      if (rates_at(t).score > best.score + 1e-12) best = rates_at(t);
    }
    EXPECT_GE(rates_at(chosen).score, best.score - best.error - 1e-12);
    for (double t = 0.0025; t < 1; t += 0.005) {
      const bool same = torch::equal(p.ge(t), p.ge(chosen));  // one threshold stands for all between two values
      if (!same && std::abs(t - 0.5) < std::abs(chosen - 0.5) - 0.006) {
        EXPECT_LT(rates_at(t).score, best.score - best.error) << t << " chosen " << chosen;
      }
    }
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
