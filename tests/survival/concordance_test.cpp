#include "survival/concordance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace clmnet::survival {
namespace {

// Pairs: 1 before 2 (right), 1 before 3 (right), 2 before 3 (wrong); the third is censored, so it starts no pair.
TEST(Concordance, ThreePatientsByHand) {
  const auto result = concordance({{1, 2, 3}, {1, 1, 0}}, {3, 1, 2});
  EXPECT_EQ(result.concordant, 2);
  EXPECT_EQ(result.discordant, 1);
  EXPECT_DOUBLE_EQ(result.c, 2.0 / 3);
}

TEST(Concordance, CensoredAtAnEventTimeOutlivesIt) {
  const auto result = concordance({{2, 2}, {1, 0}}, {1, 0});
  EXPECT_EQ(result.concordant, 1);
  EXPECT_EQ(result.event_censored_at_one_time, 1);
}

TEST(Concordance, NoPairIsUndefined) {
  EXPECT_TRUE(std::isnan(concordance({{1, 2}, {0, 0}}, {1, 2}).c));
  EXPECT_TRUE(std::isnan(concordance({{1, 1}, {1, 1}}, {1, 2}).c));
}

// Every pair looked at, and the error by leaving the definition of the influence to its sums: slow and obvious.
Concordance all_pairs(const Outcome& o, const std::vector<double>& risk) {
  const std::size_t n = o.size();
  Concordance result;
  std::vector<double> difference(n, 0), pairs(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (o.event[i] == 0 || !(o.time[i] < o.time[j] || (o.time[i] == o.time[j] && o.event[j] == 0))) continue;
      if (!o.entry.empty() && o.entry[j] >= o.time[i]) continue;
      const double sign = risk[i] > risk[j] ? 1 : risk[i] < risk[j] ? -1 : 0;
      (sign > 0 ? result.concordant : sign < 0 ? result.discordant : result.tied_risk) += 1;
      for (const auto k : {i, j}) {
        difference[k] += sign;
        pairs[k] += 1;
      }
    }
  }
  const double all = result.concordant + result.discordant + result.tied_risk;
  const double d = (result.concordant - result.discordant) / all;
  result.c = (d + 1) / 2;
  for (std::size_t i = 0; i < n; ++i) result.std_err += std::pow((difference[i] - pairs[i] * d) / (2 * all), 2);
  result.std_err = std::sqrt(result.std_err);
  return result;
}

TEST(Concordance, AgreesWithLookingAtEveryPair) {
  std::mt19937_64 random(3);
  for (int draw = 0; draw < 20; ++draw) {
    Outcome outcome;
    std::vector<double> risk;
    for (int i = 0; i < 120; ++i) {
      outcome.time.push_back(static_cast<double>(random() % 20 + draw % 2));
      if (draw % 2) outcome.entry.push_back(static_cast<double>(random() % static_cast<std::uint64_t>(outcome.time.back())));
      outcome.event.push_back(random() % 3 != 0);
      risk.push_back(static_cast<double>(random() % 10));
    }
    const auto fast = concordance(outcome, risk), slow = all_pairs(outcome, risk);
    EXPECT_EQ(fast.concordant, slow.concordant);
    EXPECT_EQ(fast.discordant, slow.discordant);
    EXPECT_EQ(fast.tied_risk, slow.tied_risk);
    EXPECT_NEAR(fast.std_err, slow.std_err, 1e-12);
  }
}

TEST(Concordance, RefusesBadInput) {
  const Outcome outcome{{1, 2}, {1, 1}};
  EXPECT_THROW(concordance(outcome, {1}), std::invalid_argument);
  EXPECT_THROW(concordance(outcome, {1, std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
  ConcordanceOptions weighted;
  weighted.inverse_censoring_weights = true;
  EXPECT_THROW(concordance({{1, 2}, {1, 1}, {0, 0}}, {1, 2}, weighted), std::invalid_argument);
  weighted.convention = IpcwConvention::scikit_survival;
  // The last subject is censored together with the last event: G is 0 there.
  EXPECT_THROW(concordance({{1, 2, 2}, {1, 1, 0}}, {1, 2, 3}, weighted), std::invalid_argument);
  ConcordanceOptions strata;
  strata.strata = one_group(3);
  EXPECT_THROW(concordance(outcome, {1, 2}, strata), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
