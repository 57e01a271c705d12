#include "wsi/overview.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <opencv2/imgproc.hpp>

namespace clmnet::wsi {
namespace {

constexpr int kStripPx = 1024;
constexpr int kSmallestPartPx = 8;  // of the overview; smaller ones are not worth another read

class OverviewReader {
 public:
  OverviewReader(const Slide& slide, const MapGeometry& geometry)
      : slide_(slide),
        geometry_(geometry),
        rgb_(static_cast<int>(geometry.size.height), static_cast<int>(geometry.size.width), CV_8UC3),
        missing_(rgb_.size(), CV_8U, cv::Scalar(0)) {}

  void read_all() {
    for (int top = 0; top < rgb_.rows; top += kStripPx) read({0, top, rgb_.cols, std::min(kStripPx, rgb_.rows - top)});
  }

  const cv::Mat& missing() const { return missing_; }
  cv::Mat& rgb() { return rgb_; }

 private:
  /// Narrows a gap down to small parts, and looks for these on finer levels.
  void read(const cv::Rect& part) {
    if (read_at(part, 1)) return;
    if (part.width > kSmallestPartPx || part.height > kSmallestPartPx) {
      const int left = std::max(kSmallestPartPx, part.width / 2), top = std::max(kSmallestPartPx, part.height / 2);
      for (int y = 0; y < part.height; y += top) {
        for (int x = 0; x < part.width; x += left) {
          read({part.x + x, part.y + y, std::min(left, part.width - x), std::min(top, part.height - y)});
        }
      }
      return;
    }
    for (const int finer : {4, 16}) {
      if (read_at(part, finer)) return;
    }
    missing_(part) = 255;
  }

  /// The part as the mean of finer x finer pixels each; false, and nothing kept, where not all of it can be decoded.
  bool read_at(const cv::Rect& part, int finer) {
    if (geometry_.downsample_x < finer || geometry_.downsample_y < finer) return false;
    const Level0Px origin{std::llround(part.x * geometry_.downsample_x), std::llround(part.y * geometry_.downsample_y)};
    const auto region = slide_.read_scaled(origin, geometry_.downsample_x / finer, geometry_.downsample_y / finer,
                                           {std::int64_t{part.width} * finer, std::int64_t{part.height} * finer});
    if (!region.complete) return false;
    cv::Mat target = rgb_(part);
    if (finer == 1) {
      region.rgb.copyTo(target);
    } else {
      cv::resize(region.rgb, target, target.size(), 0, 0, cv::INTER_AREA);
    }
    return true;
  }

  const Slide& slide_;
  const MapGeometry& geometry_;
  cv::Mat rgb_, missing_;
};

/// Gives missing pixels the colour of the nearest other one; grey like glass where there is none at all.
void fill_from_nearest(cv::Mat& rgb, const cv::Mat& missing) {
  if (cv::countNonZero(missing) == static_cast<int>(missing.total())) {
    rgb.setTo(cv::Scalar::all(244));
    return;
  }
  cv::Mat distance, labels;
  cv::distanceTransform(missing, distance, labels, cv::DIST_L2, 5, cv::DIST_LABEL_PIXEL);
  std::vector<cv::Point> place_of_label(1);
  const auto at_label = [&](int label) -> cv::Point& {
    if (static_cast<std::size_t>(label) >= place_of_label.size()) place_of_label.resize(static_cast<std::size_t>(label) + 1);
    return place_of_label[static_cast<std::size_t>(label)];
  };
  for (int y = 0; y < missing.rows; ++y) {
    for (int x = 0; x < missing.cols; ++x) {
      if (missing.at<uchar>(y, x) == 0) at_label(labels.at<int>(y, x)) = {x, y};
    }
  }
  for (int y = 0; y < missing.rows; ++y) {
    for (int x = 0; x < missing.cols; ++x) {
      if (missing.at<uchar>(y, x) != 0) rgb.at<cv::Vec3b>(y, x) = rgb.at<cv::Vec3b>(at_label(labels.at<int>(y, x)));
    }
  }
}

}  // namespace

cv::Mat read_overview(const Slide& slide, const MapGeometry& geometry, cv::Mat* filled) {
  if (geometry.downsample_x < 1 || geometry.downsample_y < 1) throw std::invalid_argument("read_overview: finer than the scan");
  OverviewReader reader(slide, geometry);
  reader.read_all();
  if (cv::countNonZero(reader.missing()) > 0) fill_from_nearest(reader.rgb(), reader.missing());
  if (filled) *filled = reader.missing();
  return reader.rgb();
}

}  // namespace clmnet::wsi
