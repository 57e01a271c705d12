#include "wsi/grid.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include <opencv2/imgproc.hpp>

namespace clmnet::wsi {
namespace {

void check(const GridOptions& options) {
  if (options.stride_px < 1 || options.stride_px > options.tile_px) {
    throw std::invalid_argument("plan_grid: stride_px is " + std::to_string(options.stride_px) + ", expected 1 to tile_px (" +
                                std::to_string(options.tile_px) + ")");
  }
  if (!(options.um_per_px.x > 0) || !(options.um_per_px.y > 0)) throw std::invalid_argument("plan_grid: um_per_px is not positive");
  if (!(options.min_tissue >= 0 && options.min_tissue <= 1)) throw std::invalid_argument("plan_grid: min_tissue is not in [0, 1]");
}

/// The fewest tiles whose union reaches the end of the scan.
std::int64_t tiles_along(std::int64_t extent, double downsample, const GridOptions& options) {
  const double length = static_cast<double>(extent) / downsample;
  // Half a millionth of a pixel: a scan that is a whole number of tiles long needs none for the rounding error.
  const double rest = length - options.tile_px - 1e-6 * options.tile_px;
  return rest <= 0 ? 1 : static_cast<std::int64_t>(std::ceil(rest / options.stride_px)) + 1;
}

/// Area of tissue over a rectangle in mask px with fractional edges: an integral image is bilinear within a pixel.
class TissueArea {
 public:
  explicit TissueArea(const cv::Mat& mask) : width_(mask.cols), height_(mask.rows) { cv::integral(mask / 255, sum_, CV_32S); }

  double over(double left, double top, double right, double bottom) const {
    return at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top);
  }

 private:
  double at(double x, double y) const {
    x = std::clamp(x, 0.0, static_cast<double>(width_));
    y = std::clamp(y, 0.0, static_cast<double>(height_));
    const int x0 = std::min(static_cast<int>(x), width_ - 1), y0 = std::min(static_cast<int>(y), height_ - 1);
    const double fx = x - x0, fy = y - y0;
    const double upper = sum_.at<int>(y0, x0) * (1 - fx) + sum_.at<int>(y0, x0 + 1) * fx;
    const double lower = sum_.at<int>(y0 + 1, x0) * (1 - fx) + sum_.at<int>(y0 + 1, x0 + 1) * fx;
    return upper * (1 - fy) + lower * fy;
  }

  int width_, height_;
  cv::Mat sum_;
};

template <typename Keep>
std::vector<TileSpec> tiles_where(SizePx extent, UmPerPx level0, const GridOptions& options, const Keep& keep) {
  check(options);
  const double downsample_x = options.um_per_px.x / level0.x, downsample_y = options.um_per_px.y / level0.y;
  const std::int64_t columns = tiles_along(extent.width, downsample_x, options);
  const std::int64_t rows = tiles_along(extent.height, downsample_y, options);
  std::vector<TileSpec> tiles;
  for (std::int64_t row = 0; row < rows; ++row) {
    const double top = static_cast<double>(row * options.stride_px) * downsample_y;
    for (std::int64_t column = 0; column < columns; ++column) {
      const double left = static_cast<double>(column * options.stride_px) * downsample_x;
      if (keep(left, top)) tiles.push_back({{std::llround(left), std::llround(top)}, column, row});
    }
  }
  return tiles;
}

}  // namespace

TileSideLevel0 tile_side_level0(const GridOptions& options, UmPerPx level0) {
  return {options.tile_px * options.um_per_px.x / level0.x, options.tile_px * options.um_per_px.y / level0.y};
}

std::vector<TileSpec> plan_full_grid(SizePx extent, UmPerPx level0_um_per_px, const GridOptions& options) {
  return tiles_where(extent, level0_um_per_px, options, [](double, double) { return true; });
}

std::vector<TileSpec> plan_grid(const TissueMask& tissue, const GridOptions& options) {
  check(options);
  if (tissue.mask.empty()) return {};
  const MapGeometry& map = tissue.geometry;
  const TissueArea area(tissue.mask);
  const auto side = tile_side_level0(options, map.level0_um_per_px);
  const double tile_area = side.width / map.downsample_x * (side.height / map.downsample_y);
  return tiles_where(map.extent, map.level0_um_per_px, options, [&](double left, double top) {
    const double found = area.over(left / map.downsample_x, top / map.downsample_y, (left + side.width) / map.downsample_x,
                                   (top + side.height) / map.downsample_y);
    return found > 1e-9 && found >= options.min_tissue * tile_area;
  });
}

}  // namespace clmnet::wsi
