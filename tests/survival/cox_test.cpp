#include "survival/cox.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>

#include <cmath>
#include <limits>
#include <random>

namespace clmnet::survival {
namespace {

Eigen::MatrixXd column(std::initializer_list<double> values) {
  Eigen::MatrixXd x(static_cast<Eigen::Index>(values.size()), 1);
  Eigen::Index i = 0;
  for (const double value : values) x(i++, 0) = value;
  return x;
}

// Therneau and Grambsch 2000, appendix E.1: six subjects, Breslow. l(b) = 2b - log(3r + 3) - 2 log(r + 3) with r = exp(b),
// r = 3 / sqrt(2) + ... is the root of r^2 - 9 r^0 ...; b = log((3 + sqrt(33)) / 2) = 1.475285.
const Outcome kBook{{1, 1, 6, 6, 8, 9}, {1, 0, 1, 1, 0, 1}};

TEST(Cox, BreslowTiesFromTheBook) {
  CoxOptions options;
  options.ties = CoxTies::breslow;
  const auto model = fit_cox(column({1, 1, 1, 0, 0, 0}), kBook, options);
  EXPECT_NEAR(model.coefficient[0], std::log((3 + std::sqrt(33.0)) / 2), 1e-10);
  EXPECT_NEAR(model.log_likelihood_null, -std::log(6.0) - 2 * std::log(4.0), 1e-12);
}

// Efron: l(b) = 2b - log(3r + 3) - log(r + 3) - log((r + 5) / 2), maximum at 1.676857 (book, E.1).
TEST(Cox, EfronTiesFromTheBook) {
  const auto model = fit_cox(column({1, 1, 1, 0, 0, 0}), kBook);
  const double r = std::exp(model.coefficient[0]);
  EXPECT_NEAR(model.coefficient[0], 1.676857, 1e-6);
  EXPECT_NEAR(model.log_likelihood, 2 * std::log(r) - std::log(3 * r + 3) - std::log(r + 3) - std::log((r + 5) / 2), 1e-10);
}

TEST(Cox, MartingaleResidualsSumToZeroAndScoreResidualsToTheScore) {
  const auto x = column({1, 1, 1, 0, 0, 0});
  for (const auto ties : {CoxTies::efron, CoxTies::breslow}) {
    CoxOptions options;
    options.ties = ties;
    const auto model = fit_cox(x, kBook, options);
    const auto residuals = cox_residuals(model, x, kBook, options);
    EXPECT_NEAR(residuals.martingale.sum(), 0, 1e-10);
    EXPECT_NEAR(residuals.score.sum(), 0, 1e-7);
    EXPECT_NEAR(residuals.schoenfeld.sum(), 0, 1e-7);
  }
}

struct Cohort {
  Eigen::MatrixXd x;
  Outcome outcome;
};

Cohort draw(std::mt19937_64& random, int n, const Eigen::VectorXd& beta, bool rounded) {
  std::normal_distribution<double> normal;
  std::exponential_distribution<double> exponential;
  Cohort cohort;
  cohort.x.resize(n, beta.size());
  for (int i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < beta.size(); ++j) cohort.x(i, j) = normal(random);
    const double time = exponential(random) / std::exp(cohort.x.row(i).dot(beta)), censored = 2 * exponential(random);
    const double seen = std::min(time, censored);
    cohort.outcome.time.push_back(rounded ? std::ceil(seen * 5) : seen);
    cohort.outcome.event.push_back(time <= censored);
  }
  return cohort;
}

// Risk sets written out for each death, Efron's average over the order of the tied.
double slow_log_likelihood(const Cohort& c, const Eigen::VectorXd& beta, CoxTies ties, const std::vector<double>& entry) {
  double value = 0;
  const Eigen::VectorXd eta = c.x * beta;
  const std::size_t n = c.outcome.size();
  for (std::size_t i = 0; i < n; ++i) {
    if (c.outcome.event[i] == 0) continue;
    const double t = c.outcome.time[i];
    double risk = 0, dying = 0, deaths = 0, before = 0;
    for (std::size_t j = 0; j < n; ++j) {
      if (c.outcome.time[j] < t || (!entry.empty() && entry[j] >= t)) continue;
      const double r = std::exp(eta[static_cast<Eigen::Index>(j)]);
      risk += r;
      if (c.outcome.time[j] == t && c.outcome.event[j] != 0) {
        dying += r;
        deaths += 1;
        if (j < i) before += 1;
      }
    }
    value += eta[static_cast<Eigen::Index>(i)] - std::log(risk - (ties == CoxTies::efron ? before / deaths * dying : 0.0));
  }
  return value;
}

TEST(Cox, MaximumOfTheSlowLikelihoodAlsoWithLateEntry) {
  std::mt19937_64 random(11);
  Eigen::VectorXd beta(2);
  beta << 0.5, -0.3;
  for (const auto ties : {CoxTies::efron, CoxTies::breslow}) {
    for (const bool late : {false, true}) {
      Cohort cohort = draw(random, 120, beta, true);
      if (late) {
        for (const double time : cohort.outcome.time) cohort.outcome.entry.push_back(std::floor(time * 0.4));
      }
      CoxOptions options;
      options.ties = ties;
      const auto model = fit_cox(cohort.x, cohort.outcome, options);
      ASSERT_TRUE(model.converged);
      const auto at = [&](double first, double second) {
        Eigen::VectorXd moved = model.coefficient;
        moved[0] += first;
        moved[1] += second;
        return slow_log_likelihood(cohort, moved, ties, cohort.outcome.entry);
      };
      const double h = 1e-3;
      EXPECT_NEAR(model.log_likelihood, at(0, 0), 1e-9);
      EXPECT_NEAR((at(h, 0) - at(-h, 0)) / (2 * h), 0, 1e-4);
      EXPECT_NEAR((at(0, h) - at(0, -h)) / (2 * h), 0, 1e-4);
      const Eigen::MatrixXd information = model.covariance.inverse();
      EXPECT_NEAR(-(at(h, 0) - 2 * at(0, 0) + at(-h, 0)) / (h * h), information(0, 0), 1e-3 * information(0, 0));
      const auto residuals = cox_residuals(model, cohort.x, cohort.outcome, options);
      EXPECT_NEAR(residuals.martingale.sum(), 0, 1e-8);
      EXPECT_LT(residuals.score.colwise().sum().norm(), 1e-6);
    }
  }
}

TEST(Cox, ConstantAndCollinearCovariatesAreReportedNotInvented) {
  std::mt19937_64 random(5);
  Cohort cohort = draw(random, 80, Eigen::VectorXd::Constant(1, 0.7), false);
  const auto alone = fit_cox(cohort.x, cohort.outcome);
  Eigen::MatrixXd wide(80, 3);
  wide.col(0) = cohort.x.col(0);
  wide.col(1).setConstant(4.2);
  wide.col(2) = 2 * cohort.x.col(0).array() + 1;
  const auto model = fit_cox(wide, cohort.outcome);
  EXPECT_NEAR(model.coefficient[0], alone.coefficient[0], 1e-10);
  EXPECT_TRUE(std::isnan(model.coefficient[1]));
  EXPECT_TRUE(std::isnan(model.coefficient[2]));
  EXPECT_EQ(model.df(), 1);
}

TEST(Cox, SeparationIsReported) {
  // Each death has the largest covariate of its risk set: the likelihood has no maximum.
  const auto model = fit_cox(column({6, 5, 4, 3, 2, 1}), {{1, 2, 3, 4, 5, 6}, {1, 1, 1, 1, 1, 1}});
  ASSERT_EQ(model.diverging.size(), 1u);
  EXPECT_NEAR(model.log_likelihood, 0, 1e-6);
}

TEST(Cox, WithoutEventsNothingIsEstimated) {
  const auto model = fit_cox(column({1, 2, 3}), {{1, 2, 3}, {0, 0, 0}});
  EXPECT_TRUE(std::isnan(model.coefficient[0]));
  EXPECT_FALSE(model.converged);
}

// Clusters of one: the sandwich is the sum of squared dfbetas.
TEST(Cox, RobustErrorOfSingletons) {
  std::mt19937_64 random(2);
  const Cohort cohort = draw(random, 60, Eigen::VectorXd::Constant(1, 0.4), true);
  CoxOptions options;
  options.clusters = one_group(60);
  options.clusters->labels.assign(60, "c");
  for (std::uint32_t i = 0; i < 60; ++i) options.clusters->code[i] = i;
  const auto model = fit_cox(cohort.x, cohort.outcome, options);
  const auto residuals = cox_residuals(model, cohort.x, cohort.outcome, options);
  EXPECT_NEAR((*model.robust_covariance)(0, 0), residuals.dfbeta.squaredNorm(), 1e-14);
}

// A known hazard ratio: the 95 % interval covers it in 95 % of 500 draws, within 3 binomial errors.
TEST(Cox, IntervalsCoverTheKnownHazardRatio) {
  std::mt19937_64 random(2026);
  Eigen::VectorXd beta(2);
  beta << std::log(2.0), 0;
  int covered = 0;
  const int draws = 500;
  CoxOptions options;
  options.with_concordance = false;
  for (int k = 0; k < draws; ++k) {
    const Cohort cohort = draw(random, 150, beta, false);
    const auto model = fit_cox(cohort.x, cohort.outcome, options);
    covered += std::abs(model.coefficient[0] - beta[0]) <= 1.959964 * model.std_err[0];
  }
  EXPECT_NEAR(static_cast<double>(covered) / draws, 0.95, 3 * std::sqrt(0.95 * 0.05 / draws));
}

TEST(Cox, RefusesBadInput) {
  EXPECT_THROW(fit_cox(column({1, 2}), {{1, 2, 3}, {1, 1, 1}}), std::invalid_argument);
  EXPECT_THROW(fit_cox(Eigen::MatrixXd(2, 0), {{1, 2}, {1, 1}}), std::invalid_argument);
  EXPECT_THROW(fit_cox(column({1, std::numeric_limits<double>::quiet_NaN()}), {{1, 2}, {1, 1}}), std::invalid_argument);
  EXPECT_THROW(fit_cox(column({1, 2}), {{1, -2}, {1, 1}}), std::invalid_argument);
  CoxOptions options;
  options.strata = one_group(3);
  EXPECT_THROW(fit_cox(column({1, 2}), {{1, 2}, {1, 1}}, options), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
