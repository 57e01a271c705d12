#include "survival/cox_ridge.h"

#include <gtest/gtest.h>

#include <cmath>

#include "survival/random.h"

namespace clmnet::survival {
namespace {

struct Drawn {
  Eigen::MatrixXd x;
  Outcome outcome;
};

Drawn draw(Eigen::Index n, Eigen::Index p, std::uint64_t seed) {
  Random random(seed);
  Drawn data{Eigen::MatrixXd(n, p), {}};
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < p; ++j) data.x(i, j) = random.uniform() + random.uniform() - 1;
    data.outcome.time.push_back(-std::log(1 - random.uniform()) * std::exp(-2 * data.x(i, 0)));
    data.outcome.event.push_back(random.uniform() < 0.7);
  }
  return data;
}

// Deaths at 1 and 2 of three subjects with x = 1, 0, -1 (standardised: +-a, a = sqrt(3/2)):
// l'(w) = a [1 - (e - 1/e)/(e + 1 + 1/e)] + a [0 + (1/e)/(1 + 1/e)] with e = exp(a w), and l'(w)/3 = strength w.
TEST(RidgeCox, GradientByHand) {
  const Outcome outcome{{1, 2, 3}, {1, 1, 0}};
  const auto model = fit_ridge_cox(Eigen::Vector3d(1, 0, -1), outcome, 0.5);
  const double a = std::sqrt(1.5), w = model.coefficient[0], e = std::exp(a * w);
  EXPECT_NEAR(model.deviation[0], std::sqrt(2.0 / 3), 1e-15);
  const double gradient = a * (1 - (e - 1 / e) / (e + 1 + 1 / e)) + a * (1 / e) / (1 + 1 / e);
  EXPECT_NEAR(gradient / 3, 0.5 * w, 1e-9);
  EXPECT_GT(w, 0.1);
  EXPECT_TRUE(model.converged);
}

TEST(RidgeCox, NearlyNoPenaltyIsCoxRegression) {
  const auto data = draw(120, 3, 5);
  const auto ridge = fit_ridge_cox(data.x, data.outcome, 1e-10);
  const auto plain = fit_cox(data.x, data.outcome);
  for (Eigen::Index j = 0; j < 3; ++j) EXPECT_NEAR(ridge.coefficient[j] / ridge.deviation[j], plain.coefficient[j], 1e-6);
  const Eigen::VectorXd one = data.x.row(7);
  EXPECT_NEAR(ridge.predict_event(data.x, 0.8)[7], 1 - predicted_survival(plain, one, 0.8), 1e-6);
}

TEST(RidgeCox, AHeavyPenaltyLeavesTheBaseline) {
  const auto data = draw(80, 4, 6);
  const auto model = fit_ridge_cox(data.x, data.outcome, 1e6);
  EXPECT_LT(model.coefficient.cwiseAbs().maxCoeff(), 1e-5);
  const Eigen::VectorXd event = model.predict_event(data.x, 1);
  EXPECT_NEAR(event.maxCoeff(), event.minCoeff(), 1e-4);
}

// More columns than rows: repeating a column k times is the one column with a penalty k times smaller.
TEST(RidgeCox, WideDataByRepetition) {
  const auto data = draw(30, 1, 7);
  Eigen::MatrixXd wide(30, 60);
  for (Eigen::Index j = 0; j < 60; ++j) wide.col(j) = data.x.col(0);
  const auto many = fit_ridge_cox(wide, data.outcome, 6), one = fit_ridge_cox(data.x, data.outcome, 0.1);
  EXPECT_NEAR((many.predict(wide) - one.predict(data.x)).cwiseAbs().maxCoeff(), 0, 1e-8);
  EXPECT_NEAR(many.coefficient.sum(), one.coefficient[0], 1e-8);
}

TEST(RidgeCox, AConstantColumnCountsForNothing) {
  auto data = draw(40, 2, 8);
  data.x.col(1).setConstant(3);
  const auto model = fit_ridge_cox(data.x, data.outcome, 0.1);
  EXPECT_EQ(model.coefficient[1], 0);
  EXPECT_TRUE(std::isfinite(model.coefficient[0]));
}

TEST(RidgeCox, RejectsWhatItCannotFit) {
  auto data = draw(10, 2, 9);
  EXPECT_THROW(fit_ridge_cox(data.x, data.outcome, 0), std::invalid_argument);
  EXPECT_THROW(fit_ridge_cox(data.x, data.outcome, std::nan("")), std::invalid_argument);
  EXPECT_THROW(fit_ridge_cox(data.x.topRows(9), data.outcome, 1), std::invalid_argument);
  EXPECT_THROW(fit_ridge_cox(Eigen::MatrixXd(10, 0), data.outcome, 1), std::invalid_argument);
  Outcome nobody = data.outcome;
  nobody.event.assign(10, 0);
  EXPECT_THROW(fit_ridge_cox(data.x, nobody, 1), std::invalid_argument);
  data.x(3, 1) = std::nan("");
  EXPECT_THROW(fit_ridge_cox(data.x, data.outcome, 1), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
