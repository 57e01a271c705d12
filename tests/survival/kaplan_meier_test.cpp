#include "survival/kaplan_meier.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace clmnet::survival {
namespace {

// Six patients, deaths / at risk: 1/6, 2/4, 1/1 (Therneau and Grambsch 2000, appendix).
TEST(KaplanMeier, TiedDeathsByHand) {
  const auto km = kaplan_meier({1, 1, 6, 6, 8, 9}, {1, 0, 1, 1, 0, 1});
  ASSERT_EQ(km.time, (std::vector<double>{1, 6, 8, 9}));
  EXPECT_DOUBLE_EQ(km.survival[1], 5.0 / 12);
  EXPECT_NEAR(km.std_err[1], 5.0 / 12 * std::sqrt(17.0 / 60), 1e-12);  // Greenwood
  EXPECT_DOUBLE_EQ(km.cumulative_hazard[1], 1.0 / 6 + 2.0 / 4);
  EXPECT_EQ(km.survival[3], 0);
  EXPECT_TRUE(std::isnan(km.std_err[3]));
  EXPECT_EQ(km.n_risk, (std::vector<std::uint32_t>{6, 4, 2, 1}));
}

TEST(KaplanMeier, TimesThatDriftByRoundingAreTied) {
  const auto km = kaplan_meier({0.1 + 0.2, 0.3, 1}, {1, 1, 1});
  ASSERT_EQ(km.time.size(), 2u);
  EXPECT_EQ(km.n_event[0], 2u);
  EXPECT_DOUBLE_EQ(evaluate(km, 0.3).survival, 1.0 / 3);
}

TEST(KaplanMeier, EventAtTimeZeroCounts) {
  const auto km = kaplan_meier({0, 0, 2}, {1, 0, 1});
  EXPECT_DOUBLE_EQ(evaluate(km, 0).survival, 2.0 / 3);
  EXPECT_EQ(evaluate(km, 0).n_risk, 3);
}

TEST(KaplanMeier, AllCensoredStaysAtOne) {
  const auto km = kaplan_meier({3, 5}, {0, 0});
  EXPECT_EQ(km.survival, (std::vector<double>{1, 1}));
  EXPECT_TRUE(std::isnan(event_time_quantile(km, 0.5, ConfidenceScale::log, 0.95).time));
  const auto band = survival_interval(1, 0, ConfidenceScale::log_log, 0.95);
  EXPECT_EQ(band.lower, 1);
  EXPECT_EQ(band.upper, 1);
}

// S is flat at exactly 1/2 between 2 and 4: the median is the middle of the stretch.
TEST(KaplanMeier, MedianOnAFlatStretch) {
  const auto km = kaplan_meier({1, 2, 4, 5}, {1, 1, 1, 1});
  EXPECT_DOUBLE_EQ(event_time_quantile(km, 0.5, ConfidenceScale::plain, 0.95).time, 3);
}

// Late entry: at 2 only the first and second are under observation, at 5 the second and third.
TEST(KaplanMeier, LateEntryByHand) {
  const auto km = kaplan_meier(Outcome{{2, 5, 7}, {1, 1, 0}, {0, 1, 3}});
  EXPECT_EQ(km.n_risk, (std::vector<std::uint32_t>{2, 2, 1}));
  EXPECT_DOUBLE_EQ(km.survival[1], 0.25);
  EXPECT_EQ(evaluate(km, 4).n_risk, 2);
}

// Exponential without censoring: the area under S up to the last time is the mean.
TEST(KaplanMeier, RestrictedMeanWithoutCensoringIsTheMean) {
  const auto km = kaplan_meier({1, 2, 3, 6}, {1, 1, 1, 1});
  const auto mean = restricted_mean(km, 100);
  EXPECT_DOUBLE_EQ(mean.mean, 3);
  EXPECT_DOUBLE_EQ(mean.tau, 6);
  EXPECT_NEAR(mean.std_err, std::sqrt(14.0 / 4 / 4), 1e-12);  // population variance / n
}

TEST(KaplanMeier, IntervalsByFormula) {
  const double s = 0.7, se = 0.1, z = 1.959963984540054;
  EXPECT_NEAR(survival_interval(s, se, ConfidenceScale::plain, 0.95).lower, s - z * se, 1e-12);
  EXPECT_NEAR(survival_interval(s, se, ConfidenceScale::log, 0.95).upper, std::min(1.0, s * std::exp(z * se / s)), 1e-12);
  const auto band = survival_interval(s, se, ConfidenceScale::log_log, 0.95);
  EXPECT_NEAR(band.lower, std::pow(s, std::exp(z * se / (s * -std::log(s)))), 1e-12);
  EXPECT_NEAR(band.upper, std::pow(s, std::exp(-z * se / (s * -std::log(s)))), 1e-12);
}

TEST(KaplanMeier, RefusesBadInput) {
  EXPECT_THROW(kaplan_meier({}, {}), std::invalid_argument);
  EXPECT_THROW(kaplan_meier({1, 2}, {1}), std::invalid_argument);
  EXPECT_THROW(kaplan_meier({-1}, {1}), std::invalid_argument);
  EXPECT_THROW(kaplan_meier({std::numeric_limits<double>::quiet_NaN()}, {1}), std::invalid_argument);
  EXPECT_THROW(kaplan_meier({std::numeric_limits<double>::infinity()}, {1}), std::invalid_argument);
  EXPECT_THROW(kaplan_meier({1}, {2}), std::invalid_argument);
  EXPECT_THROW(kaplan_meier(Outcome{{1}, {1}, {1}}), std::invalid_argument);
  EXPECT_THROW(kaplan_meier(Outcome{{1, 2}, {1, 1}, {0}}), std::invalid_argument);
  EXPECT_THROW(restricted_mean(kaplan_meier({1}, {1}), 0), std::invalid_argument);
  EXPECT_THROW(survival_interval(0.5, 0.1, ConfidenceScale::log, 1), std::invalid_argument);
  EXPECT_THROW(event_time_quantile(kaplan_meier({1}, {1}), 1, ConfidenceScale::log, 0.95), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
