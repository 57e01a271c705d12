// What intervals and p values promise, kept over 500 cohorts and more whose truth is known. Seeds are fixed: the counts are
// always the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "survival/cox.h"
#include "survival/distributions.h"
#include "survival/log_rank.h"
#include "tests/survival/simulated_cohort.h"

namespace clmnet::survival {
namespace {

constexpr int kDraws = 500;

Eigen::VectorXd effects(std::initializer_list<double> values) {
  Eigen::VectorXd result(static_cast<Eigen::Index>(values.size()));
  std::copy(values.begin(), values.end(), result.begin());
  return result;
}

Groups arms(const SimulatedCohort& cohort) {
  std::vector<std::string> label;
  for (const double arm : cohort.x.col(0)) label.push_back(arm > 0 ? "treated" : "control");
  return make_groups(label);
}

struct Recovered {
  Eigen::VectorXd covered, mean;   // share of intervals that hold the truth, mean estimate; by coefficient
};

Recovered recover(const Eigen::VectorXd& truth, Eigen::Index n, double censoring_rate, CoxTies ties, int draws) {
  Recovered result{Eigen::VectorXd::Zero(truth.size()), Eigen::VectorXd::Zero(truth.size())};
  CoxOptions options;
  options.ties = ties;
  options.with_concordance = false;
  const double z = normal_z(0.95);
  for (int draw = 0; draw < draws; ++draw) {
    const auto cohort = simulate_cohort(n, truth, censoring_rate, 1000 + static_cast<std::uint64_t>(draw));
    const auto model = fit_cox(cohort.x, cohort.outcome, options);
    for (Eigen::Index j = 0; j < truth.size(); ++j) {
      result.covered[j] += std::abs(model.coefficient[j] - truth[j]) <= z * model.std_err[j];
      result.mean[j] += model.coefficient[j];
    }
  }
  result.covered /= draws;
  result.mean /= draws;
  return result;
}

// 95 % +- 2: two standard errors of a share of 500.
TEST(Simulation, CoxIntervalsCoverTheTrueHazardRatio) {
  const auto truth = effects({std::log(0.6), 0.4, 0});
  const auto found = recover(truth, 240, 0.4, CoxTies::efron, kDraws);
  for (Eigen::Index j = 0; j < truth.size(); ++j) {
    EXPECT_NEAR(found.covered[j], 0.95, 0.02) << "coefficient " << j;
    EXPECT_NEAR(found.mean[j], truth[j], 0.03) << "coefficient " << j;
  }
}

// Four times as many draws halve the band.
TEST(Simulation, AlsoWithHeavyCensoring) {
  const auto truth = effects({std::log(2.0), -0.3});
  const auto found = recover(truth, 400, 3, CoxTies::breslow, 4 * kDraws);
  for (Eigen::Index j = 0; j < truth.size(); ++j) EXPECT_NEAR(found.covered[j], 0.95, 0.01) << "coefficient " << j;
}

/// Largest distance between the share of p values up to p and p (Kolmogorov and Smirnov).
double distance_from_uniform(std::vector<double> p) {
  std::sort(p.begin(), p.end());
  const double n = static_cast<double>(p.size());
  double largest = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    largest = std::max({largest, static_cast<double>(i + 1) / n - p[i], p[i] - static_cast<double>(i) / n});
  }
  return largest;
}

std::vector<double> log_rank_p_values(double log_hazard_ratio, LogRankWeight weight) {
  std::vector<double> p;
  LogRankOptions options;
  options.weight = weight;
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto cohort = simulate_cohort(120, effects({log_hazard_ratio}), 0.5, 5000 + static_cast<std::uint64_t>(draw));
    p.push_back(log_rank(cohort.outcome, arms(cohort), options).p);
  }
  return p;
}

TEST(Simulation, LogRankIsUniformWithoutEffect) {
  const double limit = 1.628 / std::sqrt(double{kDraws});   // exceeded once in a hundred sets of seeds
  EXPECT_LT(distance_from_uniform(log_rank_p_values(0, {})), limit);
  EXPECT_LT(distance_from_uniform(log_rank_p_values(0, {LogRankWeight::Kind::gehan})), limit);
  EXPECT_LT(distance_from_uniform(log_rank_p_values(0, {LogRankWeight::Kind::fleming_harrington, 0, 1})), limit);
}

// The same distance sees an effect, so that the test above is able to fail.
TEST(Simulation, LogRankIsNotUniformWithEffect) {
  EXPECT_GT(distance_from_uniform(log_rank_p_values(std::log(0.7), {})), 0.2);
}

}  // namespace
}  // namespace clmnet::survival
