#include "wsi/stitcher.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include <opencv2/imgproc.hpp>

namespace clmnet::wsi {
namespace {

/// How one axis of a tile's map spreads over map pixels: map pixel first + k takes weights[k], begins[k] on.
struct Axis {
  struct Cell {
    int begin = 0;                  // first pixel of the tile's map that counts
    std::vector<double> area;       // share of each, in tile-map pixels; the window is not in it
    double covered = 0;             // share of the map pixel that lies in the tile and in the scan
  };
  int first = 0;
  std::vector<Cell> cells;
  std::vector<double> window;       // per pixel of the tile's map
};

/// A floor keeps a pixel that one tile alone covers at its edge well defined; 1e-3 is under half a grey level of 255.
double window_at(double position) {
  const double s = std::sin(std::numbers::pi * position);
  return s * s + 1e-3;
}

/// origin, side: of the tile in map px; n: pixels of the tile's map along this axis; limit: map px along it.
Axis spread(double origin, double side, int n, int limit) {
  Axis axis;
  for (int j = 0; j < n; ++j) axis.window.push_back(window_at((j + 0.5) / n));
  axis.first = std::clamp(static_cast<int>(std::floor(origin + 1e-9)), 0, limit);
  const int end = std::clamp(static_cast<int>(std::ceil(origin + side - 1e-9)), axis.first, limit);
  const double scale = n / side;  // tile-map px per map px
  for (int i = axis.first; i < end; ++i) {
    const double left = std::clamp((i - origin) * scale, 0.0, static_cast<double>(n));
    const double right = std::clamp((i + 1 - origin) * scale, 0.0, static_cast<double>(n));
    Axis::Cell cell;
    cell.covered = (right - left) / scale;
    if (scale >= 1) {
      cell.begin = std::min(static_cast<int>(left), n - 1);
      for (int j = cell.begin; j < n && j < right; ++j) {
        cell.area.push_back(std::max(0.0, std::min<double>(j + 1, right) - std::max<double>(j, left)));
      }
    } else {
      const double centre = std::clamp((left + right) / 2 - 0.5, 0.0, static_cast<double>(n - 1));
      cell.begin = std::min(static_cast<int>(centre), std::max(0, n - 2));
      const double f = centre - cell.begin;
      cell.area.push_back((1 - f) * (right - left));
      if (n > 1) cell.area.push_back(f * (right - left));
    }
    axis.cells.push_back(std::move(cell));
  }
  return axis;
}

double weight_of(const Axis& axis, const Axis::Cell& cell) {
  double sum = 0;
  for (std::size_t k = 0; k < cell.area.size(); ++k) sum += cell.area[k] * axis.window[static_cast<std::size_t>(cell.begin) + k];
  return sum;
}

}  // namespace

Stitcher::Stitcher(SizePx extent, UmPerPx level0_um_per_px, const StitchOptions& options)
    : geometry_(fit_map(extent, level0_um_per_px, options.map_um_per_px)), options_(options) {
  if (options.tile_px < 1 || options.channels < 1 || !(options.tile_um_per_px.x > 0) || !(options.tile_um_per_px.y > 0)) {
    throw std::invalid_argument("Stitcher: tile_px, channels and tile_um_per_px must be positive");
  }
  const cv::Size size(static_cast<int>(geometry_.size.width), static_cast<int>(geometry_.size.height));
  for (int c = 0; c < options.channels; ++c) weighted_.push_back(cv::Mat::zeros(size, CV_32F));
  weight_ = cv::Mat::zeros(size, CV_32F);
  coverage_ = cv::Mat::zeros(size, CV_8U);
}

void Stitcher::add(std::span<const TileSpec> tiles, std::span<const float> maps, int h, int w,
                   std::span<const std::uint8_t> complete) {
  if (h < 1 || w < 1) throw std::invalid_argument("Stitcher::add: h and w must be positive");
  const std::size_t per_tile = static_cast<std::size_t>(options_.channels) * static_cast<std::size_t>(h) * static_cast<std::size_t>(w);
  if (maps.size() != tiles.size() * per_tile) throw std::invalid_argument("Stitcher::add: maps is not [N,channels,h,w]");
  if (!complete.empty() && complete.size() != tiles.size()) throw std::invalid_argument("Stitcher::add: complete is not [N]");
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const auto map = maps.subspan(i * per_tile, per_tile);
    const bool usable = (complete.empty() || complete[i] != 0) &&
                        std::all_of(map.begin(), map.end(), [](float v) { return std::isfinite(v); });
    if (usable) add_tile(tiles[i], map.data(), h, w);
    ++(usable ? added_ : left_out_);
  }
}

void Stitcher::add_tile(const TileSpec& tile, const float* maps, int h, int w) {
  const double side_x = options_.tile_px * options_.tile_um_per_px.x / geometry_.um_per_px().x;
  const double side_y = options_.tile_px * options_.tile_um_per_px.y / geometry_.um_per_px().y;
  const Axis across = spread(static_cast<double>(tile.origin.x) / geometry_.downsample_x, side_x, w,
                             static_cast<int>(geometry_.size.width));
  const Axis down = spread(static_cast<double>(tile.origin.y) / geometry_.downsample_y, side_y, h,
                           static_cast<int>(geometry_.size.height));
  std::vector<double> column_weight;
  for (const auto& cell : across.cells) column_weight.push_back(weight_of(across, cell));
  for (std::size_t r = 0; r < down.cells.size(); ++r) {
    const int y = down.first + static_cast<int>(r);
    const double row_weight = weight_of(down, down.cells[r]);
    for (std::size_t c = 0; c < across.cells.size(); ++c) {
      const int x = across.first + static_cast<int>(c);
      weight_.at<float>(y, x) += static_cast<float>(row_weight * column_weight[c]);
      const double share = down.cells[r].covered * across.cells[c].covered;
      coverage_.at<uchar>(y, x) = cv::saturate_cast<uchar>(coverage_.at<uchar>(y, x) + std::lround(254 * share));
    }
  }
  std::vector<double> line(static_cast<std::size_t>(w));
  for (int channel = 0; channel < options_.channels; ++channel) {
    const float* map = maps + static_cast<std::ptrdiff_t>(channel) * h * w;
    for (std::size_t r = 0; r < down.cells.size(); ++r) {
      const auto& rows = down.cells[r];
      std::fill(line.begin(), line.end(), 0.0);
      for (std::size_t k = 0; k < rows.area.size(); ++k) {
        const std::size_t i = static_cast<std::size_t>(rows.begin) + k;
        const double weight = rows.area[k] * down.window[i];
        for (std::size_t j = 0; j < line.size(); ++j) line[j] += weight * map[i * line.size() + j];
      }
      float* out = weighted_[static_cast<std::size_t>(channel)].ptr<float>(down.first + static_cast<int>(r)) + across.first;
      for (std::size_t c = 0; c < across.cells.size(); ++c) {
        const auto& cell = across.cells[c];
        double sum = 0;
        for (std::size_t k = 0; k < cell.area.size(); ++k) {
          const std::size_t j = static_cast<std::size_t>(cell.begin) + k;
          sum += cell.area[k] * across.window[j] * line[j];
        }
        out[c] += static_cast<float>(sum);
      }
    }
  }
}

ProbabilityMap Stitcher::result() const {
  ProbabilityMap map;
  map.geometry = geometry_;
  // Two tiles that each cover half of a pixel round to 254; one that covers half alone has 127.
  cv::compare(coverage_, 127, map.valid, cv::CMP_GE);
  map.valid.setTo(0, weight_ <= 0);
  for (const auto& sum : weighted_) {
    cv::Mat probability = cv::Mat::zeros(sum.size(), CV_32F);
    cv::Mat quotient;
    cv::divide(sum, weight_, quotient);
    quotient.copyTo(probability, map.valid);
    map.probability.push_back(probability);
  }
  return map;
}

}  // namespace clmnet::wsi
