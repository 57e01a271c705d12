#include "survival/roc_bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "survival/random.h"

namespace clmnet::survival {
namespace {

Scored drawn_scores(std::size_t n, double shift, std::uint64_t seed) {
  Random random(seed);
  Scored data;
  for (std::size_t i = 0; i < n; ++i) {
    data.positive.push_back(i % 2);
    data.score.push_back(random.uniform() + shift * static_cast<double>(i % 2));
  }
  return data;
}

TEST(RocBand, PerfectScoresHaveNoWidth) {
  const auto band = roc_band({{1, 1, 0, 0}, {4, 3, 2, 1}}, {});
  ASSERT_EQ(band.x.size(), 101U);
  for (std::size_t g = 0; g < band.x.size(); ++g) {
    EXPECT_EQ(band.lower[g], 1);
    EXPECT_EQ(band.upper[g], 1);
  }
  const auto recall = precision_recall_band({{1, 1, 0, 0}, {4, 3, 2, 1}}, {});
  EXPECT_EQ(recall.lower[50], 1);
}

// One tie of all scores: the curve is the diagonal, the precision the prevalence of each resample, 2/4 within classes.
TEST(RocBand, OneTieIsTheDiagonal) {
  const Scored tied{{1, 1, 0, 0}, {5, 5, 5, 5}};
  const auto band = roc_band(tied, {});
  EXPECT_DOUBLE_EQ(band.lower[25], 0.25);
  EXPECT_DOUBLE_EQ(band.upper[25], 0.25);
  EXPECT_DOUBLE_EQ(precision_recall_band(tied, {}).upper[70], 0.5);
}

TEST(RocBand, HoldsTheCurveAndRepeatsForASeed) {
  const Scored data = drawn_scores(200, 0.3, 4);
  const auto band = roc_band(data, {{}, 500, 7, 0.95}), again = roc_band(data, {{}, 500, 7, 0.95});
  EXPECT_EQ(band.lower, again.lower);
  const auto curve = roc_curve(data);
  for (std::size_t i = 0; i < curve.threshold.size(); ++i) {
    const auto g = static_cast<std::size_t>(std::lround(100 * curve.false_positive_rate[i]));
    if (std::abs(curve.false_positive_rate[i] - band.x[g]) > 1e-9) continue;
    EXPECT_LE(curve.true_positive_rate[i], band.upper[g] + 1e-9);
  }
  for (std::size_t g = 1; g < 101; ++g) EXPECT_LE(band.lower[g - 1], band.lower[g]);
}

TEST(RocBand, RejectsWhatIsNotThere) {
  const Scored data{{1, 0}, {1, 2}};
  EXPECT_THROW(roc_band(data, {{}, 0, 1, 0.95}), std::invalid_argument);
  EXPECT_THROW(roc_band(data, {{}, 10, 1, 1.5}), std::invalid_argument);
  EXPECT_THROW(roc_band(data, {one_group(3), 10, 1, 0.95}), std::invalid_argument);
  EXPECT_THROW(roc_band({{1, 0}, {1, std::nan("")}}, {}), std::invalid_argument);
}

// The whole sample is one patient: every resample is the sample itself.
TEST(RocBand, OnePatientIsNoSample) {
  const Scored data = drawn_scores(40, 0.2, 1);
  const auto band = roc_band(data, {one_group(40), 50, 1, 0.95});
  EXPECT_EQ(band.lower, band.upper);
}

TEST(AucDifference, SameScoresDifferByNothing) {
  const Scored data = drawn_scores(60, 0.3, 2);
  const auto difference = resampled_auc_difference(data, data, {{}, 200, 1, 0.95});
  EXPECT_EQ(difference.interval.lower, 0);
  EXPECT_EQ(difference.interval.upper, 0);
  EXPECT_EQ(difference.p, 1);
}

TEST(AucDifference, AgreesWithDelongWhereSubjectsAreIndependent) {
  const Scored a = drawn_scores(400, 0.5, 3), b = drawn_scores(400, 0.2, 9);
  const auto exact = compare_paired(a, b);
  const auto difference = resampled_auc_difference(a, b, {{}, 4000, 5, 0.95});
  EXPECT_NEAR(difference.interval.lower, exact.interval.lower, 0.01);
  EXPECT_NEAR(difference.interval.upper, exact.interval.upper, 0.01);
  EXPECT_LT(difference.p, 0.01);
  EXPECT_THROW(resampled_auc_difference(a, {std::vector<std::uint8_t>(400, 1), b.score}, {}), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
