#include "wsi/heatmap.h"

#include <gtest/gtest.h>

#include <cmath>


#include <opencv2/core.hpp>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/error.h"
#include "wsi/colour_map.h"
#include "wsi/canvas.h"
#include "wsi/overlay.h"
#include "wsi/tiles_csv.h"
#include "tools/base/atomic_file.h"

namespace clmnet::wsi {
namespace {

ProbabilityMap gradient(int width, int height) {
  ProbabilityMap map;
  map.geometry = fit_map({width * 16, height * 16}, {0.5, 0.5}, 8);
  map.probability = {cv::Mat(height, width, CV_32F)};
  map.valid = cv::Mat(height, width, CV_8U, cv::Scalar(255));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) map.probability[0].at<float>(y, x) = static_cast<float>(x + y) / static_cast<float>(width + height);
  }
  map.valid(cv::Rect(0, 0, width / 4, height)) = 0;
  return map;
}

TEST(Heatmap, NoDataIsApartFromProbabilityZero) {
  auto map = gradient(40, 40);
  map.probability[0].setTo(0);
  map.probability[0].at<float>(20, 20) = 1;
  map.probability[0].at<float>(20, 21) = 0.5;
  const auto code = encode_probability(map, 0);
  EXPECT_EQ(code.at<uchar>(5, 5), 0);
  EXPECT_EQ(code.at<uchar>(5, 25), 1);
  EXPECT_EQ(code.at<uchar>(20, 20), 255);
  EXPECT_EQ(code.at<uchar>(20, 21), 128);
}

TEST(Heatmap, OpenSlideReadsItAsAPyramidWithItsResolution) {
  const TemporaryFolder folder;
  const auto map = gradient(700, 610);
  write_heatmap(folder / "heatmap.tiff", map);
  const Slide slide(folder / "heatmap.tiff", {std::nullopt, ReaderKind::openslide});
  EXPECT_EQ(slide.info().vendor, "generic-tiff");
  EXPECT_EQ(slide.extent(), (SizePx{700, 610}));
  ASSERT_EQ(slide.info().levels.size(), 3U);
  EXPECT_EQ(slide.info().levels[1].size, (SizePx{350, 305}));
  ASSERT_TRUE(slide.info().um_per_px);
  EXPECT_NEAR(slide.um_per_px().x, 8, 1e-4);
  const auto region = slide.read_scaled({300, 200}, 1, 1, {100, 100});
  const auto code = encode_probability(map, 0);
  for (int y = 0; y < 100; y += 7) {
    for (int x = 0; x < 100; x += 7) EXPECT_EQ(region.rgb.at<cv::Vec3b>(y, x)[1], code.at<uchar>(200 + y, 300 + x));
  }
}

TEST(Heatmap, AMapOfOnePixel) {
  const TemporaryFolder folder;
  write_heatmap(folder / "a.tiff", gradient(1, 1));
  EXPECT_EQ(Slide(folder / "a.tiff").extent(), (SizePx{1, 1}));
}

TEST(Heatmap, WhatCannotBeWrittenIsAnErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  EXPECT_THROW(write_heatmap(folder / "none" / "a.tiff", gradient(4, 4)), InputError);
  EXPECT_THROW(write_heatmap(folder / "a.tiff", gradient(4, 4), {.channel = 2}), std::invalid_argument);
  EXPECT_THROW(write_heatmap(folder / "a.tiff", gradient(4, 4), {.tile_px = 100}), std::invalid_argument);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ColourMap, IsViridis) {
  EXPECT_EQ(viridis(0), (std::array<std::uint8_t, 3>{68, 1, 84}));
  EXPECT_EQ(viridis(128 / 255.0), (std::array<std::uint8_t, 3>{33, 145, 140}));
  EXPECT_EQ(viridis(1), (std::array<std::uint8_t, 3>{253, 231, 37}));
  EXPECT_EQ(viridis(7), viridis(1));
  EXPECT_EQ(viridis(std::nan("")), viridis(0));
}

TEST(Overlay, ScaleBarsAreRound) {
  EXPECT_DOUBLE_EQ(round_length(4.9), 2);
  EXPECT_DOUBLE_EQ(round_length(5), 5);
  EXPECT_DOUBLE_EQ(round_length(1999), 1000);
  EXPECT_DOUBLE_EQ(round_length(0.03), 0.02);
  EXPECT_DOUBLE_EQ(round_length(0), 0);
}

TEST(Overlay, TheMapShowsWhereThereIsDataAndNowhereElse) {
  const auto map = gradient(100, 80);
  TissueMask tissue;
  tissue.geometry = map.geometry;
  tissue.mask = cv::Mat::zeros(80, 100, CV_8U);
  const cv::Mat overview(800, 1000, CV_8UC3, cv::Scalar(240, 240, 240));
  OverlayOptions options;
  options.max_side_px = 1000;
  const auto with = draw_overlay(overview, map, tissue, {}, options);
  const auto without = draw_overlay(overview, {}, tissue, {}, options);
  // The picture lies at the same place on both sheets; the left quarter has no data.
  const int text = std::clamp(1000 / 58, 11, 40);
  const cv::Rect left(2 * text, 4 * text, 200, 800), right(2 * text + 600, 4 * text, 400, 800);
  EXPECT_EQ(cv::norm(with(left), without(left), cv::NORM_INF), 0);
  EXPECT_GT(cv::mean(cv::abs(with(right) - without(right)))[0], 20);
}

TEST(Overlay, ASmallSlideIsNotBlownUp) {
  TissueMask tissue;
  tissue.geometry = gradient(100, 80).geometry;
  tissue.mask = cv::Mat::zeros(80, 100, CV_8U);
  const cv::Mat overview(400, 500, CV_8UC3, cv::Scalar(240, 240, 240));
  const auto sheet = draw_overlay(overview, {}, tissue, {}, {.max_side_px = 2000});
  EXPECT_GE(sheet.cols, 1000);
  EXPECT_LT(sheet.cols, 1300);
}

TEST(Overlay, PicturesOfNoSizeAreTheCallersBug) {
  EXPECT_THROW(draw_overlay({}, {}, {}, {}), std::invalid_argument);
  EXPECT_THROW(draw_overlay(cv::Mat::zeros(4, 4, CV_8UC3), gradient(4, 4), {}, {}, {.channel = 3}), std::invalid_argument);
  EXPECT_THROW(write_png("/nowhere/at/all.png", cv::Mat::zeros(4, 4, CV_8U)), InputError);
  EXPECT_THROW(write_png("a.png", cv::Mat()), std::invalid_argument);
}

TEST(TilesCsv, AsWsInferWritesIt) {
  const TemporaryFolder folder;
  const std::vector<TileSpec> tiles{{{0, 0}, 0, 0}, {{512, 1024}, 1, 2}};
  write_tiles_csv(folder / "tiles.csv", tiles, {512, 510}, {{"prob_tumor", {0.25F, std::nanf("")}}, {"vgg16", {1, 0}}});
  EXPECT_EQ(read_whole_file(folder / "tiles.csv"),
            "minx,miny,width,height,prob_tumor,vgg16\n0,0,512,510,0.25,1\n512,1024,512,510,,0\n");
  EXPECT_THROW(write_tiles_csv(folder / "tiles.csv", tiles, {1, 1}, {{"a", {1}}}), std::invalid_argument);
  EXPECT_THROW(write_tiles_csv(folder / "none" / "tiles.csv", tiles, {1, 1}, {}), InputError);
}

}  // namespace
}  // namespace clmnet::wsi
