#include "survival/log_rank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace clmnet::survival {
namespace {

using Kind = LogRankWeight::Kind;

// Two against two. Risk sets 4 (2 a), 3 (1 a), 2 (0 a) ...: E_a = 2/4 + 1/3, V = 1/4 + 2/9.
TEST(LogRank, TwoGroupsByHand) {
  const auto test = log_rank({{1, 2, 3, 4}, {1, 1, 1, 1}}, make_groups({"a", "a", "b", "b"}));
  EXPECT_DOUBLE_EQ(test.expected[0], 2.0 / 4 + 1.0 / 3);
  EXPECT_DOUBLE_EQ(test.variance(0, 0), 1.0 / 4 + 2.0 / 9);
  EXPECT_DOUBLE_EQ(test.chi_squared, std::pow(2 - 5.0 / 6, 2) / (17.0 / 36));
  EXPECT_EQ(test.df, 1);
}

TEST(LogRank, GroupWithoutEventsStaysIn) {
  const auto test = log_rank({{1, 2, 5, 5, 3, 4}, {1, 1, 0, 0, 1, 0}}, make_groups({"a", "a", "b", "b", "c", "c"}));
  EXPECT_EQ(test.df, 2);
  EXPECT_EQ(test.observed[1], 0);
  EXPECT_GT(test.expected[1], 0);
}

TEST(LogRank, UndefinedIsNotZero) {
  const auto censored = log_rank({{1, 2, 3}, {0, 0, 0}}, make_groups({"a", "b", "b"}));
  EXPECT_TRUE(std::isnan(censored.p));
  const auto single = log_rank({{1, 2, 3}, {1, 1, 0}}, one_group(3));
  EXPECT_TRUE(std::isnan(single.p));
  EXPECT_EQ(single.df, 0);
}

TEST(LogRank, TrendOfTwoGroupsIsTheTest) {
  LogRankOptions options;
  options.trend_scores = {{0, 1}};
  const auto test = log_rank({{1, 2, 3, 4, 5, 6}, {1, 1, 0, 1, 1, 1}}, make_groups({"a", "b", "a", "b", "a", "b"}), options);
  EXPECT_NEAR(test.trend_chi_squared, test.chi_squared, 1e-12);
}

// Identical strata: score and variance double.
TEST(LogRank, StrataAddUp) {
  const Outcome once{{1, 2, 3, 4}, {1, 0, 1, 1}};
  const auto single = log_rank(once, make_groups({"a", "b", "a", "b"}));
  LogRankOptions options;
  options.strata = make_groups({"x", "x", "x", "x", "y", "y", "y", "y"});
  const Outcome twice{{1, 2, 3, 4, 1, 2, 3, 4}, {1, 0, 1, 1, 1, 0, 1, 1}};
  const auto both = log_rank(twice, make_groups({"a", "b", "a", "b", "a", "b", "a", "b"}), options);
  EXPECT_DOUBLE_EQ(both.score[0], 2 * single.score[0]);
  EXPECT_DOUBLE_EQ(both.variance(0, 0), 2 * single.variance(0, 0));
}

TEST(LogRank, LateEntryFromTheStartChangesNothing) {
  const Groups groups = make_groups({"a", "b", "a", "b"});
  const auto plain = log_rank({{1, 2, 3, 4}, {1, 1, 0, 1}}, groups);
  const auto entered = log_rank({{1, 2, 3, 4}, {1, 1, 0, 1}, {0, 0, 0, 0}}, groups);
  EXPECT_DOUBLE_EQ(plain.chi_squared, entered.chi_squared);
}

// Equal hazards: p is uniform. 1000 draws; the Kolmogorov distance stays under the 1 in 1000 limit 1.95 / sqrt(n).
TEST(LogRank, PIsUniformWithoutAnEffect) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> exponential(1);
  const int draws = 1000, n = 200;
  std::vector<double> p;
  Groups groups = one_group(n);
  groups.labels = {"a", "b"};
  for (int i = 0; i < n; ++i) groups.code[static_cast<std::size_t>(i)] = i % 2;
  for (int draw = 0; draw < draws; ++draw) {
    Outcome outcome;
    for (int i = 0; i < n; ++i) {
      const double event = exponential(random), censored = exponential(random) * 2;
      outcome.time.push_back(std::min(event, censored));
      outcome.event.push_back(event <= censored);
    }
    p.push_back(log_rank(outcome, groups).p);
  }
  std::sort(p.begin(), p.end());
  double distance = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    distance = std::max(distance, std::abs(p[i] - (static_cast<double>(i) + 0.5) / draws));
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(draws));
}

TEST(LogRank, RefusesSizesThatDiffer) {
  const Outcome outcome{{1, 2}, {1, 1}};
  EXPECT_THROW(log_rank(outcome, one_group(3)), std::invalid_argument);
  LogRankOptions strata;
  strata.strata = one_group(1);
  EXPECT_THROW(log_rank(outcome, one_group(2), strata), std::invalid_argument);
  LogRankOptions trend;
  trend.trend_scores = {{1, 2, 3}};
  EXPECT_THROW(log_rank(outcome, one_group(2), trend), std::invalid_argument);
  EXPECT_THROW(log_rank({{1, -2}, {1, 1}}, one_group(2)), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
