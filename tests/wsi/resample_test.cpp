#include "wsi/resample.h"

#include <random>

#include <gtest/gtest.h>

namespace clmnet::wsi {
namespace {

cv::Mat noise(int rows, int columns) {
  cv::Mat image(rows, columns, CV_8UC3);
  std::mt19937 random(3);
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < columns * 3; ++i) image.ptr<std::uint8_t>(row)[i] = static_cast<std::uint8_t>(random());
  }
  return image;
}

/// The definition, pixel by pixel: the integral of the source over the square that the target pixel covers.
double mean_over(const cv::Mat& source, double left, double top, double width, double height, int channel) {
  double sum = 0;
  for (int y = 0; y < source.rows; ++y) {
    const double dy = std::min(top + height, y + 1.0) - std::max(top, y * 1.0);
    for (int x = 0; x < source.cols && dy > 0; ++x) {
      const double dx = std::min(left + width, x + 1.0) - std::max(left, x * 1.0);
      if (dx > 0) sum += dx * dy * source.at<cv::Vec3b>(y, x)[channel];
    }
  }
  return sum / (width * height);
}

TEST(Resample, AreaEqualsTheDefinition) {
  const cv::Mat source = noise(40, 50);
  for (const auto& [x, y] : {std::pair<AxisMap, AxisMap>{{0, 2}, {0, 2}}, {{0.25, 1}, {0.75, 1}}, {{1.4, 1.37}, {0.2, 2.9}}, {{3, 4}, {2, 8}}}) {
    cv::Mat target(4, 7, CV_8UC3);
    resample(source, target, x, y);
    for (int row = 0; row < target.rows; ++row) {
      for (int column = 0; column < target.cols; ++column) {
        const double expected = mean_over(source, x.offset + column * x.ratio, y.offset + row * y.ratio, x.ratio, y.ratio, 1);
        EXPECT_NEAR(target.at<cv::Vec3b>(row, column)[1], expected, 0.51) << x.ratio << " " << row << " " << column;
      }
    }
  }
}

// Two pixels 0 and 100, magnified twice: centres at -.25, .25, .75, 1.25 of the line between their centres at 0 and 1.
TEST(Resample, MagnifiesBetweenCentres) {
  cv::Mat source(1, 4, CV_8UC3, cv::Scalar::all(0));
  source.at<cv::Vec3b>(0, 2) = {100, 100, 100};
  source.at<cv::Vec3b>(0, 3) = {100, 100, 100};
  cv::Mat target(1, 4, CV_8UC3);
  resample(source, target, {1, 0.5}, {0, 1});
  EXPECT_EQ(target.at<cv::Vec3b>(0, 0)[0], 0);
  EXPECT_EQ(target.at<cv::Vec3b>(0, 1)[0], 25);
  EXPECT_EQ(target.at<cv::Vec3b>(0, 2)[0], 75);
  EXPECT_EQ(target.at<cv::Vec3b>(0, 3)[0], 100);
}

TEST(Resample, SpanHoldsWhatIsNeeded) {
  const auto area = source_span({2.5, 3}, 4);
  EXPECT_EQ(area.begin, 2);
  EXPECT_EQ(area.end, 15);
  const auto exact = source_span({4, 2}, 3);
  EXPECT_EQ(exact.begin, 4);
  EXPECT_EQ(exact.end, 10);
}

// 0.1 * 3 is not 0.3: a border that is a whole number but for the last digit takes no pixel more.
TEST(Resample, BordersSurviveRounding) {
  const auto span = source_span({0.1 * 3 - 0.3 + 5, 1}, 10);
  EXPECT_EQ(span.begin, 5);
  EXPECT_EQ(span.end, 15);
}

TEST(Resample, CopyMeansNoDriftOverTheWholeWidth) {
  EXPECT_TRUE(is_copy({17, 1}, 100000));
  EXPECT_FALSE(is_copy({17, 1.00001}, 100000));
  EXPECT_TRUE(is_copy({17, 1.00001}, 100));
  EXPECT_FALSE(is_copy({17.25, 1}, 100));
  EXPECT_FALSE(is_copy({0, 2}, 1));
}

TEST(Resample, RefusesASourceThatIsTooSmall) {
  const cv::Mat source = noise(10, 10);
  cv::Mat target(6, 6, CV_8UC3);
  EXPECT_THROW(resample(source, target, {0, 2}, {0, 1}), std::invalid_argument);
  EXPECT_THROW(resample(source, target, {-1, 1}, {0, 1}), std::invalid_argument);
  EXPECT_THROW(resample(source, target, {0, 1}, {5, 1}), std::invalid_argument);
}

TEST(Resample, RefusesOtherPixelTypes) {
  const cv::Mat grey(10, 10, CV_8UC1);
  cv::Mat target(4, 4, CV_8UC3);
  EXPECT_THROW(resample(grey, target, {0, 1}, {0, 1}), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::wsi
