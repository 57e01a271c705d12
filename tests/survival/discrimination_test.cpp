#include "survival/discrimination.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace clmnet::survival {
namespace {

// Nobody is censored: one case (time 1) against two who outlive 1; its risk beats one of them.
TEST(DynamicAuc, WithoutCensoringByHand) {
  const auto curve = cumulative_dynamic_auc({{1, 2, 3}, {1, 1, 1}}, {2, 3, 1}, {1.5});
  EXPECT_DOUBLE_EQ(curve.value[0], 0.5);
  EXPECT_DOUBLE_EQ(curve.mean, 0.5);
}

// Censored at 1 of four: G falls to 3/4 there, so the case at 2 counts 4/3 and the case at 0.5 counts 1.
TEST(DynamicAuc, CasesAreWeighedByHand) {
  const Outcome outcome{{0.5, 1, 2, 3, 3}, {1, 0, 1, 0, 0}};
  const auto curve = cumulative_dynamic_auc(outcome, {5, 0, 1, 2, 0.5}, {2.5});
  EXPECT_NEAR(curve.value[0], (1.0 * 2 + 4.0 / 3 * 1) / ((1 + 4.0 / 3) * 2), 1e-12);
}

TEST(DynamicAuc, UndefinedWithoutCasesOrControls) {
  const Outcome outcome{{1, 2, 3}, {1, 1, 0}};
  const auto curve = cumulative_dynamic_auc(outcome, {1, 2, 3}, {0.5, 3.5});
  EXPECT_TRUE(std::isnan(curve.value[0]));
  EXPECT_TRUE(std::isnan(curve.value[1]));
}

TEST(Brier, WithoutCensoringIsTheMeanSquare) {
  Eigen::MatrixXd survival(2, 2);
  survival << 0.2, 0.1, 0.9, 0.6;
  const auto score = brier_score({{1, 3}, {1, 1}}, survival, {1, 2});
  EXPECT_NEAR(score.value[0], (0.04 + 0.01) / 2, 1e-15);
  EXPECT_NEAR(score.integrated, ((0.04 + 0.01) / 2 + (0.01 + 0.16) / 2) / 2, 1e-15);
}

// The two conventions differ exactly where an event and a censoring share a time.
TEST(Brier, ConventionsDifferAtTiedCensoring) {
  const Outcome outcome{{1, 1, 2, 3}, {1, 0, 1, 0}};
  const Eigen::MatrixXd survival = Eigen::MatrixXd::Constant(4, 1, 0.5);
  const double r = brier_score(outcome, survival, {1}).value[0];
  const double scikit = brier_score(outcome, survival, {1}, {IpcwConvention::scikit_survival, 0.95}).value[0];
  // G(1-) = 1, G(1) = 2/3 (the one who dies is no longer at risk of being censored).
  EXPECT_NEAR(r, (0.25 + 2 * 0.25 * 1.5) / 4, 1e-15);
  EXPECT_NEAR(scikit, (0.25 * 1.5 + 2 * 0.25 * 1.5) / 4, 1e-15);
}

// The error of the AUC covers: two normal scores, 400 draws of 200; the truth from one draw of 200,000.
TEST(DynamicAuc, IntervalCovers) {
  std::mt19937_64 random(9);
  std::normal_distribution<double> normal;
  std::exponential_distribution<double> exponential;
  const auto sample = [&](int n, std::vector<double>& risk) {
    Outcome outcome;
    for (int i = 0; i < n; ++i) {
      risk.push_back(normal(random));
      const double event = exponential(random) / std::exp(0.8 * risk.back()), censored = exponential(random) * 2;
      outcome.time.push_back(std::min(event, censored));
      outcome.event.push_back(event <= censored);
    }
    return outcome;
  };
  std::vector<double> many;
  const Outcome large = sample(200000, many);
  const double truth = cumulative_dynamic_auc(large, many, {0.7}).value[0];
  int covered = 0;
  const int draws = 400;
  for (int k = 0; k < draws; ++k) {
    std::vector<double> risk;
    const Outcome outcome = sample(200, risk);
    const auto curve = cumulative_dynamic_auc(outcome, risk, {0.7});
    covered += curve.lower[0] <= truth && truth <= curve.upper[0];
  }
  EXPECT_NEAR(static_cast<double>(covered) / draws, 0.95, 3 * std::sqrt(0.95 * 0.05 / draws));
}

TEST(Calibration, GroupsByPrediction) {
  const auto groups = survival_calibration({{1, 2, 3, 4}, {1, 1, 1, 1}}, {0.1, 0.2, 0.8, 0.9}, 2.5, 2);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_NEAR(groups[0].predicted, 0.15, 1e-15);
  EXPECT_EQ(groups[0].observed, 0);
  EXPECT_EQ(groups[1].observed, 1);
}

// Two of four have the event; those two are treated at a threshold of one half: 2/4 - 0.
TEST(DecisionCurve, ByHand) {
  const auto curve = decision_curve({{1, 1, 5, 5}, {1, 1, 1, 1}}, {0.9, 0.8, 0.2, 0.1}, 2, {0.5});
  EXPECT_DOUBLE_EQ(curve[0].net_benefit, 0.5);
  EXPECT_DOUBLE_EQ(curve[0].net_benefit_all, 0.0);
}

TEST(Discrimination, RefusesBadInput) {
  const Outcome outcome{{1, 2}, {1, 0}};
  EXPECT_THROW(cumulative_dynamic_auc(outcome, {1}, {1}), std::invalid_argument);
  EXPECT_THROW(cumulative_dynamic_auc(outcome, {1, 2}, {}), std::invalid_argument);
  EXPECT_THROW(cumulative_dynamic_auc(outcome, {1, 2}, {2, 1}), std::invalid_argument);
  EXPECT_THROW(cumulative_dynamic_auc(outcome, {1, std::numeric_limits<double>::infinity()}, {1}), std::invalid_argument);
  EXPECT_THROW(brier_score(outcome, Eigen::MatrixXd::Constant(2, 1, 1.5), {1}), std::invalid_argument);
  EXPECT_THROW(brier_score(outcome, Eigen::MatrixXd::Constant(2, 2, 0.5), {1}), std::invalid_argument);
  EXPECT_THROW(survival_calibration(outcome, {0.5, 0.5}, 1, 3), std::invalid_argument);
  EXPECT_THROW(decision_curve(outcome, {0.5, 0.5}, 1, {0}), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
