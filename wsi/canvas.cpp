#include "wsi/canvas.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <opencv2/imgproc.hpp>

#include "wsi/picture_file.h"

namespace clmnet::wsi {
namespace {

cv::Mat render_with_strokes(const std::string& text, double size_px, bool bold) {
  const double scale = size_px / 34;
  const int thickness = bold ? 2 : 1;
  int below = 0;
  const cv::Size size = cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, scale, thickness, &below);
  cv::Mat coverage = cv::Mat::zeros(size.height + below + 2, size.width + 2, CV_8U);
  cv::putText(coverage, text, {0, size.height}, cv::FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv::LINE_AA);
  return coverage;
}

}  // namespace

cv::Mat render_text(const std::string& text, double size_px, bool bold) {
  if (text.empty()) return cv::Mat::zeros(1, 1, CV_8U);
  // Twice the size and scaled down: at small sizes the hinting of single letters would show.
  cv::Mat coverage = text_coverage(text, 2 * size_px, bold);
  if (coverage.empty()) coverage = render_with_strokes(text, 2 * size_px, bold);
  cv::Mat half;
  cv::resize(coverage, half, {std::max(1, coverage.cols / 2), std::max(1, coverage.rows / 2)}, 0, 0, cv::INTER_AREA);
  return half;
}

void draw_text(cv::Mat& rgb, const std::string& text, cv::Point at, double size_px, const Colour& colour, Align align, bool bold) {
  const cv::Mat coverage = render_text(text, size_px, bold);
  const int left = at.x - (align == Align::left ? 0 : align == Align::centre ? coverage.cols / 2 : coverage.cols);
  const int top = at.y - coverage.rows / 2;
  for (int y = std::max(0, -top); y < coverage.rows && top + y < rgb.rows; ++y) {
    for (int x = std::max(0, -left); x < coverage.cols && left + x < rgb.cols; ++x) {
      const double a = coverage.at<uchar>(y, x) / 255.0;
      auto& pixel = rgb.at<cv::Vec3b>(top + y, left + x);
      for (int c = 0; c < 3; ++c) {
        pixel[c] = cv::saturate_cast<uchar>(pixel[c] * (1 - a) + colour[static_cast<std::size_t>(c)] * a);
      }
    }
  }
}

double round_length(double most) {
  if (!(most > 0)) return 0;
  const double decade = std::pow(10, std::floor(std::log10(most) + 1e-12));
  for (const double step : {5.0, 2.0}) {
    if (step * decade <= most * (1 + 1e-12)) return step * decade;
  }
  return decade;
}

void draw_scale_bar(cv::Mat& rgb, cv::Point at, double um_per_px, double max_px, double text_px) {
  const double length_um = round_length(max_px * um_per_px);
  const int length_px = std::max(1, static_cast<int>(std::lround(length_um / um_per_px)));
  const int height = std::max(3, static_cast<int>(text_px / 4));
  cv::rectangle(rgb, cv::Rect(at.x, at.y - height, length_px, height), {40, 40, 40}, cv::FILLED);
  char label[32];
  if (length_um >= 100) {
    std::snprintf(label, sizeof label, "%g mm", length_um / 1000);
  } else {
    std::snprintf(label, sizeof label, "%g \xC2\xB5m", length_um);
  }
  draw_text(rgb, label, {at.x + length_px / 2, at.y - height - static_cast<int>(text_px * 0.75)}, text_px, {40, 40, 40}, Align::centre);
}

}  // namespace clmnet::wsi
