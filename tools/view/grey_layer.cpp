#include "tools/view/grey_layer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "tools/view/float_map.h"
#include "wsi/map_file.h"

namespace clmnet::tools::view {
namespace {

constexpr std::int64_t kMostCells = std::int64_t{1} << 28;

class HeatmapLayer : public GreyLayer {
 public:
  HeatmapLayer(const std::filesystem::path& file, wsi::SizePx extent) : map_(file) {
    levels = map_.levels();
    tile_px = map_.tile_px();
    downsample_x = static_cast<double>(extent.width) / static_cast<double>(levels.front().width);
    downsample_y = static_cast<double>(extent.height) / static_cast<double>(levels.front().height);
  }
  std::vector<std::uint8_t> tile(std::size_t level, std::int64_t column, std::int64_t row) const override {
    if (!has_tile(level, column, row)) return {};
    return map_.read_tile(level, column, row);
  }

 private:
  wsi::MapFile map_;
};

/// A map in memory.
class CodesLayer : public GreyLayer {
 public:
  CodesLayer(wsi::SizePx size, std::vector<std::uint8_t> codes) {
    levels = halving_levels(size, tile_px);
    pixels_.push_back(std::move(codes));
    while (pixels_.size() < levels.size()) pixels_.push_back(halved(pixels_.size() - 1));
  }

  std::vector<std::uint8_t> tile(std::size_t level, std::int64_t column, std::int64_t row) const override {
    if (!has_tile(level, column, row)) return {};
    std::vector<std::uint8_t> values(static_cast<std::size_t>(tile_px) * static_cast<std::size_t>(tile_px));
    const auto size = levels[level];
    const std::int64_t left = column * tile_px, top = row * tile_px;
    const std::int64_t width = std::min<std::int64_t>(tile_px, size.width - left);
    for (std::int64_t y = 0; y < std::min<std::int64_t>(tile_px, size.height - top); ++y) {
      std::copy_n(pixels_[level].begin() + (top + y) * size.width + left, width, values.begin() + y * tile_px);
    }
    return values;
  }

 private:
  std::vector<std::uint8_t> halved(std::size_t level) const {
    const auto from = levels[level], to = levels[level + 1];
    std::vector<std::uint8_t> result(static_cast<std::size_t>(to.width * to.height));
    for (std::int64_t y = 0; y < to.height; ++y) {
      for (std::int64_t x = 0; x < to.width; ++x) {
        int sum = 0, count = 0;
        for (std::int64_t v = 2 * y; v < std::min(2 * y + 2, from.height); ++v) {
          for (std::int64_t u = 2 * x; u < std::min(2 * x + 2, from.width); ++u) {
            const int code = pixels_[level][static_cast<std::size_t>(v * from.width + u)];
            sum += code;
            count += code > 0;
          }
        }
        if (count > 0) result[static_cast<std::size_t>(y * to.width + x)] = static_cast<std::uint8_t>((sum + count / 2) / count);
      }
    }
    return result;
  }

  std::vector<std::vector<std::uint8_t>> pixels_;
};

/// The smallest step between neighbouring different positions: the stride of a grid that may have gaps.
std::int64_t stride_of(std::vector<std::int64_t> positions, std::int64_t fallback) {
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  std::int64_t step = 0;
  for (std::size_t i = 1; i < positions.size(); ++i) step = std::gcd(step, positions[i] - positions[i - 1]);
  // Rounded positions of a fractional stride have no common step; their typical one is near enough for a picture.
  if (step > 0 && step * 8 < fallback) {
    step = positions[1] - positions[0];
    for (std::size_t i = 1; i < positions.size(); ++i) step = std::min(step, positions[i] - positions[i - 1]);
  }
  return step > 0 ? step : std::max<std::int64_t>(fallback, 1);
}

struct TileGrid {
  std::vector<std::int64_t> x, y;
  std::int64_t left = 0, top = 0, stride_x = 1, stride_y = 1, width = 0, height = 0;
  wsi::SizePx size;
};

TileGrid read_grid(const CsvTable& table) {
  TileGrid grid;
  const auto minx = table.column("minx"), miny = table.column("miny");
  const auto width = table.column("width"), height = table.column("height");
  for (std::size_t row = 0; row < table.rows(); ++row) {
    for (const auto column : {minx, miny, width, height}) {
      if (!(std::abs(table.number(row, column)) < 1e12)) throw InputError(table.where(row, column) + ": no position of a tile");
    }
    grid.x.push_back(std::llround(table.number(row, minx)));
    grid.y.push_back(std::llround(table.number(row, miny)));
  }
  grid.width = std::llround(table.number(0, width));
  grid.height = std::llround(table.number(0, height));
  if (grid.width < 1 || grid.height < 1) throw InputError(table.where(0, width) + ": the tile is empty");
  grid.stride_x = stride_of(grid.x, grid.width);
  grid.stride_y = stride_of(grid.y, grid.height);
  grid.left = *std::min_element(grid.x.begin(), grid.x.end());
  grid.top = *std::min_element(grid.y.begin(), grid.y.end());
  grid.size = {(*std::max_element(grid.x.begin(), grid.x.end()) - grid.left) / grid.stride_x + 1,
               (*std::max_element(grid.y.begin(), grid.y.end()) - grid.top) / grid.stride_y + 1};
  if (grid.size.width > kMostCells / grid.size.height) throw InputError(table.name() + ": the tiles lie too far apart to be shown");
  return grid;
}

/// A layer of the grid's cells: each tile's value on the cell of its stride around the tile's centre.
std::unique_ptr<GreyLayer> layer_on(const TileGrid& grid, const std::vector<std::uint8_t>& code_of_tile) {
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(grid.size.width * grid.size.height));
  for (std::size_t row = 0; row < code_of_tile.size(); ++row) {
    codes[static_cast<std::size_t>((grid.y[row] - grid.top) / grid.stride_y * grid.size.width + (grid.x[row] - grid.left) / grid.stride_x)] =
        code_of_tile[row];
  }
  auto layer = layer_of_codes(grid.size, std::move(codes));
  layer->downsample_x = static_cast<double>(grid.stride_x);
  layer->downsample_y = static_cast<double>(grid.stride_y);
  layer->origin_x = static_cast<double>(grid.left) + static_cast<double>(grid.width - grid.stride_x) / 2;
  layer->origin_y = static_cast<double>(grid.top) + static_cast<double>(grid.height - grid.stride_y) / 2;
  return layer;
}

std::unique_ptr<GreyLayer> layer_of(const TileGrid& grid, const CsvTable& table, std::size_t column, const std::string& title) {
  std::vector<std::uint8_t> codes;
  for (std::size_t row = 0; row < table.rows(); ++row) codes.push_back(code_of_probability(table.number(row, column)));
  auto layer = layer_on(grid, codes);
  layer->id = "tiles_" + table.columns()[column];
  layer->title = title;
  return layer;
}

}  // namespace

std::uint8_t code_of_probability(double probability) {
  return static_cast<std::uint8_t>(1 + std::lround(254 * std::clamp(probability, 0.0, 1.0)));
}

bool GreyLayer::has_tile(std::size_t level, std::int64_t column, std::int64_t row) const {
  return level < levels.size() && column >= 0 && row >= 0 && column < wsi::tiles_over(levels[level].width, tile_px) &&
         row < wsi::tiles_over(levels[level].height, tile_px);
}

std::uint8_t GreyLayer::code_at(double x, double y) const {
  const double column = std::floor((x - origin_x) / downsample_x), row = std::floor((y - origin_y) / downsample_y);
  const auto& size = levels.front();
  if (!(column >= 0) || !(row >= 0) || column >= static_cast<double>(size.width) || row >= static_cast<double>(size.height)) return 0;
  const auto c = static_cast<std::int64_t>(column), r = static_cast<std::int64_t>(row);
  return tile(0, c / tile_px, r / tile_px)[static_cast<std::size_t>((r % tile_px) * tile_px + c % tile_px)];
}

std::optional<double> GreyLayer::value_at(double x, double y) const {
  const int code = code_at(x, y);
  return code == 0 ? std::nullopt : std::optional(low + (code - 1) / 254.0 * (high - low));
}

const std::array<std::int64_t, 256>& GreyLayer::histogram() const {
  std::call_once(counted_, [&] {
    std::array<std::int64_t, 256> counts{};
    const auto& size = levels.front();
    for (std::int64_t row = 0; has_tile(0, 0, row); ++row) {
      for (std::int64_t column = 0; has_tile(0, column, row); ++column) {
        const auto values = tile(0, column, row);
        const std::int64_t width = std::min<std::int64_t>(tile_px, size.width - column * tile_px);
        const std::int64_t height = std::min<std::int64_t>(tile_px, size.height - row * tile_px);
        for (std::int64_t y = 0; y < height; ++y) {
          for (std::int64_t x = 0; x < width; ++x) ++counts[values[static_cast<std::size_t>(y * tile_px + x)]];
        }
      }
    }
    counts_ = counts;
  });
  return counts_;
}

std::vector<wsi::SizePx> halving_levels(wsi::SizePx size, int tile_px) {
  std::vector<wsi::SizePx> levels = {size};
  while (std::max(levels.back().width, levels.back().height) > tile_px) {
    levels.push_back({(levels.back().width + 1) / 2, (levels.back().height + 1) / 2});
  }
  return levels;
}

std::unique_ptr<GreyLayer> layer_of_codes(wsi::SizePx size, std::vector<std::uint8_t> codes) {
  return std::make_unique<CodesLayer>(size, std::move(codes));
}

std::unique_ptr<GreyLayer> open_heatmap(const std::filesystem::path& file, wsi::SizePx extent) {
  return std::make_unique<HeatmapLayer>(file, extent);
}

std::vector<std::unique_ptr<GreyLayer>> layers_of_tiles(const std::filesystem::path& tiles_csv) {
  const auto table = CsvTable::read(tiles_csv);
  std::vector<std::unique_ptr<GreyLayer>> layers;
  if (table.rows() == 0) return layers;
  const auto grid = read_grid(table);
  const std::string end = "_prob_tumour";
  for (std::size_t column = 0; column < table.columns().size(); ++column) {
    const std::string& name = table.columns()[column];
    if (name == "prob_tumour") {
      layers.push_back(layer_of(grid, table, column, "Fused, per tile"));
    } else if (name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0) {
      layers.push_back(layer_of(grid, table, column, name.substr(0, name.size() - end.size()) + ", per tile"));
    }
  }
  return layers;
}

std::unique_ptr<GreyLayer> open_risk_map(const std::filesystem::path& file, const std::filesystem::path& tiles_csv,
                                         wsi::UmPerPx um_per_px) {
  const FloatMap map = read_float_map(file);
  const auto table = CsvTable::read(tiles_csv);
  if (table.rows() == 0) throw InputError(tiles_csv.string() + ": holds no tiles, so " + file.filename().string() + " cannot be placed");
  const auto grid = read_grid(table);
  // A pixel of the map is one step of the grid, counted from the corner of the scan.
  const double step_x = map.um_per_px_x / um_per_px.x, step_y = map.um_per_px_y / um_per_px.y;
  std::vector<double> values;
  double largest = 0;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const auto column = std::llround(static_cast<double>(grid.x[i]) / step_x), row = std::llround(static_cast<double>(grid.y[i]) / step_y);
    if (column < 0 || row < 0 || column >= map.columns || row >= map.rows) {
      throw InputError(file.string() + ": does not cover the tiles of " + tiles_csv.string() + "; predict again from this run's features.h5");
    }
    values.push_back(map.value[static_cast<std::size_t>(row * map.columns + column)]);
    if (!std::isfinite(values.back())) throw InputError(file.string() + ": holds a value that is no number; predict again");
    largest = std::max(largest, std::abs(values.back()));
  }
  std::vector<std::uint8_t> codes;
  for (const double value : values) codes.push_back(code_of_probability(largest > 0 ? (value / largest + 1) / 2 : 0.5));
  auto layer = layer_on(grid, codes);
  layer->unit = "part of the slide's risk";
  layer->low = -largest;
  layer->high = largest;
  layer->threshold = 0;
  return layer;
}

}  // namespace clmnet::tools::view
