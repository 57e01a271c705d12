#include "survival/froc_bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>

namespace clmnet::survival {
namespace {

/// Two readers, four cases of which two have one lesion each; reader r1 finds both, r2 one with a false mark before it.
FrocStudy study() {
  return make_froc_study({{"a", {1.0}}, {"b", {1.0}}, {"c", {}}, {"d", {}}},
                         {{"A", "r1", "a", 1, 2}, {"A", "r1", "b", 1, 1}, {"A", "r2", "c", 0, 3}, {"A", "r2", "a", 1, 2}});
}

TEST(MeanFroc, ByHand) {
  const auto points = mean_sensitivity(study(), 0, {0, 0.25, 1}, FrocInterpolation::step);
  EXPECT_DOUBLE_EQ(points[0].value, 0.5);    // r1 finds both without a false mark, r2 none
  EXPECT_DOUBLE_EQ(points[1].value, 0.75);   // one false mark on four cases: r2 finds one
  EXPECT_DOUBLE_EQ(points[2].value, 0.75);
  const auto curve = mean_froc_curve(study(), 0);
  EXPECT_EQ(curve.nlf, (std::vector<double>{0, 0.25}));
  EXPECT_EQ(curve.llf, (std::vector<double>{0.5, 0.75}));
}

TEST(MeanFroc, IntervalsHoldTheEstimateAndRepeat) {
  const auto points = mean_sensitivity(study(), 0, {0.25}, FrocInterpolation::step, {400, 3, 0.95});
  EXPECT_LE(points[0].lower, 0.75);
  EXPECT_GE(points[0].upper, 0.75);
  EXPECT_GT(points[0].upper, points[0].lower);
  EXPECT_EQ(mean_sensitivity(study(), 0, {0.25}, FrocInterpolation::step, {400, 3, 0.95})[0].lower, points[0].lower);
}

TEST(MeanFroc, NoLesionsNoSensitivity) {
  const auto none = make_froc_study({{"c", {}}}, {{"A", "r1", "c", 0, 3}});
  const auto points = mean_sensitivity(none, 0, {1}, FrocInterpolation::step, {20, 1, 0.95});
  EXPECT_TRUE(std::isnan(points[0].value));
  EXPECT_TRUE(std::isnan(points[0].lower));
}

TEST(MeanFroc, RejectsRatesAndOptions) {
  EXPECT_THROW(mean_sensitivity(study(), 0, {-1}, FrocInterpolation::step), std::invalid_argument);
  EXPECT_THROW(mean_sensitivity(study(), 0, {std::nan("")}, FrocInterpolation::step), std::invalid_argument);
  EXPECT_THROW(mean_sensitivity(study(), 0, {1}, FrocInterpolation::step, {0, 1, 0.95}), std::invalid_argument);
  EXPECT_THROW(mean_sensitivity(study(), 0, {1}, FrocInterpolation::step, {10, 1, 0}), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
