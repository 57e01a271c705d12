#include "survival/cox_by_deaths.h"

#include <gtest/gtest.h>

#include <cmath>

#include "survival/cox.h"
#include "survival/random.h"

namespace clmnet::survival {
namespace {

struct Study {
  Eigen::MatrixXd x;
  Outcome outcome;
  Groups strata;
};

/// Many ties in time, `strata` groups; column 0 is binary, the last one constant.
Study tied_study(int n, int p, std::uint32_t strata) {
  Random random(11);
  Study study{Eigen::MatrixXd(n, p), {}, {}};
  for (std::uint32_t s = 0; s < strata; ++s) study.strata.labels.push_back(std::to_string(s));
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < p; ++j) study.x(i, j) = j == 0 ? random.below(2) : 10 * random.uniform() - 3;
    study.x(i, p - 1) = 0.1;
    study.outcome.time.push_back(random.below(12));
    study.outcome.event.push_back(random.below(3) > 0);
    study.strata.code.push_back(random.below(strata));
  }
  return study;
}

// The fast sum and the one in R's order are two ways to one number.
TEST(CoxByDeaths, AgreesWithTheFastLikelihood) {
  for (const CoxTies ties : {CoxTies::efron, CoxTies::breslow}) {
    for (const std::uint32_t strata : {1u, 3u}) {
      const Study study = tied_study(60, 4, strata);
      const CoxByDeaths slow(study.x, study.outcome, &study.strata, ties);
      const Eigen::VectorXd beta{{0.4, -0.3, 0.2, 0.7}};
      const Eigen::MatrixXd scaled = study.x * slow.scale().asDiagonal();
      const CoxLikelihood fast(scaled, study.outcome, &study.strata, ties);
      const auto a = slow.evaluate(beta), b = fast.evaluate(beta, true);
      EXPECT_NEAR(a.log_likelihood, b.log_likelihood, 1e-11);
      EXPECT_NEAR((a.gradient - b.gradient).norm(), 0, 1e-11);
      EXPECT_NEAR((a.information - b.information).norm(), 0, 1e-10);
    }
  }
}

// Three subjects, all die, no covariate has a coefficient: log 1/3 + log 1/2 + log 1.
TEST(CoxByDeaths, NullLikelihoodByHand) {
  const CoxByDeaths likelihood(Eigen::VectorXd{{0, 1, 1}}, {{1, 2, 3}, {1, 1, 1}}, nullptr, CoxTies::efron);
  const auto value = likelihood.evaluate(Eigen::VectorXd::Zero(1));
  EXPECT_DOUBLE_EQ(value.log_likelihood, -std::log(6.0));
  EXPECT_NEAR(value.gradient[0], -2.0 / 3, 1e-15);          // 0 - 2/3, then 1 - 1, then 1 - 1
  EXPECT_NEAR(value.information(0, 0), 2.0 / 9, 1e-15);     // 2/3 * 1/3
}

TEST(CoxByDeaths, ScalesLikeR) {
  Eigen::MatrixXd x(4, 3);
  x << -1, 2, 5, 0, 4, 5, 1, 6, 5, 1, 8, 5;
  const CoxByDeaths likelihood(x, {{1, 2, 3, 4}, {1, 0, 1, 0}}, nullptr, CoxTies::efron);
  EXPECT_EQ(likelihood.scale()[0], 1);     // only -1, 0 and 1
  EXPECT_DOUBLE_EQ(likelihood.scale()[1], 0.5);
  EXPECT_EQ(likelihood.scale()[2], 1);     // constant
}

Eigen::MatrixXd six_by_seven() {
  Eigen::MatrixXd x(6, 7);
  x << 3, 2, 9, 8, 3, 9, 4,
       1, 6, 7, 4, 3, 5, 1,
       4, 5, 9, 6, 8, 0, 9,
       1, 3, 3, 2, 3, 2, 7,
       5, 5, 2, 6, 2, 8, 1,
       9, 8, 3, 4, 7, 8, 6;
  return x;
}

// coxph(Surv(c(1, 2, 2, 4, 5, 6), c(1, 1, 1, 0, 1, 1)) ~ x, control = coxph.control(eps = 1e-14)): seven covariates for six
// subjects. R leaves after 20 steps; columns that never moved have the coefficient 0.
TEST(CoxByDeaths, WideDataEndWhereRDoes) {
  const Outcome outcome{{1, 2, 2, 4, 5, 6}, {1, 1, 1, 0, 1, 1}};
  Eigen::VectorXd efron(7), breslow(7);
  efron << -0.632294162434657, -1.35451600591362, 5.32916825252727, 2.16064900947646, -2.88745360852342, 0, 0;
  breslow << -0.585044570285614, -1.41340556727668, 5.28337451187521, 2.12960067280216, -2.89684444515491, 0, 0;
  CoxOptions options;
  const auto model = fit_cox(six_by_seven(), outcome, options);
  EXPECT_FALSE(model.converged);
  EXPECT_NEAR((model.coefficient - efron).norm(), 0, 1e-9);
  EXPECT_NEAR(model.log_likelihood, -0.693147185023633, 1e-12);
  EXPECT_EQ(model.df(), 7);
  options.ties = CoxTies::breslow;
  EXPECT_NEAR((fit_cox(six_by_seven(), outcome, options).coefficient - breslow).norm(), 0, 1e-9);
}

// coxph(Surv(c(3, 5), c(1, 0)) ~ c(0.5, 0.1) + c(0, 1)): one pair, two covariates. The second moves once the first is flat.
TEST(CoxByDeaths, OnePairEndsWhereRDoes) {
  Eigen::MatrixXd x(2, 2);
  x << 0.5, 0, 0.1, 1;
  const auto model = fit_cox(x, {{3, 5}, {1, 0}});
  EXPECT_NEAR(model.coefficient[0], 50.9286182512677, 1e-9);
  EXPECT_NEAR(model.coefficient[1], -0.831447477290589, 1e-9);
  EXPECT_EQ(model.likelihood_ratio.df, 2);
  EXPECT_NEAR(model.likelihood_ratio.p, 0.5000000003095062, 1e-12);
  EXPECT_FALSE(model.diverging.empty());
}

// Only the first to die has z = 1: its coefficient runs away until nothing of its information is left, and R prints NA for it, but
// linear predictor, residuals and concordance hold what it had reached.
// coxph(Surv(time, event) ~ x + z, ties = "breslow", control = coxph.control(eps = 1e-14)), cox.zph(f, transform = "identity")
TEST(CoxByDeaths, WhatRanAwayCountsInResiduals) {
  const Outcome outcome{{48, 28, 49, 67, 101, 11, 64, 16, 1}, {0, 1, 1, 1, 0, 1, 1, 1, 1}};
  Eigen::MatrixXd x(9, 2);
  x << -1, 0, .6, 0, -2.1, 0, .9, 0, .5, 0, -.5, 0, 2.7, 0, .2, 0, .7, 1;
  CoxOptions options;
  options.ties = CoxTies::breslow;
  const auto model = fit_cox(x, outcome, options);
  EXPECT_NEAR(model.coefficient[0], -0.1466035758650537, 1e-12);
  EXPECT_TRUE(std::isnan(model.coefficient[1]));
  EXPECT_NEAR(model.reached[1], 27.014782778258389667 + 0.1466035758650537 * (0.7 - 2.0 / 9), 1e-9);
  EXPECT_EQ(model.df(), 1);
  EXPECT_DOUBLE_EQ(model.concordance->c, 0.6875);
  const auto residuals = cox_residuals(model, x, outcome, options);
  EXPECT_NEAR(residuals.martingale[0], -0.5094781559548486, 1e-12);
  EXPECT_NEAR(residuals.martingale[8], 1.523015047411036e-11, 1e-15);
  const auto tested = test_proportional_hazards(model, x, outcome, options, TimeTransform::identity);
  ASSERT_EQ(tested.test.size(), 2u);
  EXPECT_NEAR(tested.test[0].chi_squared, 0.1243813745235906, 1e-10);
}

// Order of death is order of x, no maximum: of the 2nd subject R says 1, of the last 0 or 1, never in between.
TEST(CoxByDeaths, PredictedSurvivalOfSeparatedDataIsZeroOrOne) {
  const Outcome outcome{{1, 2, 3, 4}, {1, 1, 1, 1}};
  const Eigen::VectorXd x{{40, 30, 20, 10}};
  const auto model = fit_cox(x, outcome);
  EXPECT_EQ(predicted_survival(model, Eigen::VectorXd{{10}}, 2.5), 1);
  EXPECT_NEAR(predicted_survival(model, Eigen::VectorXd{{40}}, 2.5), 0, 1e-12);
}

// Score of the covariate times time, and information, where all hazards are 1 and every covariate 0 or 1 (three subjects die at
// 1, 2, 3 with x = 0, 1, 1; g = -1, 0, 1): x - mean is -2/3, 0, 0, the variance 2/9, 0, 0.
TEST(CoxByDeaths, TimedScoreByHand) {
  const Eigen::VectorXd x{{0, 1, 1}};
  const auto score = timed_score(x, {{1, 2, 3}, {1, 1, 1}}, nullptr, CoxTies::efron, Eigen::VectorXd::Zero(3), {-1, 0, 1});
  EXPECT_NEAR(score.gradient[0], 2.0 / 3, 1e-15);
  EXPECT_NEAR((score.information - 2.0 / 9 * Eigen::MatrixXd{{1, -1}, {-1, 1}}).norm(), 0, 1e-15);
}

}  // namespace
}  // namespace clmnet::survival
