#include "wsi/slide_writer.h"

#include <gtest/gtest.h>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "wsi/slide.h"
#include "wsi/synth.h"
#include "wsi/tissue.h"

namespace clmnet::wsi {
namespace {

/// Smooth, so that JPEG changes little.
cv::Mat picture(int width, int height) {
  cv::Mat rgb(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      rgb.at<cv::Vec3b>(y, x) = cv::Vec3b(static_cast<uchar>(60 + 150 * x / width), static_cast<uchar>(40 + 180 * y / height), 140);
    }
  }
  return rgb;
}

double mean_difference(const cv::Mat& a, const cv::Mat& b) {
  cv::Mat difference;
  cv::absdiff(a, b, difference);
  const auto mean = cv::mean(difference);
  return (mean[0] + mean[1] + mean[2]) / 3;
}

TEST(SlideWriter, AnAperioPyramidThatEveryReaderOpens) {
  const TemporaryFolder folder;
  const cv::Mat rgb = picture(1700, 1300);
  write_tiff_slide(folder / "mosaic.svs", rgb);
  for (const auto reader : {ReaderKind::openslide, ReaderKind::direct}) {
    const Slide slide(folder / "mosaic.svs", {std::nullopt, reader});
    EXPECT_EQ(slide.info().vendor, "aperio");
    EXPECT_EQ(slide.extent(), (SizePx{1700, 1300}));
    ASSERT_EQ(slide.info().levels.size(), 3U);
    EXPECT_EQ(slide.info().levels[1].size, (SizePx{425, 325}));
    EXPECT_EQ(slide.info().levels[2].size, (SizePx{106, 81}));
    EXPECT_DOUBLE_EQ(slide.um_per_px().x, 0.5);
    EXPECT_EQ(slide.info().objective_power, 20);
    EXPECT_LT(mean_difference(slide.read_scaled({0, 0}, 1, 1, {1700, 1300}).rgb, rgb), 1.5);
    cv::Mat quarter;
    cv::resize(rgb, quarter, {425, 325}, 0, 0, cv::INTER_AREA);
    EXPECT_LT(mean_difference(slide.read_scaled({0, 0}, 4, 4, {425, 325}).rgb, quarter), 1.5);
  }
}

TEST(SlideWriter, AGenericTiffSaysItsResolution) {
  const TemporaryFolder folder;
  write_tiff_slide(folder / "a.tiff", picture(600, 500), {.um_per_px = {0.25, 0.25}, .downsamples = {1, 2}, .aperio = false});
  const Slide slide(folder / "a.tiff", {std::nullopt, ReaderKind::openslide});
  EXPECT_EQ(slide.info().vendor, "generic-tiff");
  EXPECT_NEAR(slide.um_per_px().x, 0.25, 1e-6);
  EXPECT_EQ(slide.info().levels.size(), 2U);
}

TEST(SlideWriter, TheSamePixelsAreTheSameBytes) {
  const TemporaryFolder folder;
  write_tiff_slide(folder / "a.svs", picture(700, 300));
  write_tiff_slide(folder / "b.svs", picture(700, 300));
  EXPECT_EQ(sha256_of_file(folder / "a.svs"), sha256_of_file(folder / "b.svs"));
}

TEST(SlideWriter, OnePixel) {
  const TemporaryFolder folder;
  write_tiff_slide(folder / "a.svs", picture(1, 1));
  EXPECT_EQ(Slide(folder / "a.svs").extent(), (SizePx{1, 1}));
}

TEST(SlideWriter, OptionsOutOfRangeAndPlacesThatCannotBeWritten) {
  const TemporaryFolder folder;
  const cv::Mat rgb = picture(40, 40);
  EXPECT_THROW(write_tiff_slide(folder / "a.svs", cv::Mat()), std::invalid_argument);
  EXPECT_THROW(write_tiff_slide(folder / "a.svs", cv::Mat(4, 4, CV_8U)), std::invalid_argument);
  EXPECT_THROW(write_tiff_slide(folder / "a.svs", rgb, {.tile_px = 100}), std::invalid_argument);
  EXPECT_THROW(write_tiff_slide(folder / "a.svs", rgb, {.um_per_px = {0, 1}}), std::invalid_argument);
  EXPECT_THROW(write_tiff_slide(folder / "a.svs", rgb, {.downsamples = {}}), std::invalid_argument);
  EXPECT_THROW(write_tiff_slide(folder / "a.svs", rgb, {.downsamples = {2, 4}}), std::invalid_argument);
  EXPECT_THROW(write_tiff_slide(folder / "a.svs", rgb, {.downsamples = {1, 3}}), std::invalid_argument);
  EXPECT_THROW(write_tiff_slide(folder / "a.svs", rgb, {.jpeg_quality = 0}), std::invalid_argument);
  EXPECT_THROW(write_tiff_slide(folder / "none" / "a.svs", rgb), InputError);
  const TilePainter failing = [](Level0Px, cv::Mat&) { throw std::runtime_error("no pixels"); };
  EXPECT_THROW(write_tiff_slide(folder / "a.svs", {400, 400}, failing), std::runtime_error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Synth, TilesJoinWithoutASeam) {
  const SynthSlide drawn({.seed = 3, .extent = {4096, 4096}});
  cv::Mat whole(300, 400, CV_8UC3), part(100, 100, CV_8UC3);
  drawn.paint({1700, 1900}, whole);
  drawn.paint({1850, 2000}, part);
  cv::Mat difference;
  cv::absdiff(whole(cv::Rect(150, 100, 100, 100)), part, difference);
  // Polygons of ellipses may round differently by a hair where they are cut.
  EXPECT_LT(cv::norm(difference, cv::NORM_L1) / static_cast<double>(difference.total() * 3), 0.05);
}

TEST(Synth, SeedAndPlaceDecide) {
  cv::Mat a(64, 64, CV_8UC3), b(64, 64, CV_8UC3), c(64, 64, CV_8UC3);
  SynthSlide({.seed = 1, .extent = {4096, 4096}}).paint({1600, 1700}, a);
  SynthSlide({.seed = 1, .extent = {4096, 4096}}).paint({1600, 1700}, b);
  SynthSlide({.seed = 2, .extent = {4096, 4096}}).paint({1600, 1700}, c);
  EXPECT_EQ(cv::norm(a, b, cv::NORM_INF), 0);
  EXPECT_GT(mean_difference(a, c), 1);
}

TEST(Synth, TissueIsFoundAndTumourLiesInIt) {
  const SynthSlide drawn({.seed = 1, .extent = {2048, 2048}, .um_per_px = 2});
  cv::Mat rgb(2048, 2048, CV_8UC3);
  drawn.paint({0, 0}, rgb);
  const auto geometry = fit_map({2048, 2048}, {2, 2}, 8);
  cv::Mat overview;
  cv::resize(rgb, overview, {512, 512}, 0, 0, cv::INTER_AREA);
  const auto tissue = find_tissue(overview, geometry);
  const cv::Mat tumour = drawn.tumour_mask(geometry);
  int both = 0, either = 0;
  for (int y = 0; y < 512; ++y) {
    for (int x = 0; x < 512; ++x) {
      const bool truth = drawn.is_tissue((x + 0.5) * 4, (y + 0.5) * 4), found = tissue.mask.at<uchar>(y, x) != 0;
      both += truth && found;
      either += truth || found;
    }
  }
  EXPECT_GT(static_cast<double>(both) / either, 0.95);
  const double tumour_share = cv::countNonZero(tumour) / static_cast<double>(cv::countNonZero(tissue.mask));
  EXPECT_GT(tumour_share, 0.05);
  EXPECT_LT(tumour_share, 0.5);
  EXPECT_EQ(cv::countNonZero(tissue.ink), 0);
}

TEST(Synth, OptionsOutOfRange) {
  EXPECT_THROW(SynthSlide({.extent = {0, 10}}), std::invalid_argument);
  EXPECT_THROW(SynthSlide({.um_per_px = 0}), std::invalid_argument);
  EXPECT_THROW(SynthSlide({.extent = {100, 100}}).tumour_mask(fit_map({200, 200}, {1, 1}, 8)), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::wsi
