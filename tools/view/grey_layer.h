#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "wsi/geometry.h"

namespace clmnet::tools::view {

/// A map of 8-bit codes over a scan: 0 where there is no data, else low + (code - 1) / 254 * (high - low).
/// Map pixel (c, r) of the finest level covers origin + [c, c+1) * downsample_x by [r, r+1) * downsample_y in level-0 px; one of
/// level k covers 2^k times that. Any thread may call any const member.
class GreyLayer {
 public:
  GreyLayer() = default;
  virtual ~GreyLayer() = default;
  GreyLayer(const GreyLayer&) = delete;
  GreyLayer& operator=(const GreyLayer&) = delete;

  std::string id;                     ///< plain name, part of an address
  std::string title;
  std::string unit = "probability";   ///< of the values, as the legend names it
  double low = 0, high = 1;           ///< the values of codes 1 and 255
  std::optional<double> threshold;    ///< where values part; empty: the run's own threshold of tumour
  double origin_x = 0, origin_y = 0;  ///< level-0 px
  double downsample_x = 1, downsample_y = 1;
  int tile_px = 256;
  std::vector<wsi::SizePx> levels;

  /// tile_px squared codes; empty when there is no such tile. Throws InputError when it cannot be decoded.
  virtual std::vector<std::uint8_t> tile(std::size_t level, std::int64_t column, std::int64_t row) const = 0;
  /// False while its first tile would have to be computed.
  virtual bool ready() const { return true; }

  bool has_tile(std::size_t level, std::int64_t column, std::int64_t row) const;
  /// The code at a point in level-0 px; 0 outside.
  std::uint8_t code_at(double x, double y) const;
  /// The value at a point in level-0 px; empty where there is no data.
  std::optional<double> value_at(double x, double y) const;
  /// How often each code stands in the finest level; counted once. Throws InputError as tile.
  const std::array<std::int64_t, 256>& histogram() const;

 private:
  mutable std::once_flag counted_;
  mutable std::array<std::int64_t, 256> counts_{};
};

/// Codes in memory, row by row, as a layer whose levels halve: a pixel of a coarser level is the mean of what has data under it.
std::unique_ptr<GreyLayer> layer_of_codes(wsi::SizePx size, std::vector<std::uint8_t> codes);
/// The sizes of its levels, down to one tile.
std::vector<wsi::SizePx> halving_levels(wsi::SizePx size, int tile_px);

/// A heatmap file that lies exactly over the scan. Throws InputError as wsi::MapFile.
std::unique_ptr<GreyLayer> open_heatmap(const std::filesystem::path& file, wsi::SizePx extent);

/// One layer per network of tiles.csv, and one of the fused probability: each tile's value on the cell of its stride around the
/// tile's centre. Empty when the table has no rows. Throws InputError when it is no table of tiles.
std::vector<std::unique_ptr<GreyLayer>> layers_of_tiles(const std::filesystem::path& tiles_csv);

/// risk.tiff of clmnet survival predict --risk-maps: what each tile of `tiles_csv` adds to the slide's risk, on a scale that has
/// 0 in its middle; no data where there is no tile. Throws InputError when it is no such file or of another grid of tiles.
std::unique_ptr<GreyLayer> open_risk_map(const std::filesystem::path& file, const std::filesystem::path& tiles_csv,
                                         wsi::UmPerPx um_per_px);

/// 1 + round(254 p), p cut to [0, 1].
std::uint8_t code_of_probability(double probability);

}  // namespace clmnet::tools::view
