#include "wsi/quality.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <opencv2/imgproc.hpp>

namespace clmnet::wsi {
namespace {

double gradient_energy(const cv::Mat& grey) {
  cv::Mat dx, dy;
  cv::Sobel(grey, dx, CV_32F, 1, 0);
  cv::Sobel(grey, dy, CV_32F, 0, 1);
  return dx.dot(dx) + dy.dot(dy);
}

double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Natural optical density per channel, smoothed over sigma px.
std::vector<cv::Mat> smoothed_density(const cv::Mat& rgb, double sigma) {
  cv::Mat density;
  rgb.convertTo(density, CV_32FC3, 1.0, 1.0);
  cv::log(density, density);
  density = cv::Scalar::all(std::log(245.0)) - density;
  cv::GaussianBlur(density, density, {0, 0}, sigma);
  std::vector<cv::Mat> planes;
  cv::split(density, planes);
  return planes;
}

/// Mask pixels of a region spread evenly over it, in the order of rows.
std::vector<cv::Point> places_in(const cv::Mat& labels, const RegionPolygon& region, int count) {
  std::vector<cv::Point> places;
  const double step = std::max(1.0, region.area_px / count);
  double next = step / 2, seen = 0;
  for (int y = 0; y < labels.rows; ++y) {
    for (int x = 0; x < labels.cols; ++x) {
      if (labels.at<int>(y, x) != region.label) continue;
      if (seen++ >= next) {
        places.emplace_back(x, y);
        next += step;
      }
    }
  }
  if (places.empty() && region.area_px > 0) places = places_in(labels, {{}, {}, 2, region.label}, 1);
  return places;
}

}  // namespace

double focus_score(const cv::Mat& rgb) {
  cv::Mat grey, fine, coarse;
  cv::cvtColor(rgb, grey, cv::COLOR_RGB2GRAY);
  grey.convertTo(grey, CV_32F);
  // A little smoothing first, so that the sensor's noise does not pass for detail.
  cv::GaussianBlur(grey, fine, {0, 0}, 0.7);
  cv::GaussianBlur(grey, coarse, {0, 0}, 2.0);
  const double energy = gradient_energy(fine);
  // One grey level of slope on average is noise.
  if (energy < 2.0 * static_cast<double>(grey.total())) return 0;
  return std::clamp(1 - gradient_energy(coarse) / energy, 0.0, 1.0);
}

cv::Mat find_folds(const cv::Mat& overview, const TissueMask& tissue) {
  cv::Mat folds = cv::Mat::zeros(tissue.mask.size(), CV_8U);
  if (cv::countNonZero(tissue.mask) == 0) return folds;
  const auto density = smoothed_density(overview, std::max(0.5, 16 / tissue.geometry.um_per_px().x));
  std::vector<double> red, green;
  for (int y = 0; y < folds.rows; ++y) {
    for (int x = 0; x < folds.cols; ++x) {
      if (tissue.mask.at<uchar>(y, x) == 0) continue;
      red.push_back(density[0].at<float>(y, x));
      green.push_back(density[1].at<float>(y, x));
    }
  }
  const double usual_red = median(red), usual_green = median(green);
  for (int y = 0; y < folds.rows; ++y) {
    for (int x = 0; x < folds.cols; ++x) {
      const double r = density[0].at<float>(y, x), g = density[1].at<float>(y, x);
      // Green less what haematoxylin takes of it is eosin.
      const bool eosin = g - r > 1.5 * std::max(0.0, usual_green - usual_red);
      const bool dark = g > 2.0 * usual_green && r > 1.5 * usual_red && g > 0.8;
      if (tissue.mask.at<uchar>(y, x) != 0 && dark && eosin) folds.at<uchar>(y, x) = 255;
    }
  }
  const cv::Mat disc = cv::getStructuringElement(cv::MORPH_ELLIPSE, {5, 5});
  cv::morphologyEx(folds, folds, cv::MORPH_OPEN, disc);
  return folds;
}

std::vector<RegionQuality> assess_regions(const Slide& slide, const TissueMask& tissue, const RegionPolygons& regions,
                                          const cv::Mat& folds, const QualityOptions& options) {
  const UmPerPx scan = slide.um_per_px();
  const double um = std::max({1.0, scan.x, scan.y});
  std::vector<RegionQuality> result;
  for (const auto& region : regions.regions) {
    RegionQuality quality;
    quality.area_mm2 = region.area_px * tissue.geometry.pixel_area_mm2();
    const cv::Mat here = regions.labels == region.label;
    quality.fold_share = cv::countNonZero(here & folds) / region.area_px;
    std::vector<double> scores;
    for (const auto& place : places_in(regions.labels, region, options.max_samples)) {
      const double half_x = options.sample_px * um / scan.x / 2, half_y = options.sample_px * um / scan.y / 2;
      const Level0Px origin{std::llround((place.x + 0.5) * tissue.geometry.downsample_x - half_x),
                            std::llround((place.y + 0.5) * tissue.geometry.downsample_y - half_y)};
      const Region picture = slide.read(origin, {um, um}, {options.sample_px, options.sample_px});
      if (picture.complete) scores.push_back(focus_score(picture.rgb));
    }
    quality.samples = static_cast<int>(scores.size());
    quality.focus = median(scores);
    const auto blurred = std::count_if(scores.begin(), scores.end(), [&](double s) { return s < options.blurred_below; });
    quality.blurred_share = scores.empty() ? 0 : static_cast<double>(blurred) / static_cast<double>(scores.size());
    result.push_back(quality);
  }
  return result;
}

}  // namespace clmnet::wsi
