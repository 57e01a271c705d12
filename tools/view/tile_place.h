#pragma once

#include <cstdint>
#include <optional>

#include "wsi/geometry.h"

namespace clmnet::tools::view {

/// A deep-zoom pyramid over a scan: at level l one pixel is 2^(max_level - l) level-0 px square, tiles are kTilePx square
/// without overlap, and level sizes round up. Positions are exact: nothing is stretched to fit.
struct DeepZoom {
  static constexpr int kTilePx = 256;

  wsi::SizePx extent;   ///< level 0, both sides > 0

  int max_level() const;                         ///< the smallest level that is at least the scan
  std::int64_t downsample(int level) const;      ///< level-0 px per px
  wsi::SizePx size(int level) const;
};

/// Where a tile lies; empty when the pyramid has no such tile.
struct TilePlace {
  wsi::Level0Px origin;
  std::int64_t downsample = 1;
  wsi::SizePx size;              ///< px of the tile; smaller at the right and lower edge
};
std::optional<TilePlace> place_tile(const DeepZoom& pyramid, int level, std::int64_t column, std::int64_t row);

}  // namespace clmnet::tools::view
