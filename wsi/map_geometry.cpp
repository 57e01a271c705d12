#include "wsi/map_geometry.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace clmnet::wsi {

MapGeometry fit_map(SizePx extent, UmPerPx level0_um_per_px, double um_per_px) {
  if (extent.width < 1 || extent.height < 1) throw std::invalid_argument("fit_map: the scan is empty");
  if (!(level0_um_per_px.x > 0) || !(level0_um_per_px.y > 0) || !(um_per_px > 0)) {
    throw std::invalid_argument("fit_map: a resolution is not positive");
  }
  const double width = std::max(1.0, std::round(static_cast<double>(extent.width) * level0_um_per_px.x / um_per_px));
  const double height = std::max(1.0, std::round(static_cast<double>(extent.height) * level0_um_per_px.y / um_per_px));
  if (!(width * height < 2147483648.0)) throw std::invalid_argument("fit_map: the map would hold over 2^31 px; take a coarser one");
  MapGeometry map{extent, level0_um_per_px, {static_cast<std::int64_t>(width), static_cast<std::int64_t>(height)}, 1, 1};
  map.downsample_x = static_cast<double>(extent.width) / width;
  map.downsample_y = static_cast<double>(extent.height) / height;
  return map;
}

}  // namespace clmnet::wsi
