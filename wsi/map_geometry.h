#pragma once

#include "wsi/geometry.h"

namespace clmnet::wsi {

/// How a coarse map (tissue, probability, overview) lies over a scan: its width * downsample_x is the scan's width to the
/// last digit, and so in y, so stretching the map over the slide and scaling it by its resolution are the same thing.
/// Map pixel (c, r) covers level-0 [c, c+1) * downsample_x by [r, r+1) * downsample_y; its centre is at c + 0.5.
struct MapGeometry {
  SizePx extent;             ///< of the scan, level-0 px
  UmPerPx level0_um_per_px;
  SizePx size;               ///< of the map
  double downsample_x = 1;   ///< level-0 px per map px
  double downsample_y = 1;

  /// Resolution of the map; at most half a map pixel over the whole width away from the one that was asked for.
  UmPerPx um_per_px() const { return {level0_um_per_px.x * downsample_x, level0_um_per_px.y * downsample_y}; }
  double pixel_area_mm2() const { return um_per_px().x * um_per_px().y * 1e-6; }
  friend bool operator==(const MapGeometry&, const MapGeometry&) = default;
};

/// The map of about `um_per_px` over a scan; at least 1 x 1 px.
/// Throws std::invalid_argument for an empty extent, a resolution that is not positive, or a map over 2^31 px.
MapGeometry fit_map(SizePx extent, UmPerPx level0_um_per_px, double um_per_px);

}  // namespace clmnet::wsi
