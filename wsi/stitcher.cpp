#include "wsi/stitcher.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include <opencv2/imgproc.hpp>
#include <tbb/parallel_for.h>
#include <tbb/parallel_for_each.h>

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

/// Where a tile's maps [channels,h,w] go.
struct Placed {
  const float* maps;
  Axis across, down;
};

Placed place(const TileSpec& tile, const float* maps, int h, int w, const MapGeometry& geometry, const StitchOptions& options) {
  const double side_x = options.tile_px * options.tile_um_per_px.x / geometry.um_per_px().x;
  const double side_y = options.tile_px * options.tile_um_per_px.y / geometry.um_per_px().y;
  return {maps,
          spread(static_cast<double>(tile.origin.x) / geometry.downsample_x, side_x, w, static_cast<int>(geometry.size.width)),
          spread(static_cast<double>(tile.origin.y) / geometry.downsample_y, side_y, h, static_cast<int>(geometry.size.height))};
}

void add_weight(const Placed& tile, cv::Mat& sums, cv::Mat& coverage) {
  std::vector<double> column_weight;
  for (const auto& cell : tile.across.cells) column_weight.push_back(weight_of(tile.across, cell));
  for (std::size_t r = 0; r < tile.down.cells.size(); ++r) {
    const int y = tile.down.first + static_cast<int>(r);
    const double row_weight = weight_of(tile.down, tile.down.cells[r]);
    float* sum = sums.ptr<float>(y) + tile.across.first;
    uchar* covered = coverage.ptr(y) + tile.across.first;
    for (std::size_t c = 0; c < tile.across.cells.size(); ++c) {
      sum[c] += static_cast<float>(row_weight * column_weight[c]);
      const double share = tile.down.cells[r].covered * tile.across.cells[c].covered;
      covered[c] = cv::saturate_cast<uchar>(covered[c] + std::lround(254 * share));
    }
  }
}

void add_map(const Placed& tile, int channel, cv::Mat& sums) {
  const std::size_t h = tile.down.window.size(), w = tile.across.window.size();
  const float* map = tile.maps + static_cast<std::size_t>(channel) * h * w;
  std::vector<double> line(w);
  for (std::size_t r = 0; r < tile.down.cells.size(); ++r) {
    const auto& rows = tile.down.cells[r];
    std::fill(line.begin(), line.end(), 0.0);
    for (std::size_t k = 0; k < rows.area.size(); ++k) {
      const std::size_t i = static_cast<std::size_t>(rows.begin) + k;
      const double weight = rows.area[k] * tile.down.window[i];
      for (std::size_t j = 0; j < w; ++j) line[j] += weight * map[i * w + j];
    }
    float* out = sums.ptr<float>(tile.down.first + static_cast<int>(r)) + tile.across.first;
    for (std::size_t c = 0; c < tile.across.cells.size(); ++c) {
      const auto& cell = tile.across.cells[c];
      double sum = 0;
      for (std::size_t k = 0; k < cell.area.size(); ++k) {
        const std::size_t j = static_cast<std::size_t>(cell.begin) + k;
        sum += cell.area[k] * tile.across.window[j] * line[j];
      }
      out[c] += static_cast<float>(sum);
    }
  }
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
  std::vector<Placed> placed;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const auto map = maps.subspan(i * per_tile, per_tile);
    const bool usable = (complete.empty() || complete[i] != 0) &&
                        std::all_of(map.begin(), map.end(), [](float v) { return std::isfinite(v); });
    if (usable) placed.push_back(place(tiles[i], map.data(), h, w, geometry_, options_));
    ++(usable ? added_ : left_out_);
  }
  // The channels beside each other, and one job more for the weights; each in the order of the tiles.
  tbb::parallel_for(0, options_.channels + 1, [&](int channel) {
    for (const Placed& tile : placed) {
      if (channel < options_.channels) {
        add_map(tile, channel, weighted_[static_cast<std::size_t>(channel)]);
      } else {
        add_weight(tile, weight_, coverage_);
      }
    }
  });
}

ProbabilityMap Stitcher::take() {
  ProbabilityMap map;
  map.geometry = geometry_;
  map.probability = std::move(weighted_);
  // Two tiles that each cover half of a pixel round to 254; one that covers half alone has 127.
  cv::compare(coverage_, 127, map.valid, cv::CMP_GE);
  map.valid.setTo(0, weight_ <= 0);
  const cv::Mat uncovered = map.valid == 0;
  tbb::parallel_for_each(map.probability, [&](cv::Mat& channel) {
    cv::divide(channel, weight_, channel);
    channel.setTo(0, uncovered);
  });
  return map;
}

}  // namespace clmnet::wsi
