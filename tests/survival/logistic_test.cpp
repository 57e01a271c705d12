#include "survival/logistic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "survival/logistic_penalised.h"

namespace clmnet::survival {
namespace {

Eigen::MatrixXd column(std::initializer_list<double> values) {
  Eigen::MatrixXd x(static_cast<Eigen::Index>(values.size()), 1);
  Eigen::Index i = 0;
  for (const double value : values) x(i++, 0) = value;
  return x;
}

// A 2 x 2 table, exposed 3 of 4 ill, others 1 of 4: log odds ratio log 9, its variance 1/3 + 1/1 + 1/1 + 1/3.
const Eigen::MatrixXd kExposed = column({1, 1, 1, 1, 0, 0, 0, 0});
const std::vector<std::uint8_t> kIll{1, 1, 1, 0, 1, 0, 0, 0};

TEST(Logistic, TwoByTwoTable) {
  const auto model = fit_logistic(kExposed, kIll);
  EXPECT_NEAR(model.coefficient[1], std::log(9.0), 1e-10);
  EXPECT_NEAR(model.coefficient[0], std::log(1.0 / 3), 1e-10);
  EXPECT_NEAR(model.std_err[1], std::sqrt(8.0 / 3), 1e-9);
  EXPECT_NEAR(model.null_deviance, -2 * 8 * std::log(0.5), 1e-10);
}

TEST(Logistic, WeightsAreCopies) {
  const Eigen::MatrixXd x = column({1, 1, 0, 0});
  LogisticOptions options;
  options.weights.resize(4);
  options.weights << 3, 1, 1, 3;
  const auto weighed = fit_logistic(x, {1, 0, 1, 0}, options);
  EXPECT_NEAR(weighed.coefficient[1], std::log(9.0), 1e-10);
  EXPECT_NEAR(weighed.std_err[1], std::sqrt(8.0 / 3), 1e-9);
}

// The limits of the profile: there the deviance has risen by the chi-squared quantile.
TEST(Logistic, ProfileLimitsLieOnTheQuantile) {
  const auto model = fit_logistic(kExposed, kIll);
  const auto interval = profile_interval(model, 1, kExposed, kIll, {}, 0.95);
  for (const double limit : {interval.lower, interval.upper}) {
    LogisticOptions held;
    held.offset = limit * kExposed.col(0);
    EXPECT_NEAR(fit_logistic(Eigen::MatrixXd(8, 0), kIll, held).deviance - model.deviance, 3.841458820694124, 1e-7);
  }
}

TEST(Logistic, SeparationIsReported) {
  const auto model = fit_logistic(column({1, 2, 3, 4}), {0, 0, 1, 1});
  EXPECT_TRUE(model.separated);
}

// glm(c(0, 0, 1, 1) ~ c(1, 2, 3, 4), binomial, control = glm.control(1e-14, 100)): no maximum; where R's steps end.
TEST(Logistic, SeparatedDataEndWhereRDoes) {
  const Eigen::MatrixXd x = column({1, 2, 3, 4});
  const std::vector<std::uint8_t> y{0, 0, 1, 1};
  LogisticOptions options;
  options.tolerance = 1e-14;
  options.max_iterations = 100;
  const auto model = fit_logistic(x, y, options);
  EXPECT_EQ(model.iterations, 32);
  EXPECT_NEAR(model.coefficient[0], -155.09703868857980, 1e-10);
  EXPECT_NEAR(model.coefficient[1], 62.03876505971218, 1e-10);
  EXPECT_NEAR(model.std_err[1] / 30011996.35935770, 1, 1e-10);
  EXPECT_NEAR(model.deviance, 1.77635683940025e-15, 1e-25);
  // A flat profile is not monotone; confint reads it off by ascending root.
  const auto interval = profile_interval_by_spline(model, 1, x, y, options, 0.95);
  EXPECT_NEAR(interval.lower / -3441725.236916143, 1, 1e-8);
  EXPECT_TRUE(std::isnan(interval.upper));
}

// The same with glm's own control: it calls 24 steps converged.
TEST(Logistic, SeparationTakesRsDefaultSteps) {
  const auto model = fit_logistic(column({1, 2, 3, 4}), {0, 0, 1, 1});
  EXPECT_EQ(model.iterations, 24);
  EXPECT_TRUE(model.converged);
  EXPECT_NEAR(model.coefficient[0], -118.174481224406378, 1e-10);
  EXPECT_NEAR(model.coefficient[1], 47.269792495290403, 1e-10);
}

// R's glm swings here and gives up at a deviance of 216; no coefficients at all have 50.7. The minimum is by optim.
TEST(Logistic, OvershootIsDoneAgainWithHalvedSteps) {
  LogisticOptions options;
  options.offset = Eigen::VectorXd{{9, -4, -8, -9, 1, -7}};
  const auto model = fit_logistic(column({-1, -1, -1, 3, 0, -1}), {1, 0, 1, 1, 0, 1}, options);
  EXPECT_TRUE(model.converged);
  EXPECT_NEAR(model.deviance, 27.7586985662782, 1e-9);
  EXPECT_NEAR(model.coefficient[0], 6.990119, 1e-5);
  EXPECT_NEAR(model.coefficient[1], 1.036315, 1e-5);
}

TEST(Logistic, OneClassOnlyHasNoDeviance) {
  const auto model = fit_logistic(column({1, 2, 4}), {1, 1, 1});
  EXPECT_EQ(model.null_deviance, 0);
  EXPECT_NEAR(model.deviance, 0, 1e-8);
  EXPECT_TRUE(model.separated);
}

TEST(Logistic, ColumnsThatEarlierOnesExplainHaveNoCoefficient) {
  Eigen::MatrixXd x(8, 3);
  x << kExposed, 2 - 3 * kExposed.array(), Eigen::VectorXd{{1, 4, 2, 6, 3, 3, 5, 1}};
  const auto model = fit_logistic(x, kIll);
  EXPECT_TRUE(std::isnan(model.coefficient[2]));
  EXPECT_TRUE(std::isnan(model.covariance(2, 3)));
  EXPECT_EQ(model.df(), 3);
  EXPECT_EQ(model.likelihood_ratio.df, 2);
  Eigen::MatrixXd without(8, 2);
  without << x.col(0), x.col(2);
  const auto alone = fit_logistic(without, kIll);
  EXPECT_NEAR(model.coefficient[1], alone.coefficient[1], 1e-12);
  EXPECT_NEAR(model.std_err[3], alone.std_err[2], 1e-12);
}

TEST(Logistic, ConstantCovariateHasNoCoefficient) {
  Eigen::MatrixXd x(8, 2);
  x << kExposed, Eigen::VectorXd::Constant(8, 7);
  const auto model = fit_logistic(x, kIll);
  EXPECT_TRUE(std::isnan(model.coefficient[2]));
  EXPECT_NEAR(model.coefficient[1], std::log(9.0), 1e-10);
  EXPECT_TRUE(std::isnan(profile_interval(model, 2, x, kIll, {}, 0.95).lower));
}

TEST(RidgeLogistic, GradientVanishesAtTheResult) {
  const std::vector<int> label{1, 1, 1, 0, 1, 0, 0, 0};
  const auto model = fit_ridge_logistic(kExposed, label);
  ASSERT_TRUE(model.converged);
  // x is +1/-1 once standardised: w = C * sum x (y - p), by symmetry the intercept is 0.
  const double w = model.coefficient(0, 0), p = 1 / (1 + std::exp(-w));
  EXPECT_NEAR(model.intercept[0], 0, 1e-10);
  EXPECT_NEAR(w, 3 - 4 * p + (4 * (1 - p) - 1), 1e-9);
}

TEST(RidgeLogistic, LargeSolverFindsTheSame) {
  RowMatrixF x(8, 1);
  const std::vector<int> label{1, 1, 1, 0, 1, 0, 0, 0};
  for (Eigen::Index i = 0; i < 8; ++i) x(i, 0) = kExposed(i, 0) > 0 ? 1.0f : -1.0f;
  EXPECT_NEAR(fit_ridge_logistic_large(x, label).objective, fit_ridge_logistic(kExposed, label).objective, 1e-6);
}

TEST(LassoLogistic, PathStartsAtZero) {
  Eigen::MatrixXd x(8, 2);
  x << kExposed, column({1, 0, 1, 0, 0, 1, 0, 1});
  const auto path = lasso_logistic_path(x, {1, 1, 1, 0, 1, 0, 0, 0});
  EXPECT_EQ(path.coefficient.col(0).cwiseAbs().maxCoeff(), 0);
  EXPECT_GT(path.coefficient(0, path.coefficient.cols() - 1), 0);
}

TEST(Logistic, RefusesBadInput) {
  EXPECT_THROW(fit_logistic(column({1, 2}), {1}), std::invalid_argument);
  EXPECT_THROW(fit_logistic(column({1, 2}), {1, 2}), std::invalid_argument);
  EXPECT_THROW(fit_logistic(column({1, std::numeric_limits<double>::infinity()}), {1, 0}), std::invalid_argument);
  LogisticOptions negative;
  negative.weights = Eigen::VectorXd::Constant(2, -1);
  EXPECT_THROW(fit_logistic(column({1, 2}), {1, 0}, negative), std::invalid_argument);
  EXPECT_THROW(fit_ridge_logistic(column({1, 2}), {1, 1}), std::invalid_argument);
  EXPECT_THROW(fit_ridge_logistic(column({1, 2, 3}), {0, 2, 0}), std::invalid_argument);
  PenalisedOptions none;
  none.inverse_strength = 0;
  EXPECT_THROW(fit_ridge_logistic(column({1, 2}), {0, 1}, none), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
