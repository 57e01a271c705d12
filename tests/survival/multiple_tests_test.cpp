#include "survival/multiple_tests.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace clmnet::survival {
namespace {

const double kNothing = std::numeric_limits<double>::quiet_NaN();

TEST(Holm, ByHand) {
  const auto p = holm({0.04, 0.01, 0.03});
  EXPECT_DOUBLE_EQ(p[1], 0.03);   // 3 * 0.01
  EXPECT_DOUBLE_EQ(p[2], 0.06);   // 2 * 0.03
  EXPECT_DOUBLE_EQ(p[0], 0.06);   // 1 * 0.04, not below the one before
}

// R: p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm")
TEST(Holm, IsRs) {
  const auto p = holm({0.01, 0.02, 0.03, 0.04});
  for (const auto& [place, expected] : {std::pair{0u, 0.04}, {1u, 0.06}, {2u, 0.06}, {3u, 0.06}}) {
    EXPECT_NEAR(p[place], expected, 1e-15);
  }
}

TEST(Holm, WhatIsUndefinedIsNoTest) {
  const auto p = holm({0.04, kNothing, 0.01});
  EXPECT_DOUBLE_EQ(p[2], 0.02);   // two tests, not three
  EXPECT_DOUBLE_EQ(p[0], 0.04);
  EXPECT_TRUE(std::isnan(p[1]));
  EXPECT_TRUE(std::isnan(holm({kNothing})[0]));
  EXPECT_TRUE(holm({}).empty());
}

TEST(Holm, StaysAProbabilityAndTiesAreTreatedAlike) {
  EXPECT_EQ(holm({0.9, 0.8})[0], 1);
  EXPECT_EQ(holm({0.9, 0.8})[1], 1);
  EXPECT_EQ(holm({0.02, 0.02})[0], holm({0.02, 0.02})[1]);
}

TEST(Holm, RejectsWhatIsNoProbability) {
  EXPECT_THROW(holm({0.1, -0.1}), std::invalid_argument);
  EXPECT_THROW(holm({1.5}), std::invalid_argument);
  EXPECT_THROW(holm({std::numeric_limits<double>::infinity()}), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
