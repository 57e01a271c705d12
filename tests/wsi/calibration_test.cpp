#include "wsi/calibration.h"

#include <gtest/gtest.h>

namespace clmnet::wsi {
namespace {

using Properties = std::map<std::string, std::string>;

void expect_missing(const Properties& properties, const std::string& reason) {
  const auto found = find_calibration(properties);
  EXPECT_FALSE(found.um_per_px);
  EXPECT_EQ(found.source, reason);
}

TEST(Calibration, NothingKnown) { expect_missing({}, "no openslide.mpp-x, no tiff.ResolutionUnit"); }

TEST(Calibration, UnitIsNone) {
  expect_missing({{"tiff.ResolutionUnit", "none"}, {"tiff.XResolution", "1"}, {"tiff.YResolution", "1"}},
                 "no openslide.mpp-x, tiff.ResolutionUnit is 'none'");
}

TEST(Calibration, UnitWithoutValue) { expect_missing({{"tiff.ResolutionUnit", "inch"}}, "no openslide.mpp-x, no tiff.XResolution"); }

TEST(Calibration, ZeroNegativeAndWordsAreMissing) {
  for (const std::string value : {"0", "-0.5", "nan", "inf", "half", "", "1e9"}) {
    EXPECT_FALSE(find_calibration({{"openslide.mpp-x", value}, {"openslide.mpp-y", "0.5"}}).um_per_px) << value;
    EXPECT_FALSE(find_calibration({{"openslide.mpp-x", "0.5"}, {"openslide.mpp-y", value}}).um_per_px) << value;
  }
}

TEST(Calibration, ZeroPixelsPerInch) {
  EXPECT_FALSE(find_calibration({{"tiff.ResolutionUnit", "inch"}, {"tiff.XResolution", "0"}, {"tiff.YResolution", "0"}}).um_per_px);
}

TEST(Calibration, AnisotropicKeepsBoth) {
  EXPECT_EQ(find_calibration({{"openslide.mpp-x", "0.25"}, {"openslide.mpp-y", "0.26"}}).um_per_px, (UmPerPx{0.25, 0.26}));
}

TEST(Calibration, BadVendorValueFallsBackToTiff) {
  const auto found = find_calibration({{"openslide.mpp-x", "?"}, {"tiff.ResolutionUnit", "centimeter"},
                                       {"tiff.XResolution", "40000"}, {"tiff.YResolution", "40000"}});
  EXPECT_EQ(found.um_per_px, (UmPerPx{0.25, 0.25}));
  EXPECT_EQ(found.source, "tiff.XResolution");
}

void expect_downsample(SizePx full, SizePx level, double x, double y) {
  const auto found = level_downsample(full, level);
  EXPECT_DOUBLE_EQ(found.x, x) << level.width;
  EXPECT_DOUBLE_EQ(found.y, y) << level.height;
}

TEST(LevelDownsample, OneColumnDropped) { expect_downsample({4443, 3567}, {2221, 1783}, 2, 2); }

// 72448 / 141 = 513.8, but 141 is what 512 leaves of 141.5.
TEST(LevelDownsample, PowerOfTwoBeforeTheNearestWhole) { expect_downsample({72448, 152080}, {141, 297}, 512, 512); }

TEST(LevelDownsample, PaddedUp) { expect_downsample({1001, 1001}, {251, 251}, 4, 4); }

TEST(LevelDownsample, WholeFactorThatIsNoPowerOfTwo) { expect_downsample({3000, 1502}, {1000, 500}, 3, 3); }

TEST(LevelDownsample, NotWhole) { expect_downsample({1000, 1000}, {400, 400}, 2.5, 2.5); }

TEST(LevelDownsample, Anisotropic) { expect_downsample({1000, 1000}, {500, 250}, 2, 4); }

// Over 100,000 px a ratio of sizes would lie 3 level-0 px off at the right edge.
TEST(LevelDownsample, NoDriftOver100000Pixels) {
  const auto found = level_downsample({100003, 100003}, {25000, 25000});
  EXPECT_DOUBLE_EQ(found.x * 24999, 99996);
}

}  // namespace
}  // namespace clmnet::wsi
