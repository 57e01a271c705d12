#include "wsi/tissue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "tools/base/error.h"
#include "wsi/picture_file.h"

namespace clmnet::wsi {
namespace {

namespace fs = std::filesystem;

fs::path data_folder() {
  const char* folder = std::getenv("CLMNET_DATA");
  return folder ? fs::path(folder) : fs::path(CLMNET_SOURCE_DIR) / ".." / "shared" / "data";
}

/// Share of `of` that `mask` has set.
double share(const cv::Mat& mask, const cv::Mat& of) {
  return cv::countNonZero(mask & of) / static_cast<double>(std::max(1, cv::countNonZero(of)));
}

double intersection_over_union(const cv::Mat& a, const cv::Mat& b) {
  return cv::countNonZero(a & b) / static_cast<double>(cv::countNonZero(a | b));
}

/// Glass of 800 x 600 px at 8 um/px with an eosin-pink ellipse full of haematoxylin dots.
struct Drawing {
  cv::Mat rgb{600, 800, CV_8UC3, cv::Scalar(242, 242, 242)};
  cv::Mat truth = cv::Mat::zeros(600, 800, CV_8U);
  MapGeometry geometry = fit_map({12800, 9600}, {0.5, 0.5}, 8);

  Drawing() {
    cv::ellipse(truth, {300, 300}, {200, 150}, 0, 0, 360, 255, cv::FILLED);
    rgb.setTo(cv::Scalar(225, 170, 205), truth);
    cv::RNG random(7);
    for (int i = 0; i < 4000; ++i) {
      const cv::Point at(random.uniform(100, 500), random.uniform(150, 450));
      if (truth.at<uchar>(at)) cv::circle(rgb, at, 1, {120, 80, 150}, cv::FILLED);
    }
  }
  TissueMask find(const TissueOptions& options = {}) const { return find_tissue(rgb, geometry, options); }
};

TEST(Tissue, ADrawnEllipse) {
  const Drawing drawing;
  const auto tissue = drawing.find();
  EXPECT_GT(intersection_over_union(tissue.mask, drawing.truth), 0.97);
  // pi * 200 * 150 px of 64 um2 each.
  EXPECT_NEAR(tissue.area_mm2, 3.14159 * 200 * 150 * 64e-6, 0.15);
  EXPECT_EQ(cv::countNonZero(tissue.ink), 0);
}

TEST(Tissue, GlassAloneIsAnEmptyMask) {
  Drawing drawing;
  drawing.rgb.setTo(cv::Scalar(243, 244, 242));
  EXPECT_EQ(drawing.find().area_mm2, 0);
  drawing.rgb.setTo(cv::Scalar(0, 0, 0));
  EXPECT_EQ(drawing.find().area_mm2, 0);
  drawing.rgb.setTo(cv::Scalar(255, 255, 255));
  EXPECT_EQ(drawing.find().area_mm2, 0);
}

TEST(Tissue, AFewPixelsDoNotCrash) {
  const auto geometry = fit_map({5, 3}, {8, 8}, 8);
  const auto tissue = find_tissue(cv::Mat(3, 5, CV_8UC3, cv::Scalar(190, 120, 180)), geometry);
  EXPECT_EQ(tissue.mask.size(), cv::Size(5, 3));
}

TEST(Tissue, TissueToTheEdgesIsFoundWithoutGlass) {
  Drawing drawing;
  drawing.rgb.setTo(cv::Scalar(200, 130, 185));
  EXPECT_GT(cv::countNonZero(drawing.find().mask), 0.97 * 800 * 600);
}

TEST(Tissue, GreyNoiseOfFilledAndScannedTilesIsGlass) {
  Drawing drawing;
  drawing.rgb.setTo(cv::Scalar(244, 244, 244));
  cv::Mat noise(300, 800, CV_8UC3);
  cv::randn(noise, cv::Scalar(238, 238, 240), cv::Scalar(3, 3, 3));
  noise.copyTo(drawing.rgb.rowRange(300, 600));
  EXPECT_EQ(drawing.find().area_mm2, 0);
}

class InkTest : public testing::TestWithParam<std::tuple<const char*, cv::Scalar>> {};

TEST_P(InkTest, OnGlassIsNotTissue) {
  Drawing drawing;
  const cv::Mat before = drawing.find().mask;
  cv::Mat pen = cv::Mat::zeros(drawing.truth.size(), CV_8U);
  cv::line(pen, {560, 50}, {760, 500}, 255, 24);
  drawing.rgb.setTo(std::get<1>(GetParam()), pen);
  cv::GaussianBlur(drawing.rgb, drawing.rgb, {0, 0}, 0.8);
  const auto tissue = drawing.find();
  EXPECT_EQ(share(tissue.mask, pen), 0);
  EXPECT_GT(intersection_over_union(tissue.mask, before), 0.97);
}

TEST_P(InkTest, OverTissueIsTakenOutAndTheRestStays) {
  Drawing drawing;
  cv::Mat pen = cv::Mat::zeros(drawing.truth.size(), CV_8U);
  cv::line(pen, {20, 300}, {700, 330}, 255, 20);
  drawing.rgb.setTo(std::get<1>(GetParam()), pen);
  const auto tissue = drawing.find();
  EXPECT_LT(share(tissue.mask, pen), 0.02);
  cv::Mat rest, wide;
  cv::dilate(pen, wide, cv::Mat::ones(13, 13, CV_8U));
  rest = drawing.truth & ~wide;
  EXPECT_GT(share(tissue.mask, rest), 0.95);
  EXPECT_GT(share(tissue.ink, pen), 0.95);
}

INSTANTIATE_TEST_SUITE_P(Colours, InkTest,
                         testing::Values(std::tuple("green", cv::Scalar(30, 130, 70)), std::tuple("blue", cv::Scalar(30, 60, 160)),
                                         std::tuple("red", cv::Scalar(205, 30, 45)), std::tuple("black", cv::Scalar(35, 35, 40))),
                         [](const auto& test_case) { return std::string(std::get<0>(test_case.param)); });

// A fold lets through the square of what the layer does: (142, 95, 138) of 244 becomes (83, 37, 78).
TEST(Tissue, AFoldOfDarkTissueIsNoPen) {
  Drawing drawing;
  drawing.rgb.setTo(cv::Scalar(142, 95, 138), drawing.truth);
  const cv::Mat before = drawing.find().mask;
  cv::Mat fold = cv::Mat::zeros(drawing.truth.size(), CV_8U);
  cv::line(fold, {150, 250}, {450, 350}, 255, 20);
  drawing.rgb.setTo(cv::Scalar(83, 37, 78), fold);
  const auto tissue = drawing.find();
  EXPECT_EQ(cv::countNonZero(tissue.ink), 0);
  EXPECT_GT(intersection_over_union(tissue.mask, before), 0.999);
}

// At 2 um/px what is dark in a nucleus is some pixels as dark as a pen; at 8 um/px it is a part of one.
TEST(Tissue, NucleiAreNoPenInAFineMask) {
  const auto geometry = fit_map({3200, 3200}, {0.5, 0.5}, 2);
  cv::Mat rgb(800, 800, CV_8UC3, cv::Scalar(242, 242, 242));
  rgb(cv::Rect(200, 200, 400, 400)).setTo(cv::Scalar(205, 140, 190));
  for (int y = 204; y < 600; y += 7) {
    for (int x = 204; x < 600; x += 7) cv::circle(rgb, {x, y}, 1, {45, 30, 60}, cv::FILLED);
  }
  TissueOptions options;
  options.um_per_px = 2;
  const auto tissue = find_tissue(rgb, geometry, options);
  EXPECT_EQ(cv::countNonZero(tissue.ink), 0);
  EXPECT_NEAR(tissue.area_mm2, 0.8 * 0.8, 0.05);
}

TEST(Tissue, CoverslipEdgeAndBubbleAreGlass) {
  Drawing drawing;
  const cv::Mat before = drawing.find().mask;
  cv::line(drawing.rgb, {0, 560}, {799, 575}, {150, 150, 152}, 9);
  cv::circle(drawing.rgb, {660, 200}, 70, {110, 110, 112}, 8);
  cv::circle(drawing.rgb, {660, 200}, 60, {190, 190, 192}, 5);
  const auto tissue = drawing.find();
  EXPECT_GT(intersection_over_union(tissue.mask, before), 0.999);
}

TEST(Tissue, LargeHolesAreKeptAndSmallOnesFilled) {
  Drawing drawing;
  cv::circle(drawing.rgb, {300, 300}, 40, {242, 242, 242}, cv::FILLED);  // 0.32 mm2
  cv::circle(drawing.rgb, {180, 300}, 8, {242, 242, 242}, cv::FILLED);   // 0.013 mm2
  const auto tissue = drawing.find();
  EXPECT_EQ(tissue.mask.at<uchar>(300, 300), 0);
  EXPECT_EQ(tissue.mask.at<uchar>(300, 180), 255);
}

TEST(Tissue, PiecesAreKeptDownToTheStatedArea) {
  Drawing drawing;
  cv::circle(drawing.rgb, {700, 100}, 14, {190, 110, 175}, cv::FILLED);  // 0.039 mm2
  cv::circle(drawing.rgb, {700, 300}, 3, {190, 110, 175}, cv::FILLED);   // 0.0018 mm2
  const auto tissue = drawing.find();
  EXPECT_EQ(tissue.mask.at<uchar>(100, 700), 255);
  EXPECT_EQ(tissue.mask.at<uchar>(300, 700), 0);
  TissueOptions strict;
  strict.min_piece_mm2 = 0.05;
  EXPECT_EQ(drawing.find(strict).mask.at<uchar>(100, 700), 0);
}

TEST(Tissue, AnOverviewOfAnotherSizeOrTypeIsTheCallersBug) {
  const Drawing drawing;
  EXPECT_THROW(find_tissue(drawing.rgb.rowRange(0, 10), drawing.geometry), std::invalid_argument);
  EXPECT_THROW(find_tissue(drawing.truth, drawing.geometry), std::invalid_argument);
}

/// The real slide and the mask that was drawn for it.
class PolypTest : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path slides = data_folder() / "slides";
    if (!fs::exists(slides / "polyp-20x-tissue.png")) GTEST_SKIP() << "no polyp-20x.svs in " << slides << "; set CLMNET_DATA";
    reference_ = read_picture(slides / "polyp-20x-tissue.png", cv::IMREAD_GRAYSCALE) > 127;
    slide_.emplace(slides / "polyp-20x.svs");
    geometry_ = fit_map(slide_->extent(), slide_->um_per_px(), 8);
    overview_ = read_overview(*slide_, geometry_);
    before_ = find_tissue(overview_, geometry_).mask;
  }
  /// What is drawn over `where` in `colour`, half transparent at its rim.
  TissueMask with(const cv::Mat& where, const cv::Scalar& colour) const {
    cv::Mat drawn = overview_.clone();
    drawn.setTo(colour, where);
    cv::GaussianBlur(drawn, drawn, {0, 0}, 0.7);
    return find_tissue(drawn, geometry_);
  }
  std::optional<Slide> slide_;
  MapGeometry geometry_;
  cv::Mat reference_, overview_, before_;
};

TEST_F(PolypTest, AgreesWithTheDrawnMask) {
  const auto start = std::chrono::steady_clock::now();
  const auto tissue = find_tissue(*slide_);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ASSERT_EQ(tissue.mask.size(), reference_.size());
  const double agreement = intersection_over_union(tissue.mask, reference_);
  std::cout << "intersection over union " << agreement << ", " << seconds << " s\n";
  EXPECT_GE(agreement, 0.95);
}

TEST_F(PolypTest, TheMaskHardlyDependsOnItsResolution) {
  for (const double um : {4.0, 16.0}) {
    TissueOptions options;
    options.um_per_px = um;
    const auto tissue = find_tissue(*slide_, options);
    cv::Mat same;
    cv::resize(tissue.mask, same, before_.size(), 0, 0, cv::INTER_AREA);
    EXPECT_GT(intersection_over_union(same > 127, before_), 0.95) << um;
    EXPECT_EQ(cv::countNonZero(tissue.ink), 0) << um;
  }
}

TEST_F(PolypTest, PenOfFourColoursOverRealTissue) {
  cv::Mat pen = cv::Mat::zeros(reference_.size(), CV_8U);
  cv::ellipse(pen, {600, 450}, {330, 330}, 0, 0, 300, 255, 22);
  cv::Mat wide;
  cv::dilate(pen, wide, cv::Mat::ones(15, 15, CV_8U));
  for (const auto& colour : {cv::Scalar(30, 130, 70), cv::Scalar(40, 60, 160), cv::Scalar(210, 30, 45), cv::Scalar(30, 30, 35)}) {
    const auto tissue = with(pen, colour);
    EXPECT_LT(share(tissue.mask, pen), 0.02) << colour;
    EXPECT_GT(intersection_over_union(tissue.mask & ~wide, before_ & ~wide), 0.97) << colour;
  }
}

TEST_F(PolypTest, ABubbleBesideTheTissueChangesNothing) {
  cv::Mat ring = cv::Mat::zeros(reference_.size(), CV_8U);
  cv::circle(ring, {800, 1000}, 90, 255, 10);
  const auto tissue = with(ring, {125, 126, 128});
  EXPECT_LT(share(tissue.mask, ring), 0.02);
  EXPECT_GT(intersection_over_union(tissue.mask, before_), 0.97);
}

TEST_F(PolypTest, TheEdgeOfACoverslipAcrossTheSlideChangesNothing) {
  cv::Mat edge = cv::Mat::zeros(reference_.size(), CV_8U), shadow = edge.clone();
  cv::line(edge, {8, 0}, {40, 1727}, 255, 5);
  cv::line(edge, {0, 1690}, {975, 1712}, 255, 5);
  cv::line(edge, {940, 0}, {965, 1727}, 255, 5);
  cv::line(shadow, {0, 1680}, {975, 1702}, 255, 16);
  cv::Mat wide;
  cv::dilate(edge | shadow, wide, cv::Mat::ones(15, 15, CV_8U));
  const auto tissue = with(edge | shadow, {150, 150, 152});
  EXPECT_LT(share(tissue.mask, edge), 0.02);
  EXPECT_GT(intersection_over_union(tissue.mask & ~wide, before_ & ~wide), 0.97);
}

TEST_F(PolypTest, BlurKeepsTheTissue) {
  cv::Mat blurred;
  cv::GaussianBlur(overview_, blurred, {0, 0}, 3);
  EXPECT_GT(intersection_over_union(find_tissue(blurred, geometry_).mask, before_), 0.93);
}

TEST(TissueOfASlide, WithoutPixelSizeNamesTheFlag) {
  const fs::path path = data_folder() / "slides" / "tcga-cr-7395-01a-01-ts1.svs";
  if (!fs::exists(path)) GTEST_SKIP() << "no " << path << "; set CLMNET_DATA";
  try {
    find_tissue(Slide(path));
    FAIL() << "a pixel size was guessed";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("--mpp"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace clmnet::wsi
