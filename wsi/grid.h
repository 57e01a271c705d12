#pragma once

#include <vector>

#include "wsi/geometry.h"
#include "wsi/tissue.h"

namespace clmnet::wsi {

struct GridOptions {
  int tile_px = 256;          ///< side of a tile at um_per_px
  int stride_px = 256;        ///< from one tile to the next, in px of um_per_px; below tile_px tiles overlap
  UmPerPx um_per_px{1, 1};    ///< of the tiles
  double min_tissue = 0.1;    ///< least share of a tile that is tissue; at 0 any tissue will do
};

/// Square tiles that cover the tissue of one slide, row by row.
/// tissue   its mask, at its own resolution; a tile's share of tissue is exact also where its edge cuts mask pixels.
/// Result   top-left corners in level-0 px, each rounded from its own exact position, so that nothing drifts over a scan;
///          column and row count on the full grid; tiles at the right and lower edge overhang the scan. Empty without tissue.
/// Throws   std::invalid_argument unless 1 <= stride_px <= tile_px, um_per_px > 0 and 0 <= min_tissue <= 1.
/// Any thread may call it.
std::vector<TileSpec> plan_grid(const TissueMask& tissue, const GridOptions& options);

/// As above over the whole scan, tissue or not.
std::vector<TileSpec> plan_full_grid(SizePx extent, UmPerPx level0_um_per_px, const GridOptions& options);

/// Side of a tile in level-0 px, before any rounding.
struct TileSideLevel0 {
  double width = 0;
  double height = 0;
};
TileSideLevel0 tile_side_level0(const GridOptions& options, UmPerPx level0_um_per_px);

}  // namespace clmnet::wsi
