#include "wsi/quality.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/atomic_file.h"
#include "wsi/tiff_file.h"

namespace clmnet::wsi {
namespace {

cv::Mat painted(int side) {
  cv::Mat rgb(side, side, CV_8UC3);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const Rgb pixel = tissue_like(x, y);
      rgb.at<cv::Vec3b>(y, x) = {pixel.r, pixel.g, pixel.b};
    }
  }
  return rgb;
}

cv::Mat blurred(const cv::Mat& rgb, double sigma) {
  cv::Mat result;
  cv::GaussianBlur(rgb, result, {0, 0}, sigma);
  return result;
}

TEST(Focus, FallsAsThePictureIsBlurred) {
  const cv::Mat sharp = painted(192);
  double before = focus_score(sharp);
  EXPECT_GT(before, 0.3);
  for (const double sigma : {1.0, 2.0, 4.0, 8.0}) {
    const double score = focus_score(blurred(sharp, sigma));
    EXPECT_LT(score, before) << sigma;
    before = score;
  }
  EXPECT_LT(before, 0.15);
}

TEST(Focus, OfAnEdgeIsAsWorkedOutByHand) {
  // A step under a Gaussian g has the slope g[n] + g[n+1] in Sobel's difference over two pixels. The sum of its squares is
  // 2 R(0) + 2 R(1) with g's autocorrelation R(k) = exp(-k^2 / 4s^2) / (2 s sqrt(pi)): 1.290 for s = 0.7, 0.547 for s = 2.
  const auto energy = [](double s) { return (1 + std::exp(-1 / (4 * s * s))) / s; };
  cv::Mat edge(192, 192, CV_8UC3, cv::Scalar(220, 220, 220));
  edge.colRange(0, 96).setTo(cv::Scalar(60, 60, 60));
  EXPECT_NEAR(focus_score(edge), 1 - energy(2.0) / energy(0.7), 0.01);
}

TEST(Focus, DoesNotDependOnContrast) {
  const cv::Mat sharp = painted(192);
  cv::Mat pale;
  sharp.convertTo(pale, CV_8UC3, 0.5, 110);
  EXPECT_NEAR(focus_score(pale), focus_score(sharp), 0.03);
}

TEST(Focus, NothingToSeeIsNotSharp) {
  EXPECT_EQ(focus_score(cv::Mat(64, 64, CV_8UC3, cv::Scalar(230, 230, 230))), 0);
  cv::Mat noise(192, 192, CV_8UC3);
  cv::randn(noise, cv::Scalar(230, 230, 232), cv::Scalar(0.4, 0.4, 0.4));
  EXPECT_EQ(focus_score(noise), 0);
}

/// 200 x 200 px of evenly stained tissue at 8 um/px.
struct Even {
  cv::Mat rgb{200, 200, CV_8UC3, cv::Scalar(215, 150, 195)};
  TissueMask tissue;
  Even() {
    tissue.geometry = fit_map({3200, 3200}, {0.5, 0.5}, 8);
    tissue.mask = cv::Mat(200, 200, CV_8U, cv::Scalar(255));
  }
};

/// As light that goes through the section twice.
void fold(cv::Mat& rgb, const cv::Mat& where) {
  rgb.forEach<cv::Vec3b>([&](cv::Vec3b& p, const int* at) {
    if (where.at<uchar>(at[0], at[1]) == 0) return;
    for (int c = 0; c < 3; ++c) p[c] = cv::saturate_cast<uchar>(245.0 * std::pow(p[c] / 245.0, 2.6));
  });
}

double share(const cv::Mat& mask, const cv::Mat& of) { return cv::countNonZero(mask & of) / std::max(1.0, static_cast<double>(cv::countNonZero(of))); }

TEST(Folds, ABandOfTwiceTheStainIsFound) {
  Even even;
  cv::Mat band = cv::Mat::zeros(200, 200, CV_8U);
  cv::line(band, {20, 60}, {180, 140}, 255, 14);
  fold(even.rgb, band);
  const cv::Mat found = find_folds(even.rgb, even.tissue);
  EXPECT_GT(share(found, band), 0.75);
  EXPECT_LT(share(found, 255 - band), 0.01);
}

TEST(Folds, EvenTissueGlassAndLymphoidTissueAreNone) {
  Even even;
  EXPECT_EQ(cv::countNonZero(find_folds(even.rgb, even.tissue)), 0);
  // Crowded nuclei: much haematoxylin, hardly more eosin.
  cv::circle(even.rgb, {100, 100}, 30, {105, 85, 165}, cv::FILLED);
  EXPECT_EQ(cv::countNonZero(find_folds(even.rgb, even.tissue)), 0);
  even.tissue.mask.setTo(0);
  EXPECT_EQ(cv::countNonZero(find_folds(even.rgb, even.tissue)), 0);
}

TEST(Folds, OnGlassBesideTheTissueDoNotCount) {
  Even even;
  cv::Mat band = cv::Mat::zeros(200, 200, CV_8U);
  band.colRange(150, 170).setTo(255);
  fold(even.rgb, band);
  even.tissue.mask.colRange(120, 200).setTo(0);
  EXPECT_EQ(cv::countNonZero(find_folds(even.rgb, even.tissue)), 0);
}

/// Two pieces of tissue on one slide: the left one sharp, the right one out of focus.
class TwoPieces : public testing::Test {
 protected:
  TwoPieces() {
    const cv::Mat sharp = painted(1024), soft = blurred(sharp, 5);
    TiffFixture fixture;
    fixture.width = 2304;
    fixture.height = 1152;
    fixture.tile = 256;
    fixture.downsamples = {1, 4};
    fixture.description = "Aperio Image Library v1\n2304x1152|MPP = 1.0";
    fixture.paint = [=](int x, int y) -> Rgb {
      const int left = x < 1152 ? 64 : 1216;
      if (x < left || x >= left + 1024 || y < 64 || y >= 64 + 1024) return {243, 243, 243};
      const auto& p = (x < 1152 ? sharp : soft).at<cv::Vec3b>(y - 64, x - left);
      return {p[0], p[1], p[2]};
    };
    write_tiff(path_, fixture);
  }

  std::vector<RegionQuality> assess(const Slide& slide) const {
    TissueMask tissue;
    tissue.geometry = fit_map(slide.extent(), slide.um_per_px(), 8);
    tissue.mask = cv::Mat::zeros(static_cast<int>(tissue.geometry.size.height), static_cast<int>(tissue.geometry.size.width), CV_8U);
    // The left piece is two pixels of the mask taller, so that it comes first.
    tissue.mask(cv::Rect(8, 8, 128, 128)).setTo(255);
    tissue.mask(cv::Rect(152, 8, 128, 126)).setTo(255);
    return assess_regions(slide, tissue, trace_regions(tissue.mask, tissue.geometry), cv::Mat::zeros(tissue.mask.size(), CV_8U));
  }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "two.svs";
};

TEST_F(TwoPieces, OneIsSharpAndOneIsBlurred) {
  const QualityOptions options;
  const auto quality = assess(Slide(path_));
  ASSERT_EQ(quality.size(), 2U);
  EXPECT_GT(quality[0].focus, 1.5 * quality[1].focus);
  EXPECT_LT(quality[1].focus, options.blurred_below);
  EXPECT_GT(quality[1].blurred_share, 0.5) << "places at its rim see the sharp border to the glass";
  EXPECT_GT(quality[0].samples, 20);
  EXPECT_NEAR(quality[0].area_mm2, 128 * 128 * 64e-6, 0.02);
  EXPECT_EQ(quality[0].fold_share, 0);
}

TEST_F(TwoPieces, PlacesThatCannotBeReadAreNotCalledBlurred) {
  std::string bytes = read_whole_file(path_);
  const TiffFile file(path_);
  const TiffLevel& level = file.levels().front();
  for (std::size_t i = 0; i < level.offsets.size(); ++i) {
    if (i % 9 < 4) std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(level.offsets[i]), level.byte_counts[i], '\0');
  }
  std::ofstream(path_, std::ios::binary) << bytes;
  const auto quality = assess(Slide(path_));
  ASSERT_EQ(quality.size(), 2U);
  EXPECT_EQ(quality[0].samples, 0);
  EXPECT_TRUE(std::isnan(quality[0].focus));
  EXPECT_EQ(quality[0].blurred_share, 0);
  EXPECT_GT(quality[1].samples, 20);
}

/// The shared slide's tissue, on which damage is drawn.
class RealTissue : public testing::Test {
 protected:
  void SetUp() override {
    CLMNET_SHARED_SLIDE(path, "polyp-20x.svs");
    slide_.emplace(path);
    tissue_ = find_tissue(*slide_);
  }

  /// Places inside the tissue, spread over it, at 1 um/px.
  std::vector<cv::Mat> places() const {
    cv::Mat inner;
    cv::erode(tissue_.mask, inner, cv::Mat::ones(41, 41, CV_8U));
    std::vector<cv::Point> all;
    cv::findNonZero(inner, all);
    std::vector<cv::Mat> pictures;
    for (std::size_t i = 0; i < 24; ++i) {
      const auto& at = all[i * (all.size() - 1) / 23];
      pictures.push_back(slide_->read({at.x * 16 - 192, at.y * 16 - 192}, {1, 1}, {192, 192}).rgb);
    }
    return pictures;
  }

  std::optional<Slide> slide_;
  TissueMask tissue_;
};

TEST_F(RealTissue, BlurIsSeenAtEveryPlace) {
  const QualityOptions options;
  int sharp = 0, blurred_places = 0;
  double least = 1;
  for (const auto& picture : places()) {
    const double score = focus_score(picture);
    sharp += score >= options.blurred_below ? 1 : 0;
    least = std::min(least, score);
    const cv::Mat soft = blurred(picture, 5);
    EXPECT_LT(focus_score(soft), score);
    blurred_places += focus_score(soft) < options.blurred_below ? 1 : 0;
  }
  EXPECT_GE(sharp, 22) << "of 24 places of a slide that is in focus; the least " << least;
  EXPECT_EQ(blurred_places, 24);
}

TEST_F(RealTissue, AFoldDrawnOverItIsFoundAndLittleElse) {
  cv::Mat overview = read_overview(*slide_, tissue_.geometry);
  const cv::Mat before = find_folds(overview, tissue_);
  cv::Mat band = cv::Mat::zeros(overview.size(), CV_8U);
  cv::ellipse(band, {static_cast<int>(tissue_.geometry.size.width) / 2, static_cast<int>(tissue_.geometry.size.height) / 2}, {250, 500}, 0, 0, 360, 255, 12);
  band &= tissue_.mask;
  ASSERT_GT(cv::countNonZero(band), 2000);
  fold(overview, band);
  const cv::Mat found = find_folds(overview, tissue_);
  EXPECT_LT(share(before, tissue_.mask), 0.03);
  EXPECT_GT(share(found, band), 0.5);
  cv::Mat wide;
  cv::dilate(band, wide, cv::Mat::ones(9, 9, CV_8U));
  EXPECT_LT(share(found, tissue_.mask & ~wide), 0.03);
}

}  // namespace
}  // namespace clmnet::wsi
