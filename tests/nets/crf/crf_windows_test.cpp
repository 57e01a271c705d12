#include "nets/crf/crf_windows.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace clmnet::nets {
namespace {

constexpr int kHeight = 300, kWidth = 500;

template <typename Body>
void for_each_pixel(const CrfWindow& window, const Body& body) {
  for (int y = window.y; y < window.y + window.height; ++y) {
    for (int x = window.x; x < window.x + window.width; ++x) body(static_cast<std::size_t>(y * kWidth + x));
  }
}

/// Discs of tissue on glass.
std::vector<std::uint8_t> scatter(unsigned seed, int discs) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> has_data(kHeight * kWidth, 0);
  for (int i = 0; i < discs; ++i) {
    const int cx = static_cast<int>(random() % kWidth), cy = static_cast<int>(random() % kHeight), r = 3 + static_cast<int>(random() % 60);
    for (int y = std::max(0, cy - r); y < std::min(kHeight, cy + r); ++y) {
      for (int x = std::max(0, cx - r); x < std::min(kWidth, cx + r); ++x) {
        if ((x - cx) * (x - cx) + (y - cy) * (y - cy) < r * r) has_data[static_cast<std::size_t>(y * kWidth + x)] = 255;
      }
    }
  }
  return has_data;
}

// What a plan promises: every pixel that takes part in one core, each core inside its surroundings with the whole margin that the
// picture has, no window larger than asked.
TEST(CrfWindows, HoldEveryPixelOnceAndNoneIsTooLarge) {
  constexpr int kOverlap = 13;
  std::size_t most = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const std::vector<std::uint8_t> has_data = scatter(seed, static_cast<int>(seed % 12));
    const int window = 40 + 7 * static_cast<int>(seed % 20);
    const std::vector<CrfPart> plan = plan_crf_windows(has_data.data(), kHeight, kWidth, kOverlap, window);
    most = std::max(most, plan.size());
    std::vector<int> times(has_data.size(), 0);
    for (const CrfPart& part : plan) {
      for_each_pixel(part.core, [&](std::size_t i) { ++times[i]; });
      int pixels = 0;
      for_each_pixel(part.around, [&](std::size_t i) { pixels += has_data[i] != 0; });
      EXPECT_LE(pixels, window * window);
      EXPECT_LE(std::max(part.around.width, part.around.height), 2 * window);
      EXPECT_LE(part.around.width * part.around.height, 2 * window * window);
      EXPECT_EQ(part.around.x, std::max(0, part.core.x - kOverlap));
      EXPECT_EQ(part.around.y, std::max(0, part.core.y - kOverlap));
      EXPECT_EQ(part.around.x + part.around.width, std::min(kWidth, part.core.x + part.core.width + kOverlap));
      EXPECT_EQ(part.around.y + part.around.height, std::min(kHeight, part.core.y + part.core.height + kOverlap));
    }
    for (std::size_t i = 0; i < times.size(); ++i) {
      ASSERT_LE(times[i], 1) << "seed " << seed << " pixel " << i;
      if (has_data[i] != 0) {
        ASSERT_EQ(times[i], 1) << "seed " << seed << " pixel " << i;
      }
    }
  }
  EXPECT_GT(most, 10u) << "some plans must have needed many parts";
}

TEST(CrfWindows, ScatteredTissueNeedsOnePartWhereItIsLittle) {
  std::vector<std::uint8_t> has_data(kHeight * kWidth, 0);
  for (const int i : {7 * kWidth + 20, 290 * kWidth + 30, 150 * kWidth + 480}) has_data[static_cast<std::size_t>(i)] = 1;
  const auto plan = plan_crf_windows(has_data.data(), kHeight, kWidth, 10, 280);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].core, (CrfWindow{20, 7, 461, 284}));
  EXPECT_EQ(plan[0].around, (CrfWindow{10, 0, 481, 300}));
}

TEST(CrfWindows, NothingToDoAndAllToDo) {
  const std::vector<std::uint8_t> glass(kHeight * kWidth, 0);
  EXPECT_TRUE(plan_crf_windows(glass.data(), kHeight, kWidth, 10, 100).empty());
  const auto all = plan_crf_windows(nullptr, kHeight, kWidth, 10, 1000);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].core, (CrfWindow{0, 0, kWidth, kHeight}));
}

// The smallest window there can be: its core is one pixel.
TEST(CrfWindows, CoresOfOnePixel) {
  const std::vector<CrfPart> plan = plan_crf_windows(nullptr, 4, 5, 3, 7);
  std::size_t pixels = 0;
  for (const CrfPart& part : plan) {
    pixels += static_cast<std::size_t>(part.core.width * part.core.height);
    EXPECT_LE(part.around.width * part.around.height, 49);
  }
  EXPECT_EQ(pixels, 20u);
}

}  // namespace
}  // namespace clmnet::nets
