#include "wsi/tissue.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include <opencv2/imgproc.hpp>

namespace clmnet::wsi {
namespace {

constexpr double kMajorityUm = 24;       // sigma of the neighbourhood that votes
constexpr double kMajority = 0.6;
constexpr double kOpenUm = 40;           // tissue is wider than twice this, or it is a fringe
constexpr double kEdgeUm = 8;            // half of the optical blur at the rim
constexpr double kSmallHoleMm2 = 0.0256;  // filled before the opening, which would tear a net of glands apart
constexpr float kGlassOd = 8.0F / 255;   // natural optical density in green: below, glass
constexpr float kPaleOd = 18.0F / 255;   // pale stroma: from here on, surely something
constexpr double kStrokeUm = 32;         // pen strokes are wider than twice this
constexpr double kMinInkMm2 = 0.02;
constexpr double kColourUm = 8;          // colours are judged over this much: a single nucleus is as dark as a pen

cv::Mat disc(double radius_px) {
  const int r = std::max(0, static_cast<int>(std::lround(radius_px)));
  return cv::getStructuringElement(cv::MORPH_ELLIPSE, {2 * r + 1, 2 * r + 1});
}

/// Sets pieces of less than min_area px to 0.
void drop_small(cv::Mat& mask, double min_area, int connectivity) {
  cv::Mat labels, stats, centroids;
  const int n = cv::connectedComponentsWithStats(mask, labels, stats, centroids, connectivity, CV_32S);
  std::vector<uchar> keep(static_cast<std::size_t>(n), 0);
  for (int i = 1; i < n; ++i) keep[static_cast<std::size_t>(i)] = stats.at<int>(i, cv::CC_STAT_AREA) >= min_area ? 255 : 0;
  for (int y = 0; y < mask.rows; ++y) {
    for (int x = 0; x < mask.cols; ++x) mask.at<uchar>(y, x) = keep[static_cast<std::size_t>(labels.at<int>(y, x))];
  }
}

/// Sets holes of less than max_area px to 255; a gap that reaches the edge of the picture is no hole.
void fill_holes(cv::Mat& mask, double max_area) {
  cv::Mat background = 255 - mask;
  cv::Mat framed;
  cv::copyMakeBorder(background, framed, 1, 1, 1, 1, cv::BORDER_CONSTANT, 255);
  cv::Mat labels, stats, centroids;
  const int n = cv::connectedComponentsWithStats(framed, labels, stats, centroids, 4, CV_32S);
  const int outside = labels.at<int>(0, 0);
  std::vector<uchar> fill(static_cast<std::size_t>(n), 0);
  for (int i = 1; i < n; ++i) {
    fill[static_cast<std::size_t>(i)] = i != outside && stats.at<int>(i, cv::CC_STAT_AREA) < max_area ? 255 : 0;
  }
  for (int y = 0; y < mask.rows; ++y) {
    for (int x = 0; x < mask.cols; ++x) mask.at<uchar>(y, x) |= fill[static_cast<std::size_t>(labels.at<int>(y + 1, x + 1))];
  }
}

/// Colour of clear glass per channel: the most frequent value among bright and neutral pixels, 244 where there are hardly any.
std::array<int, 3> glass_colour(const cv::Mat& rgb) {
  std::array<std::array<int, 256>, 3> counts{};
  int bright = 0;
  for (int y = 0; y < rgb.rows; ++y) {
    for (int x = 0; x < rgb.cols; ++x) {
      const auto& p = rgb.at<cv::Vec3b>(y, x);
      const auto [low, high] = std::minmax({p[0], p[1], p[2]});
      if (low < 200 || high - low > 16) continue;
      ++bright;
      for (std::size_t c = 0; c < 3; ++c) ++counts[c][p[static_cast<int>(c)]];
    }
  }
  std::array<int, 3> glass{244, 244, 244};
  if (bright < 0.02 * static_cast<double>(rgb.total())) return glass;
  for (std::size_t c = 0; c < 3; ++c) {
    // Pure white is what lies outside the scan; it says nothing about the lamp when there is real glass as well.
    const auto& n = counts[c];
    const auto last = std::max_element(n.begin(), n.begin() + 251) - n.begin();
    glass[c] = n[static_cast<std::size_t>(last)] * 20 > bright ? static_cast<int>(last) : 244;
  }
  return glass;
}

struct Evidence {
  cv::Mat tissue;  ///< CV_32F in [0,1]
  cv::Mat ink;     ///< CV_8U
};

bool looks_like_ink(float r, float g, float b) {
  const float high = std::max({r, g, b}), low = std::min({r, g, b});
  // 0.35: of H&E twice as thick (a fold) 2 % of the pixels are this neutral, of tissue under a pen of density 1 nearly all.
  const bool black = low > 0.9F && high - low < 0.35F * high && high - low < 0.8F;
  const bool green = r - g > 0.35F && b > 0.9F * g;
  const bool blue = r - g > 0.35F && r > 1.35F * g && r > 2.0F * b;
  const bool red = g - r > 0.9F && b > 0.8F * g && r < 0.35F;
  return black || green || blue || red;
}

/// Reads each pixel's colour as optical density against glass.
Evidence weigh_colours(const cv::Mat& rgb) {
  std::array<std::array<float, 256>, 3> density{};
  const auto glass = glass_colour(rgb);
  for (std::size_t c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      const double transmitted = (std::min(v, glass[c]) + 1.0) / (glass[c] + 1.0);
      density[c][static_cast<std::size_t>(v)] = static_cast<float>(-std::log(transmitted));
    }
  }
  Evidence evidence{cv::Mat(rgb.size(), CV_32F), cv::Mat(rgb.size(), CV_8U)};
  for (int y = 0; y < rgb.rows; ++y) {
    for (int x = 0; x < rgb.cols; ++x) {
      const auto& p = rgb.at<cv::Vec3b>(y, x);
      const float r = density[0][p[0]], g = density[1][p[1]], b = density[2][p[2]];
      const bool stained = g + 0.02F > 0.8F * r && g + 0.01F > 1.15F * b;
      evidence.tissue.at<float>(y, x) = stained ? std::clamp((g - kGlassOd) / (kPaleOd - kGlassOd), 0.0F, 1.0F) : 0.0F;
      evidence.ink.at<uchar>(y, x) = looks_like_ink(r, g, b) ? 255 : 0;
    }
  }
  return evidence;
}

/// Means over kColourUm, as an overview of that resolution has them.
cv::Mat averaged(const cv::Mat& rgb, double um_per_px) {
  if (um_per_px >= 0.9 * kColourUm) return rgb;
  cv::Mat mean;  // a box of that side has this deviation; what a pixel covers already counts
  cv::GaussianBlur(rgb, mean, {0, 0}, std::sqrt((kColourUm * kColourUm / (um_per_px * um_per_px) - 1) / 12));
  return mean;
}

/// Pen strokes: wide and large, so that pigment, surgical ink in a gap and single dark nuclei are not among them.
cv::Mat strokes(const cv::Mat& ink, double um_per_px, double pixel_mm2) {
  cv::Mat found;
  cv::morphologyEx(ink, found, cv::MORPH_CLOSE, disc(kStrokeUm / 2 / um_per_px));
  cv::morphologyEx(found, found, cv::MORPH_OPEN, disc(kStrokeUm / um_per_px));
  drop_small(found, kMinInkMm2 / pixel_mm2, 8);
  cv::dilate(found, found, disc(kStrokeUm / um_per_px));
  return found;
}

}  // namespace

TissueMask find_tissue(const cv::Mat& rgb, const MapGeometry& geometry, const TissueOptions& options) {
  if (rgb.type() != CV_8UC3 || rgb.cols != geometry.size.width || rgb.rows != geometry.size.height) {
    throw std::invalid_argument("find_tissue: the overview is not RGB of the geometry's size");
  }
  const double um = std::sqrt(geometry.um_per_px().x * geometry.um_per_px().y);
  const double pixel_mm2 = geometry.pixel_area_mm2();
  Evidence evidence = weigh_colours(averaged(rgb, um));
  TissueMask result;
  result.geometry = geometry;
  result.ink = strokes(evidence.ink, um, pixel_mm2);
  evidence.tissue.setTo(0, result.ink);

  cv::Mat votes;
  cv::GaussianBlur(evidence.tissue, votes, {0, 0}, std::max(0.3, kMajorityUm / um));
  cv::Mat mask = votes > kMajority;
  fill_holes(mask, std::min(kSmallHoleMm2, options.min_hole_mm2) / pixel_mm2);
  cv::morphologyEx(mask, mask, cv::MORPH_OPEN, disc(kOpenUm / um));
  fill_holes(mask, options.min_hole_mm2 / pixel_mm2);
  cv::erode(mask, mask, disc(kEdgeUm / um));
  mask.setTo(0, result.ink);
  drop_small(mask, options.min_piece_mm2 / pixel_mm2, 8);
  result.area_mm2 = cv::countNonZero(mask) * pixel_mm2;
  result.mask = mask;
  return result;
}

TissueMask find_tissue(const Slide& slide, const TissueOptions& options) {
  const UmPerPx scan = slide.um_per_px();
  const auto geometry = fit_map(slide.extent(), scan, std::max({options.um_per_px, scan.x, scan.y}));
  return find_tissue(read_overview(slide, geometry), geometry, options);
}

}  // namespace clmnet::wsi
