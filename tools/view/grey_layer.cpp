#include "tools/view/grey_layer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tools/base/csv.h"
#include "tools/base/error.h"
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

/// A small map in memory, one level.
class CellLayer : public GreyLayer {
 public:
  explicit CellLayer(wsi::SizePx size) : cells_(static_cast<std::size_t>(size.width * size.height)) { levels = {size}; }

  std::uint8_t& cell(std::int64_t column, std::int64_t row) {
    return cells_[static_cast<std::size_t>(row * levels.front().width + column)];
  }

  std::vector<std::uint8_t> tile(std::size_t level, std::int64_t column, std::int64_t row) const override {
    if (!has_tile(level, column, row)) return {};
    std::vector<std::uint8_t> values(static_cast<std::size_t>(tile_px) * static_cast<std::size_t>(tile_px));
    const auto size = levels.front();
    const std::int64_t left = column * tile_px, top = row * tile_px;
    const std::int64_t width = std::min<std::int64_t>(tile_px, size.width - left);
    for (std::int64_t y = 0; y < std::min<std::int64_t>(tile_px, size.height - top); ++y) {
      std::copy_n(cells_.begin() + (top + y) * size.width + left, width, values.begin() + y * tile_px);
    }
    return values;
  }

 private:
  std::vector<std::uint8_t> cells_;
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

std::unique_ptr<GreyLayer> layer_of(const TileGrid& grid, const CsvTable& table, std::size_t column, const std::string& title) {
  auto layer = std::make_unique<CellLayer>(grid.size);
  layer->id = "tiles_" + table.columns()[column];
  layer->title = title;
  layer->downsample_x = static_cast<double>(grid.stride_x);
  layer->downsample_y = static_cast<double>(grid.stride_y);
  layer->origin_x = static_cast<double>(grid.left) + static_cast<double>(grid.width - grid.stride_x) / 2;
  layer->origin_y = static_cast<double>(grid.top) + static_cast<double>(grid.height - grid.stride_y) / 2;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    layer->cell((grid.x[row] - grid.left) / grid.stride_x, (grid.y[row] - grid.top) / grid.stride_y) =
        code_of_probability(table.number(row, column));
  }
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

std::uint8_t GreyLayer::value_at(double x, double y) const {
  const double column = std::floor((x - origin_x) / downsample_x), row = std::floor((y - origin_y) / downsample_y);
  const auto& size = levels.front();
  if (!(column >= 0) || !(row >= 0) || column >= static_cast<double>(size.width) || row >= static_cast<double>(size.height)) return 0;
  const auto c = static_cast<std::int64_t>(column), r = static_cast<std::int64_t>(row);
  return tile(0, c / tile_px, r / tile_px)[static_cast<std::size_t>((r % tile_px) * tile_px + c % tile_px)];
}

std::array<std::int64_t, 256> GreyLayer::histogram() const {
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
  return counts;
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

}  // namespace clmnet::tools::view
