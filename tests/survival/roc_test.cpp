#include "survival/roc.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "survival/binary_metrics.h"

namespace clmnet::survival {
namespace {

// Positives 3, 2 against negatives 2, 1: pairs 3>2, 3>1, 2=2, 2>1 give 3.5 of 4.
const Scored kFour{{1, 0, 1, 0}, {3, 2, 2, 1}};

TEST(Auc, TiesCountHalf) {
  EXPECT_DOUBLE_EQ(auc(kFour), 3.5 / 4);
  EXPECT_DOUBLE_EQ(delong(kFour).auc, 3.5 / 4);
}

// V10 = (1, 3/4), V01 = (3/4, 1): each has variance 1/32, so the AUC has 1/64 + 1/64.
TEST(Delong, VarianceByHand) { EXPECT_DOUBLE_EQ(delong(kFour).variance, 1.0 / 32); }

TEST(Delong, PerfectScoresHaveNoVariance) {
  const auto perfect = delong({{1, 1, 0, 0}, {4, 3, 2, 1}});
  EXPECT_EQ(perfect.auc, 1);
  EXPECT_EQ(perfect.variance, 0);
  EXPECT_EQ(perfect.interval(0.95).lower, 1);
}

TEST(Auc, OneClassIsUndefined) {
  EXPECT_TRUE(std::isnan(auc({{1, 1}, {1, 2}})));
  EXPECT_TRUE(std::isnan(delong({{0, 0}, {1, 2}}).variance));
}

TEST(Delong, TheSameScoreTwiceDoesNotDiffer) {
  const auto same = compare_paired(kFour, kFour);
  EXPECT_EQ(same.statistic, 0);
  EXPECT_EQ(same.p, 1);
}

TEST(RocCurve, ByHand) {
  const auto curve = roc_curve(kFour);
  EXPECT_EQ(curve.true_positive_rate, (std::vector<double>{0, 0.5, 1, 1}));
  EXPECT_EQ(curve.false_positive_rate, (std::vector<double>{0, 0, 0.5, 1}));
  EXPECT_TRUE(std::isinf(curve.threshold[0]));
}

TEST(PartialAuc, WholeIsTheAuc) { EXPECT_DOUBLE_EQ(partial_auc(kFour, 1).area, auc(kFour)); }

TEST(Bootstrap, SameForASeedAndWholeClusters) {
  const Scored data{{1, 1, 0, 0, 1, 0}, {6, 5, 4, 3, 2, 1}};
  const auto a = bootstrap_auc(data, BootstrapUnit::subject, {}, 200, 3),
             b = bootstrap_auc(data, BootstrapUnit::subject, {}, 200, 3);
  EXPECT_EQ(a.lower, b.lower);
  EXPECT_EQ(a.upper, b.upper);
  // One cluster: each resample is the data themselves.
  const auto one = bootstrap_auc(data, BootstrapUnit::cluster, one_group(6), 50, 3);
  EXPECT_DOUBLE_EQ(one.lower, auc(data));
  EXPECT_DOUBLE_EQ(one.upper, auc(data));
}

// Wilson 1927 and Clopper and Pearson 1934 for 0 of 10: [0, 0.2775] and [0, 1 - 0.025^(1/10)].
TEST(Proportion, NoneOfTen) {
  const auto p = proportion(0, 10);
  EXPECT_EQ(p.wilson.lower, 0);
  EXPECT_NEAR(p.wilson.upper, 0.2775328, 1e-7);
  EXPECT_NEAR(p.exact.upper, 1 - std::pow(0.025, 0.1), 1e-12);
}

// 6 against 2 discordant: 2 * (1 + 8 + 28) / 256.
TEST(McNemar, ExactByHand) {
  std::vector<std::uint8_t> first(8, 0), second(8, 1);
  for (int i = 0; i < 6; ++i) std::swap(first[static_cast<std::size_t>(i)], second[static_cast<std::size_t>(i)]);
  const auto test = mcnemar(first, second);
  EXPECT_EQ(test.only_first, 6u);
  EXPECT_DOUBLE_EQ(test.exact_p, 2 * 37.0 / 256);
  EXPECT_DOUBLE_EQ(test.chi_squared, 2);
  EXPECT_DOUBLE_EQ(test.corrected_chi_squared, 9.0 / 8);
}

TEST(Confusion, ByHand) {
  const auto table = confusion({{1, 1, 0, 0}, {0.9, 0.2, 0.6, 0.1}}, 0.5);
  EXPECT_EQ(table.true_positive, 1u);
  EXPECT_EQ(table.false_positive, 1u);
  EXPECT_DOUBLE_EQ(table.f1, 0.5);
  EXPECT_DOUBLE_EQ(table.matthews, 0);
  EXPECT_DOUBLE_EQ(table.net_benefit, 0);
}

TEST(Roc, RefusesBadInput) {
  EXPECT_THROW(auc({{1}, {1, 2}}), std::invalid_argument);
  EXPECT_THROW(auc({{}, {}}), std::invalid_argument);
  EXPECT_THROW(auc({{2}, {1}}), std::invalid_argument);
  EXPECT_THROW(auc({{1}, {std::numeric_limits<double>::quiet_NaN()}}), std::invalid_argument);
  EXPECT_THROW(partial_auc(kFour, 0), std::invalid_argument);
  EXPECT_THROW(compare_paired(kFour, {{0, 1, 0, 1}, {1, 2, 3, 4}}), std::invalid_argument);
  EXPECT_THROW(bootstrap_auc(kFour, BootstrapUnit::cluster, {}, 10, 1), std::invalid_argument);
  EXPECT_THROW(bootstrap_auc(kFour, BootstrapUnit::subject, {}, 0, 1), std::invalid_argument);
  EXPECT_THROW(probability_scores(kFour), std::invalid_argument);
  EXPECT_THROW(proportion(2, 1), std::invalid_argument);
  EXPECT_THROW(mcnemar({1}, {1, 0}), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
