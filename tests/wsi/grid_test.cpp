#include "wsi/grid.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace clmnet::wsi {
namespace {

TissueMask all_tissue(SizePx extent, UmPerPx level0, double um_per_px) {
  TissueMask tissue;
  tissue.geometry = fit_map(extent, level0, um_per_px);
  tissue.mask = cv::Mat(static_cast<int>(tissue.geometry.size.height), static_cast<int>(tissue.geometry.size.width), CV_8U, 255);
  return tissue;
}

GridOptions options(int tile_px, int stride_px, UmPerPx um_per_px, double min_tissue = 0) {
  return {tile_px, stride_px, um_per_px, min_tissue};
}

// 1000 x 600 at 0.5 um/px is 500 x 300 px of 1 um: two tiles of 256 across, two down, the last ones overhang.
TEST(Grid, CountsByHand) {
  const auto tiles = plan_grid(all_tissue({1000, 600}, {0.5, 0.5}, 8), options(256, 256, {1, 1}));
  ASSERT_EQ(tiles.size(), 4U);
  EXPECT_EQ(tiles[0], (TileSpec{{0, 0}, 0, 0}));
  EXPECT_EQ(tiles[1], (TileSpec{{512, 0}, 1, 0}));
  EXPECT_EQ(tiles[2], (TileSpec{{0, 512}, 0, 1}));
  EXPECT_EQ(tiles[3], (TileSpec{{512, 512}, 1, 1}));
}

TEST(Grid, AScanOfWholeTilesHasNoEmptyColumn) {
  EXPECT_EQ(plan_full_grid({1024, 512}, {0.5, 0.5}, options(256, 256, {1, 1})).size(), 2U);
  EXPECT_EQ(plan_full_grid({1026, 512}, {0.5, 0.5}, options(256, 256, {1, 1})).size(), 3U);
  // 0.1 is not a binary fraction: 3000 * 0.1 / 0.3 is not exactly 1000.
  EXPECT_EQ(plan_full_grid({3000, 3000}, {0.1, 0.1}, options(100, 100, {0.3, 0.3})).size(), 100U);
}

TEST(Grid, AScanSmallerThanATileIsOneTile) {
  const auto tiles = plan_full_grid({10, 7}, {0.25, 0.25}, options(256, 192, {1, 1}));
  ASSERT_EQ(tiles.size(), 1U);
  EXPECT_EQ(tiles[0].origin, (Level0Px{0, 0}));
}

TEST(Grid, OverlapStopsWhereTheScanIsCovered) {
  // 448 px: tiles of 256 every 192 begin at 0 and 192, and the second ends at 448.
  EXPECT_EQ(plan_full_grid({448, 256}, {1, 1}, options(256, 192, {1, 1})).size(), 2U);
  EXPECT_EQ(plan_full_grid({449, 256}, {1, 1}, options(256, 192, {1, 1})).size(), 3U);
}

TEST(Grid, OriginsDoNotDriftOverALargeScan) {
  const auto tiles = plan_full_grid({200000, 1}, {0.2527, 0.2527}, options(224, 200, {0.88, 0.88}));
  for (const auto& tile : tiles) {
    EXPECT_NEAR(static_cast<double>(tile.origin.x), static_cast<double>(tile.column) * 200 * 0.88 / 0.2527, 0.5001);
  }
  EXPECT_GT(tiles.size(), 280U);
}

TEST(Grid, PixelsThatAreNotSquareHaveOtherStepsAcrossAndDown) {
  const auto tiles = plan_full_grid({4000, 4000}, {0.25, 0.5}, options(250, 250, {1, 1}));
  EXPECT_EQ(tiles.back(), (TileSpec{{3000, 3 * 500 + 4 * 500}, 3, 7}));
}

TEST(Grid, TheShareOfTissueIsExactWhereATileCutsMaskPixels) {
  // Mask of 8 um; tiles of 12 um at 1 um/px; tissue in the first mask column only, 8 um of the tile's 12.
  auto tissue = all_tissue({96, 96}, {1, 1}, 8);
  tissue.mask.colRange(1, 12).setTo(0);
  EXPECT_EQ(plan_grid(tissue, options(12, 12, {1, 1}, 0.66)).size(), 8U);
  EXPECT_EQ(plan_grid(tissue, options(12, 12, {1, 1}, 0.67)).size(), 0U);
}

TEST(Grid, NoTissueNoTiles) {
  auto tissue = all_tissue({1000, 1000}, {0.5, 0.5}, 8);
  tissue.mask.setTo(0);
  EXPECT_TRUE(plan_grid(tissue, options(64, 64, {1, 1})).empty());
  tissue.mask.release();
  EXPECT_TRUE(plan_grid(tissue, options(64, 64, {1, 1})).empty());
}

TEST(Grid, OptionsOutOfRange) {
  const auto tissue = all_tissue({1000, 1000}, {0.5, 0.5}, 8);
  EXPECT_THROW(plan_grid(tissue, options(256, 0, {1, 1})), std::invalid_argument);
  EXPECT_THROW(plan_grid(tissue, options(256, 257, {1, 1})), std::invalid_argument);
  EXPECT_THROW(plan_grid(tissue, options(0, 0, {1, 1})), std::invalid_argument);
  EXPECT_THROW(plan_grid(tissue, options(256, 256, {0, 1})), std::invalid_argument);
  EXPECT_THROW(plan_grid(tissue, options(256, 256, {1, NAN})), std::invalid_argument);
  EXPECT_THROW(plan_grid(tissue, options(256, 256, {1, 1}, 1.5)), std::invalid_argument);
}

TEST(MapGeometry, LiesExactlyOverTheScan) {
  const auto map = fit_map({2220, 2967}, {0.499, 0.499}, 8);
  EXPECT_EQ(map.size, (SizePx{138, 185}));
  EXPECT_DOUBLE_EQ(static_cast<double>(map.size.width) * map.downsample_x, 2220);
  EXPECT_NEAR(map.um_per_px().x, 8, 8.0 / 138 / 2);
  EXPECT_THROW(fit_map({0, 5}, {1, 1}, 8), std::invalid_argument);
  EXPECT_THROW(fit_map({5, 5}, {1, 1}, 0), std::invalid_argument);
  EXPECT_THROW(fit_map({200000, 200000}, {0.25, 0.25}, 0.25), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::wsi
