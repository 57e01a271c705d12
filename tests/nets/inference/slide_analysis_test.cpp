#include "nets/inference/slide_analysis.h"

#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>

#include "nets/ensemble.h"
#include "nets/inference/stain_target.h"
#include "tests/base/temporary_folder.h"
#include "tests/nets/inference/colour_model.h"
#include "wsi/slide_writer.h"

namespace clmnet::nets {
namespace {

constexpr double kPale = 230, kDark = 120;  // red of normal and of tumour tissue

/// H&E-like colours: pink stroma, and darker, bluer tumour where `truth` says so; a glass margin around both.
cv::Mat painted(const cv::Mat& truth) {
  cv::Mat rgb(truth.size(), CV_8UC3, cv::Scalar(kPale, 150, 190));
  rgb.setTo(cv::Scalar(kDark, 70, 150), truth);
  cv::rectangle(rgb, {0, 0}, {rgb.cols - 1, rgb.rows - 1}, cv::Scalar(245, 245, 245), 100);
  return rgb;
}

/// A mosaic of tumour and normal tiles, 256 level-0 px each.
cv::Mat mosaic(int columns, int rows) {
  cv::Mat truth(rows * 256, columns * 256, CV_8U, cv::Scalar(0));
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) {
      if ((r * 7 + c * 3) % 4 == 0) truth(cv::Rect(c * 256, r * 256, 256, 256)).setTo(255);
    }
  }
  return truth;
}

class SlideAnalysisTest : public ::testing::Test {
 protected:
  SlideAnalysis run(const cv::Mat& rgb, SlideAnalysisOptions options, wsi::UmPerPx um_per_px = {0.5, 0.5}) {
    wsi::TiffSlideOptions slide_options;
    slide_options.um_per_px = um_per_px;
    slide_options.jpeg_quality = 95;
    slide_options.downsamples = {1, 2};
    slide_options.aperio = um_per_px.x == um_per_px.y;
    wsi::write_tiff_slide(folder_ / "slide.svs", rgb, slide_options);
    test::write_colour_model(folder_ / "model", 1.0, kPale, kDark);
    Ensemble ensemble(folder_ / "model", torch::kCPU);
    return analyze_slide(wsi::Slide(folder_ / "slide.svs"), ensemble, options, {});
  }

  static SlideAnalysisOptions options(int stride_px) {
    SlideAnalysisOptions options;
    options.stride_px = stride_px;
    options.map_px = 4;
    options.tissue.min_hole_mm2 = 0;
    return options;
  }
  test::TemporaryFolder folder_;
};

/// Share of the map's pixels that are right, those that a truth border runs through left out.
double agreement(const wsi::ProbabilityMap& map, const cv::Mat& probability, const cv::Mat& truth) {
  cv::Mat share;
  cv::resize(truth, share, probability.size(), 0, 0, cv::INTER_AREA);
  double right = 0, all = 0;
  for (int y = 0; y < share.rows; ++y) {
    for (int x = 0; x < share.cols; ++x) {
      const int s = share.at<uchar>(y, x);
      if (!map.valid.at<uchar>(y, x) || (s > 0 && s < 255)) continue;
      right += (probability.at<float>(y, x) >= 0.5F) == (s == 255);
      ++all;
    }
  }
  return right / all;
}

TEST_F(SlideAnalysisTest, TheMapLiesOnTheSlideToThePixelOfItsResolution) {
  const cv::Mat truth = mosaic(7, 6);
  for (const int stride : {64, 48}) {
    const SlideAnalysis analysis = run(painted(truth), options(stride));
    EXPECT_GT(analysis.tiles.size(), 100U);
    EXPECT_TRUE(analysis.incomplete.empty());
    EXPECT_GT(agreement(analysis.raw, analysis.raw.probability[0], truth), 0.995) << "stride " << stride;
    EXPECT_GT(agreement(analysis.refined, analysis.refined.probability[0], truth), 0.995) << "stride " << stride;
  }
}

TEST_F(SlideAnalysisTest, AModelThatWantsItsColoursGetsThemFromASlideOfAnotherStain) {
  const cv::Mat truth = mosaic(7, 6);
  const cv::Mat own = painted(truth);
  cv::Mat other = own.clone();
  other.forEach<cv::Vec3b>([](cv::Vec3b& p, const int*) {
    if (p[1] < 200) p *= 0.7;  // tissue alone is stained more strongly; both its colours are dark for the model now
  });
  const SlideAnalysis misled = run(other, options(64));
  EXPECT_LT(agreement(misled.raw, misled.raw.probability[0], truth), 0.8);

  ModelConfig config = read_model_config(folder_ / "model");
  config.stain = stain_target_of({{}, wsi::fit_reinhard(own(cv::Rect(128, 128, own.cols - 256, own.rows - 256)))});
  write_model_config(folder_ / "model", config);
  Ensemble ensemble(folder_ / "model", torch::kCPU);
  const SlideAnalysis analysis = analyze_slide(wsi::Slide(folder_ / "slide.svs"), ensemble, options(64), {});
  EXPECT_EQ(analysis.stain_warning, "");
  EXPECT_EQ(cv::norm(analysis.overview, misled.overview, cv::NORM_INF), 0) << "what people see keeps the slide's colours";
  EXPECT_GT(agreement(analysis.raw, analysis.raw.probability[0], truth), 0.98);
}

TEST_F(SlideAnalysisTest, ASlideWithTooLittleStainKeepsItsColoursAndSaysSo) {
  run(painted(cv::Mat::zeros(1024, 1024, CV_8U)), options(64));  // pink that Macenko's method takes for glass in red
  ModelConfig config = read_model_config(folder_ / "model");
  config.stain = stain_target_of(wsi::read_stain_reference("macenko", ""));
  write_model_config(folder_ / "model", config);
  Ensemble ensemble(folder_ / "model", torch::kCPU);
  const SlideAnalysis analysis = analyze_slide(wsi::Slide(folder_ / "slide.svs"), ensemble, options(64), {});
  ASSERT_FALSE(analysis.tiles.empty());
  EXPECT_NE(analysis.stain_warning.find("the colours were left as they are"), std::string::npos);
}

TEST_F(SlideAnalysisTest, AShiftOfOneMapPixelWouldBeSeen) {
  const cv::Mat truth = mosaic(7, 6);
  const SlideAnalysis analysis = run(painted(truth), options(64));
  cv::Mat shifted;
  const cv::Mat by_one = (cv::Mat_<double>(2, 3) << 1, 0, 8, 0, 1, 0);  // a map pixel has 8 level-0 px
  cv::warpAffine(truth, shifted, by_one, truth.size());
  EXPECT_LT(agreement(analysis.raw, analysis.raw.probability[0], shifted), 0.99);
}

TEST_F(SlideAnalysisTest, AnisotropicPixelsAreTakenIntoAccount) {
  const cv::Mat truth = mosaic(7, 6);
  const SlideAnalysis analysis = run(painted(truth), options(64), {0.5, 0.4});
  EXPECT_NE(analysis.raw.geometry.downsample_x, analysis.raw.geometry.downsample_y);
  // Truth borders fall inside map pixels here; a map that lay a map pixel elsewhere would agree less, on every side.
  const double in_place = agreement(analysis.raw, analysis.raw.probability[0], truth);
  EXPECT_GT(in_place, 0.98);
  for (const auto& [dx, dy] : {std::pair{8, 0}, std::pair{-8, 0}, std::pair{0, 10}, std::pair{0, -10}}) {
    cv::Mat shifted;
    const cv::Mat by = (cv::Mat_<double>(2, 3) << 1, 0, dx, 0, 1, dy);
    cv::warpAffine(truth, shifted, by, truth.size());
    EXPECT_LT(agreement(analysis.raw, analysis.raw.probability[0], shifted), in_place) << dx << ' ' << dy;
  }
}

TEST_F(SlideAnalysisTest, OneRowForEachTile) {
  const SlideAnalysis analysis = run(painted(mosaic(4, 4)), options(64));
  const int rows = static_cast<int>(analysis.tiles.size());
  EXPECT_EQ(analysis.probability.rows, rows);
  EXPECT_EQ(analysis.features.rows, rows);
  EXPECT_EQ(analysis.features.cols, 256);
  ASSERT_EQ(analysis.member_probability.size(), 1U);
  EXPECT_EQ(analysis.member_probability[0].rows, rows);
  EXPECT_EQ(analysis.raw.probability.size(), 2U);  // fused, one network
}

TEST_F(SlideAnalysisTest, ASlideWithoutTissueIsAResult) {
  const SlideAnalysis analysis = run(cv::Mat(1024, 1024, CV_8UC3, cv::Scalar(244, 244, 244)), options(64));
  EXPECT_EQ(analysis.tissue.area_mm2, 0);
  EXPECT_TRUE(analysis.tiles.empty());
  EXPECT_EQ(cv::countNonZero(analysis.refined.valid), 0);
  EXPECT_EQ(cv::countNonZero(analysis.refined.probability[0]), 0);
}

TEST_F(SlideAnalysisTest, WithoutTheCrfBothMapsAreEqual) {
  SlideAnalysisOptions plain = options(64);
  plain.refine = false;
  const SlideAnalysis analysis = run(painted(mosaic(4, 4)), plain);
  EXPECT_EQ(cv::norm(analysis.raw.probability[0], analysis.refined.probability[0], cv::NORM_INF), 0);
}

TEST_F(SlideAnalysisTest, ProgressCountsEveryTileAndMayStop) {
  wsi::write_tiff_slide(folder_ / "s.svs", painted(mosaic(4, 4)));
  test::write_colour_model(folder_ / "model", 1.0, kPale, kDark);
  Ensemble ensemble(folder_ / "model", torch::kCPU);
  const wsi::Slide slide(folder_ / "s.svs");
  std::size_t last = 0, total = 0;
  const SlideAnalysis analysis = analyze_slide(slide, ensemble, options(64), [&](std::size_t done, std::size_t all) {
    EXPECT_GT(done, last);
    last = done;
    total = all;
  });
  EXPECT_EQ(last, total);
  EXPECT_EQ(total, analysis.tiles.size());
  EXPECT_THROW(analyze_slide(slide, ensemble, options(64), [](std::size_t, std::size_t) { throw std::runtime_error("stop"); }),
               std::runtime_error);
}

}  // namespace
}  // namespace clmnet::nets
