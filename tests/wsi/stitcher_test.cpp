#include "wsi/stitcher.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include <opencv2/core.hpp>

#include "wsi/grid.h"

namespace clmnet::wsi {
namespace {

StitchOptions options(int tile_px, double tile_um, double map_um, int channels = 1) {
  return {tile_px, {tile_um, tile_um}, map_um, channels};
}

TEST(Stitcher, OneTileOverOnePixelEach) {
  Stitcher stitcher({8, 8}, {1, 1}, options(4, 1, 1));
  std::vector<float> map(16);
  for (int i = 0; i < 16; ++i) map[static_cast<std::size_t>(i)] = static_cast<float>(i) / 16;
  const TileSpec tile{{4, 2}, 0, 0};
  stitcher.add({&tile, 1}, map, 4, 4);
  const auto result = stitcher.take();
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const bool inside = x >= 4 && y >= 2 && y < 6;
      EXPECT_EQ(result.valid.at<uchar>(y, x), inside ? 255 : 0) << x << ' ' << y;
      const float expected = inside ? static_cast<float>((y - 2) * 4 + x - 4) / 16 : 0.0F;
      EXPECT_NEAR(result.probability[0].at<float>(y, x), expected, 1e-6) << x << ' ' << y;
    }
  }
}

// A plane is reproduced by any correct mean and by bilinear interpolation away from tile edges; a shift by half a pixel is not.
class PlaneTest : public testing::TestWithParam<std::tuple<int, int, double>> {};

TEST_P(PlaneTest, APlaneComesBackWithoutShiftOrSeam) {
  const auto [stride, output, map_um] = GetParam();
  const SizePx extent{1000, 900};
  const UmPerPx scan{0.5, 0.5};
  Stitcher stitcher(extent, scan, options(64, 1, map_um));
  GridOptions grid{64, stride, {1, 1}, 0};
  const auto value = [](double x, double y) { return 0.1 + 0.0005 * x + 0.0003 * y; };
  for (const auto& tile : plan_full_grid(extent, scan, grid)) {
    std::vector<float> map;
    for (int i = 0; i < output; ++i) {
      for (int j = 0; j < output; ++j) {
        map.push_back(static_cast<float>(value(static_cast<double>(tile.origin.x) + (j + 0.5) * 128 / output,
                                               static_cast<double>(tile.origin.y) + (i + 0.5) * 128 / output)));
      }
    }
    stitcher.add({&tile, 1}, map, output, output);
  }
  const auto result = stitcher.take();
  const auto& geometry = result.geometry;
  EXPECT_EQ(cv::countNonZero(result.valid), static_cast<int>(result.valid.total()));
  // The window tilts the weights inside a tile's map pixel, and bilinear is flat in the outer half of edge pixels.
  const double tolerance = 0.0008 * 128 / output * 0.6 + 0.0008 * geometry.downsample_x * 0.15;
  for (int y = 0; y < result.valid.rows; ++y) {
    for (int x = 0; x < result.valid.cols; ++x) {
      ASSERT_NEAR(result.probability[0].at<float>(y, x), value((x + 0.5) * geometry.downsample_x, (y + 0.5) * geometry.downsample_y),
                  tolerance) << x << ' ' << y;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, PlaneTest,
                         testing::Values(std::tuple(64, 64, 1.0), std::tuple(64, 64, 4.0), std::tuple(48, 64, 4.0),
                                         std::tuple(48, 16, 4.0), std::tuple(33, 16, 3.3), std::tuple(48, 8, 2.0),
                                         std::tuple(64, 64, 0.7), std::tuple(40, 21, 7.0)));

TEST(Stitcher, OverlapBlendsWithoutASeam) {
  // Two tiles that say 0 and 1 and share half their width: from 0 to 1 in steps without a jump.
  Stitcher stitcher({96, 64}, {1, 1}, options(64, 1, 1));
  const std::vector<TileSpec> tiles{{{0, 0}, 0, 0}, {{32, 0}, 1, 0}};
  std::vector<float> maps(2 * 64 * 64, 0.0F);
  std::fill(maps.begin() + 64 * 64, maps.end(), 1.0F);
  stitcher.add(tiles, maps, 64, 64);
  const auto map = stitcher.take().probability[0];
  EXPECT_NEAR(map.at<float>(30, 47) + map.at<float>(30, 48), 1, 1e-4);
  for (int x = 1; x < 96; ++x) {
    EXPECT_LT(std::abs(map.at<float>(30, x) - map.at<float>(30, x - 1)), 0.06) << x;
    EXPECT_GE(map.at<float>(30, x), map.at<float>(30, x - 1) - 1e-6) << x;
  }
}

TEST(Stitcher, IncompleteAndNotFiniteTilesAreLeftOut) {
  Stitcher stitcher({12, 4}, {1, 1}, options(4, 1, 1));
  const std::vector<TileSpec> tiles{{{0, 0}, 0, 0}, {{4, 0}, 1, 0}, {{8, 0}, 2, 0}};
  std::vector<float> maps(3 * 16, 0.5F);
  maps[40] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::uint8_t> complete{1, 0, 1};
  stitcher.add(tiles, maps, 4, 4, complete);
  const auto result = stitcher.take();
  EXPECT_EQ(result.valid.at<uchar>(1, 1), 255);
  EXPECT_EQ(result.valid.at<uchar>(1, 5), 0);
  EXPECT_EQ(result.valid.at<uchar>(1, 9), 0);
  EXPECT_EQ(stitcher.tiles_added(), 1);
  EXPECT_EQ(stitcher.tiles_left_out(), 2);
}

TEST(Stitcher, NothingAddedIsAllWithoutData) {
  const auto result = Stitcher({100, 50}, {1, 1}, options(16, 1, 2)).take();
  EXPECT_EQ(cv::countNonZero(result.valid), 0);
  EXPECT_EQ(cv::countNonZero(result.probability[0]), 0);
}

TEST(Stitcher, ZeroProbabilityIsData) {
  Stitcher stitcher({16, 16}, {1, 1}, options(16, 1, 2));
  const TileSpec tile;
  const std::vector<float> score{0.0F};
  stitcher.add({&tile, 1}, score, 1, 1);
  EXPECT_EQ(cv::countNonZero(stitcher.take().valid), 64);
}

TEST(Stitcher, ChannelsStayApartAndTheOverhangIsCut) {
  Stitcher stitcher({10, 10}, {1, 1}, options(8, 1, 1, 2));
  const TileSpec tile{{6, 6}, 0, 0};
  const std::vector<float> maps{0.25F, 0.75F};
  stitcher.add({&tile, 1}, maps, 1, 1);
  const auto result = stitcher.take();
  EXPECT_EQ(cv::countNonZero(result.valid), 16);
  EXPECT_NEAR(result.probability[0].at<float>(9, 9), 0.25, 1e-6);
  EXPECT_NEAR(result.probability[1].at<float>(9, 9), 0.75, 1e-6);
}

TEST(Stitcher, TheOrderOfTilesDoesNotMatter) {
  const std::vector<TileSpec> tiles = plan_full_grid({200, 200}, {1, 1}, {64, 40, {1, 1}, 0});
  Stitcher forward({200, 200}, {1, 1}, options(64, 1, 4)), backward({200, 200}, {1, 1}, options(64, 1, 4));
  const auto score = [](const TileSpec& tile) { return std::vector<float>{static_cast<float>((tile.column * 7 + tile.row * 3) % 10) / 10}; };
  for (const auto& tile : tiles) forward.add({&tile, 1}, score(tile), 1, 1);
  for (auto tile = tiles.rbegin(); tile != tiles.rend(); ++tile) backward.add({&*tile, 1}, score(*tile), 1, 1);
  EXPECT_LT(cv::norm(forward.take().probability[0], backward.take().probability[0], cv::NORM_INF), 1e-5);
}

TEST(Stitcher, SizesThatDoNotFitAreTheCallersBug) {
  Stitcher stitcher({100, 100}, {1, 1}, options(16, 1, 4));
  const TileSpec tile;
  const std::vector<float> maps(4);
  EXPECT_THROW(stitcher.add({&tile, 1}, maps, 1, 1), std::invalid_argument);
  EXPECT_THROW(stitcher.add({&tile, 1}, maps, 0, 4), std::invalid_argument);
  const std::vector<std::uint8_t> complete{1, 1};
  EXPECT_THROW(stitcher.add({&tile, 1}, maps, 2, 2, complete), std::invalid_argument);
  EXPECT_THROW(Stitcher({100, 100}, {1, 1}, options(0, 1, 4)), std::invalid_argument);
  EXPECT_THROW(Stitcher({100, 100}, {1, 1}, options(16, 1, 4, 0)), std::invalid_argument);
  EXPECT_THROW(Stitcher({0, 100}, {1, 1}, options(16, 1, 4)), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::wsi
