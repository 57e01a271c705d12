#include "wsi/label_mask.h"

#include <gtest/gtest.h>
#include <opencv2/core.hpp>

namespace clmnet::wsi {
namespace {

RingPx box(double left, double top, double right, double bottom) { return {{left, top}, {right, top}, {right, bottom}, {left, bottom}}; }

LabelledRegion region(int label, RingPx outer, std::vector<RingPx> holes = {}) { return {{"", std::move(outer), std::move(holes)}, label}; }

/// A tile of 10 x 10 px at one level-0 px each, from (0, 0) on.
TileLabel paint(std::vector<LabelledRegion> regions, const TileLabelOptions& options = {}, Level0Px origin = {0, 0}, double side = 10) {
  return LabelPainter(std::move(regions), options).paint(origin, {side, side}, 10);
}

int count(const TileLabel& tile, int label) { return cv::countNonZero(tile.mask == label); }

TEST(LabelMask, APixelBelongsWhereItsCentreLies) {
  // Centres at 0.5, 1.5, ...: 2.4 to 6.6 holds those of the columns 2 to 6 less 2.5 > 2.4 .. 6.5 < 6.6, five of them.
  const auto tile = paint({region(1, box(2.4, 2.6, 6.6, 6.4))});
  EXPECT_EQ(count(tile, 1), 5 * 3);
  EXPECT_EQ(tile.mask.at<uchar>(3, 2), 1);
  EXPECT_EQ(tile.mask.at<uchar>(2, 2), 0);
  EXPECT_EQ(tile.mask.at<uchar>(5, 6), 1);
  EXPECT_EQ(tile.mask.at<uchar>(5, 7), 0);
}

TEST(LabelMask, RegionsThatTouchShareEveryPixelOutAndLeaveNone) {
  // Borders through pixel centres and a slanted one: the half-open rule decides.
  const auto upright = paint({region(1, box(0, 0, 4.5, 10)), region(2, box(4.5, 0, 10, 10))});
  EXPECT_EQ(count(upright, 1) + count(upright, 2), 100);
  EXPECT_EQ(count(upright, 1), 40);
  const PointPx a{1.3, 0}, b{8.9, 10};
  const auto left = paint({region(1, {{0, 0}, a, b, {0, 10}})});
  const auto right = paint({region(2, {a, {10, 0}, {10, 10}, b})});
  EXPECT_EQ(count(left, 1) + count(right, 2), 100);
  EXPECT_EQ(cv::countNonZero((left.mask == 1) & (right.mask == 2)), 0);
}

TEST(LabelMask, DirectionDoesNotMatter) {
  RingPx ring = box(1, 1, 7, 5);
  const auto forwards = paint({region(1, ring)});
  std::reverse(ring.begin(), ring.end());
  EXPECT_EQ(cv::countNonZero(paint({region(1, ring)}).mask != forwards.mask), 0);
  EXPECT_EQ(count(forwards, 1), 24);
}

TEST(LabelMask, ThroughAHoleTheRegionBelowIsSeen) {
  const auto on_nothing = paint({region(1, box(0, 0, 10, 10), {box(3, 3, 6, 6)})});
  EXPECT_EQ(count(on_nothing, 1), 91);
  EXPECT_EQ(count(on_nothing, 0), 9);
  const auto on_another = paint({region(1, box(0, 0, 10, 10), {box(3, 3, 6, 6)}), region(2, box(-5, -5, 20, 20))});
  EXPECT_EQ(count(on_another, 1), 91);
  EXPECT_EQ(count(on_another, 2), 9);
}

TEST(LabelMask, OfNestedRegionsTheInnerOneCountsWhateverTheOrder) {
  const auto outer = region(1, box(0, 0, 10, 10)), inner = region(2, box(2, 2, 8, 8)), core = region(0, box(4, 4, 6, 6));
  for (const auto& order : {std::vector{outer, inner, core}, std::vector{core, inner, outer}, std::vector{inner, core, outer}}) {
    const auto tile = paint(order);
    EXPECT_EQ(count(tile, 1), 64);
    EXPECT_EQ(count(tile, 2), 32);
    EXPECT_EQ(count(tile, 0), 4);
  }
}

TEST(LabelMask, AHoleThatSticksOutOfItsRegionTakesNothingElse) {
  // As a negative region of ImageScope may.
  const auto tile = paint({region(1, box(0, 0, 5, 10), {box(3, 0, 8, 10)}), region(2, box(-9, -9, 30, 30))});
  EXPECT_EQ(count(tile, 1), 30);
  EXPECT_EQ(count(tile, 2), 70);
}

TEST(LabelMask, ALoopDrawnTwiceOverItselfIsFilled) {
  RingPx twice = box(2, 2, 8, 8);
  twice.insert(twice.end(), {{2, 2}, {8, 2}, {8, 8}, {2, 8}});
  EXPECT_EQ(count(paint({region(1, twice)}), 1), 36);
}

TEST(LabelMask, RegionsBeyondTheTileAndWithoutArea) {
  EXPECT_EQ(count(paint({region(1, box(10, 0, 20, 10)), region(1, box(-10, -10, 0, 0))}), 1), 0);
  EXPECT_EQ(count(paint({region(1, box(-1e8, -1e8, 1e8, 1e8))}), 1), 100);
  EXPECT_EQ(count(paint({region(1, {{3, 3}, {7, 3}, {5, 3}})}), 1), 0);
}

TEST(LabelMask, TilesLieWhereTheySayAndAtTheirResolution) {
  // 40 level-0 px a side, 4 per pixel; the region covers columns 5 and 6 from the tile's corner at (100, 200).
  const auto tile = paint({region(1, box(120, 200, 128, 240))}, {}, {100, 200}, 40);
  EXPECT_EQ(count(tile, 1), 20);
  EXPECT_EQ(tile.mask.at<uchar>(0, 5), 1);
  EXPECT_EQ(tile.mask.at<uchar>(0, 4), 0);
}

TEST(TileLabels, FromTheLeastShareOn) {
  const TileLabelOptions tenth{0, 0.1};
  const auto enough = paint({region(1, box(0, 0, 10, 1))}, tenth);
  EXPECT_EQ(enough.label, 1);
  EXPECT_DOUBLE_EQ(enough.share, 0.1);
  EXPECT_EQ(paint({region(1, box(0, 0, 9, 1))}, tenth).label, -1) << "some tumour, but not enough to say";
  const auto none = paint({}, tenth);
  EXPECT_EQ(none.label, 0);
  EXPECT_DOUBLE_EQ(none.share, 1);
}

TEST(TileLabels, TheLargestClassWins) {
  EXPECT_EQ(paint({region(1, box(0, 0, 3, 10)), region(4, box(3, 0, 9, 10))}).label, 4);
}

TEST(TileLabels, AnyUnknownPixelLeavesTheTileUnknown) {
  EXPECT_EQ(paint({region(1, box(0, 0, 9, 10)), region(kUnknownLabel, box(9, 9, 10, 10))}).label, -1);
  const TileLabelOptions sparse{kUnknownLabel, 0.1};
  EXPECT_EQ(paint({}, sparse).label, -1);
  EXPECT_EQ(paint({region(0, box(0, 0, 10, 10))}, sparse).label, 0);
  EXPECT_EQ(paint({region(1, box(-1, -1, 11, 11))}, sparse).label, 1);
}

TEST(TileLabels, RefusesWhatIsNoLabel) {
  EXPECT_THROW(LabelPainter({region(256, box(0, 0, 1, 1))}, {}), std::invalid_argument);
  EXPECT_THROW(LabelPainter({region(-1, box(0, 0, 1, 1))}, {}), std::invalid_argument);
  EXPECT_THROW(LabelPainter({}, {7, 0.1}), std::invalid_argument);
  EXPECT_THROW(LabelPainter({}, {0, 0}), std::invalid_argument);
  EXPECT_THROW(LabelPainter({}, {0, 1.5}), std::invalid_argument);
  EXPECT_THROW(LabelPainter({}, {}).paint({0, 0}, {0, 10}, 10), std::invalid_argument);
  EXPECT_THROW(LabelPainter({}, {}).paint({0, 0}, {10, 10}, 0), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::wsi
