#include "wsi/overview.h"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>
#include <opencv2/core.hpp>

#include "tests/wsi/tiff_fixture.h"
#include "wsi/tiff_file.h"
#include "wsi/tissue.h"

namespace clmnet::wsi {
namespace {

constexpr double kGlass = 242;

/// 4096 x 3072 px of 0.5 µm with tissue-like colours in an ellipse, in tiles of 256, levels 1 and 16.
class Overview : public testing::Test {
 protected:
  Overview() {
    fixture_.width = 4096;
    fixture_.height = 3072;
    fixture_.tile = 256;
    fixture_.downsamples = {1, 16};
    fixture_.paint = [](int x, int y) -> Rgb {
      const double u = (x - 2048) / 1600.0, v = (y - 1536) / 1200.0;
      if (u * u + v * v > 1) return {static_cast<std::uint8_t>(kGlass), static_cast<std::uint8_t>(kGlass), static_cast<std::uint8_t>(kGlass)};
      return (x / 16 + y / 24) % 3 == 0 ? Rgb{120, 80, 150} : Rgb{220, 165, 200};
    };
  }

  void write() {
    write_tiff(path_, fixture_);
    const Slide slide(path_);
    geometry_ = fit_map(slide.extent(), slide.um_per_px(), 8);
    whole_ = read_overview(slide, geometry_);
  }

  /// Zeros in place of a stored tile.
  void lose(std::size_t level, std::size_t tile) const {
    const TiffFile file(path_);
    const auto& info = file.levels().at(level);
    std::fstream bytes(path_, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(static_cast<std::streamoff>(info.offsets.at(tile)));
    bytes << std::string(info.byte_counts.at(tile), '\0');
  }

  double largest_difference(const cv::Mat& a) const { return cv::norm(a, whole_, cv::NORM_INF); }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "slide.svs";
  TiffFixture fixture_;
  MapGeometry geometry_;
  cv::Mat whole_;
};

TEST_F(Overview, OfAWholeSlideFillsNothing) {
  write();
  cv::Mat filled;
  EXPECT_EQ(largest_difference(read_overview(Slide(path_), geometry_, &filled)), 0);
  EXPECT_EQ(filled.size(), whole_.size());
  EXPECT_EQ(cv::countNonZero(filled), 0);
  EXPECT_EQ(whole_.size(), cv::Size(256, 192));
}

TEST_F(Overview, ALostTileOfACoarseLevelComesFromAFinerOne) {
  write();
  lose(1, 0);  // the only one: all of the overview
  SlideOptions direct;
  direct.reader = ReaderKind::direct;  // OpenSlide reads all of the coarsest level when it opens a slide
  const Slide slide(path_, direct);
  ASSERT_FALSE(slide.read_scaled({0, 0}, 16, 16, {256, 192}).complete);
  cv::Mat filled;
  const auto overview = read_overview(slide, geometry_, &filled);
  EXPECT_EQ(cv::countNonZero(filled), 0);
  cv::Mat difference;
  cv::absdiff(overview, whole_, difference);
  // Another JPEG of the same pixels: a few grey levels. The pattern beside its place would be some 40.
  EXPECT_LT(cv::mean(difference)[1], 4);
  EXPECT_GT(cv::countNonZero(find_tissue(overview, geometry_).mask), 0.9 * cv::countNonZero(find_tissue(whole_, geometry_).mask));
}

TEST_F(Overview, ATileThatIsLostOnAllLevelsIsNeitherPenNorAnEdge) {
  fixture_.downsamples = {1};
  write();
  const auto before = find_tissue(whole_, geometry_);
  lose(0, 5 * 16 + 8);   // at (2048, 1280), in the tissue
  lose(0, 0);            // a corner of the glass
  const Slide slide(path_);
  cv::Mat filled;
  const auto overview = read_overview(slide, geometry_, &filled);
  EXPECT_EQ(cv::countNonZero(filled(cv::Rect(128, 80, 16, 16))), 16 * 16);
  EXPECT_EQ(cv::countNonZero(filled(cv::Rect(0, 0, 16, 16))), 16 * 16);
  EXPECT_LE(cv::countNonZero(filled), 2 * 24 * 24) << "gaps are known to 8 px";
  EXPECT_NEAR(overview.at<cv::Vec3b>(8, 8)[0], kGlass, 3);
  const auto tissue = find_tissue(overview, geometry_);
  EXPECT_EQ(cv::countNonZero(tissue.ink), 0);
  EXPECT_EQ(cv::norm(tissue.mask, before.mask, cv::NORM_INF), 0) << "tiles over the gap are planned, and counted when they are read";
}

TEST_F(Overview, OfASlideWithoutAnyPixelIsGlass) {
  fixture_.downsamples = {1};
  fixture_.width = fixture_.height = 512;
  write();
  for (std::size_t tile = 0; tile < 4; ++tile) lose(0, tile);
  cv::Mat filled;
  const auto overview = read_overview(Slide(path_), geometry_, &filled);
  EXPECT_EQ(cv::countNonZero(filled), static_cast<int>(filled.total()));
  EXPECT_EQ(find_tissue(overview, geometry_).area_mm2, 0);
}

TEST_F(Overview, FinerThanTheScanIsTheCallersBug) {
  write();
  EXPECT_THROW(read_overview(Slide(path_), fit_map({4096, 3072}, {0.5, 0.5}, 0.25)), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::wsi
