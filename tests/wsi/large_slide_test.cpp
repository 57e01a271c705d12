// A slide of 200,000 x 200,000 px: memory is that of the queue and of the tiles' index, not of the scan.
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>
#include <sys/resource.h>

#include "tests/wsi/sparse_slide.h"
#include "tests/wsi/tiff_fixture.h"
#include "wsi/grid.h"
#include "wsi/slide.h"
#include "wsi/tile_stream.h"

namespace clmnet::wsi {
namespace {

constexpr std::int64_t kSide = 200000;

// A sanitizer keeps what was freed, so that the process's memory says nothing of ours.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsOurs = false;
#else
constexpr bool kMemoryIsOurs = true;
#endif

double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

class LargeSlide : public testing::Test {
 protected:
  LargeSlide() { write_sparse_slide(path_, kSide); }

  /// Mean over the tile of the absolute difference to what was drawn.
  static double error(const std::uint8_t* rgb, const std::vector<std::uint8_t>& drawn) {
    double sum = 0;
    for (std::size_t i = 0; i < drawn.size(); ++i) sum += std::abs(rgb[i] - drawn[i]);
    return sum / static_cast<double>(drawn.size());
  }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "large.svs";
};

TEST_F(LargeSlide, OpensAndKnowsItsLevels) {
  const Slide slide(path_);
  EXPECT_EQ(slide.info().reader.substr(0, 6), "direct");
  EXPECT_EQ(slide.extent(), (SizePx{kSide, kSide}));
  ASSERT_EQ(slide.info().levels.size(), 3U);
  EXPECT_DOUBLE_EQ(slide.info().levels[2].downsample_x, 16);
}

TEST_F(LargeSlide, TheLastTileOfTheLastRowIsTheRightOne) {
  const Slide slide(path_);
  const std::int64_t across = (kSide + 255) / 256, column = across - 2, row = across - 3;
  const auto region = slide.read_scaled({column * 256, row * 256}, 1, 1, {256, 256});
  EXPECT_TRUE(region.complete);
  EXPECT_LT(error(region.rgb.data, sparse_tile_rgb(row * across + column)), 6);
  EXPECT_GT(error(region.rgb.data, sparse_tile_rgb(row * across + column + 1)), 12);
}

double mean_difference(const cv::Mat& a, const cv::Mat& b) {
  cv::Mat difference;
  cv::absdiff(a, b, difference);
  const auto mean = cv::mean(difference);
  return (mean[0] + mean[1] + mean[2]) / 3;
}

// One read of 100,000 level-0 px: its end shows what a read that begins there shows, and not what lies one pixel beside it.
TEST_F(LargeSlide, NoDriftOver100000PixelsOfOneRead) {
  const Slide slide(path_);
  for (const double downsample : {1.0, 1.25, 2.0, 3.2, 4.0, 8.0, 16.0, 20.5}) {
    const auto last = static_cast<int>(100000 / downsample) / 40 * 40;  // a column that begins on a whole level-0 px
    const Level0Px origin{51, 333};
    const auto wide = slide.read_scaled(origin, downsample, downsample, {last + 200, 8}).rgb.colRange(last, last + 200);
    const auto read_at = [&](std::int64_t shift) {
      const Level0Px there{origin.x + std::llround(last * downsample) + shift, origin.y};
      return slide.read_scaled(there, downsample, downsample, {200, 8}).rgb;
    };
    EXPECT_LE(cv::norm(wide, read_at(0), cv::NORM_INF), 1) << downsample;
    for (const std::int64_t shift : {-1, 1}) EXPECT_GT(mean_difference(wide, read_at(shift)), 0.2) << downsample << " by " << shift;
  }
}

// The same against the level-0 pixels themselves, summed up here. At 2 the codec shrinks, which is not quite a mean.
TEST_F(LargeSlide, FarRegionsShowThePixelsThatLieThere) {
  const Slide slide(path_);
  const Level0Px origin{150037, 190021};
  for (const int k : {1, 2, 3}) {
    const auto mean_at = [&](std::int64_t shift) {
      const auto full = slide.read_scaled({origin.x + shift, origin.y}, 1, 1, {200 * k, 150 * k}).rgb;
      cv::Mat mean;
      cv::resize(full, mean, {200, 150}, 0, 0, cv::INTER_AREA);
      return mean;
    };
    const auto region = slide.read_scaled(origin, k, k, {200, 150});
    const double here = mean_difference(region.rgb, mean_at(0));
    EXPECT_LT(here, 1.0) << k;
    for (const std::int64_t shift : {-1, 1}) EXPECT_GT(mean_difference(region.rgb, mean_at(shift)), 2 * here + 0.5) << k << " by " << shift;
  }
}

TEST_F(LargeSlide, AStreamOverAllItsTilesStaysUnder300MiB) {
  const Slide slide(path_);
  GridOptions grid;
  grid.um_per_px = {0.5, 0.5};
  const auto all = plan_full_grid(slide.extent(), slide.um_per_px(), grid);
  ASSERT_EQ(all.size(), 782U * 782U);
  StreamOptions options;
  options.um_per_px = {0.5, 0.5};
  options.threads = 2;
  std::int64_t seen = 0;
  struct Enough {};
  EXPECT_THROW(for_each_batch(slide, all, options,
                              [&](TileBatch& batch) {
                                seen += static_cast<std::int64_t>(batch.tiles.size());
                                if (seen >= 1600) throw Enough();
                              }),
               Enough);
  EXPECT_GE(seen, 1600);
  if (kMemoryIsOurs) {
    EXPECT_LT(peak_rss_mib(), 300);
  }
}

TEST_F(LargeSlide, OverlappingTilesFromEndToEndStayUnder300MiB) {
  // Rows of overlapping tiles over the whole width: what the next row needs again is 782 x 192 KiB, and the cache is bounded.
  const Slide slide(path_);
  std::vector<TileSpec> tiles;
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t column = 0; column < 1000; ++column) tiles.push_back({{column * 192 + 64, row * 192 + 64}, column, row});
  }
  StreamOptions options;
  options.um_per_px = {0.5, 0.5};
  options.threads = 2;
  const auto stats = for_each_batch(slide, tiles, options, [](TileBatch&) {});
  EXPECT_EQ(stats.tiles, 2000);
  EXPECT_EQ(stats.incomplete, 0);
  if (kMemoryIsOurs) {
    EXPECT_LT(peak_rss_mib(), 300);
  }
}

}  // namespace
}  // namespace clmnet::wsi
