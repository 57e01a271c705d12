#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "wsi/geometry.h"

namespace clmnet::wsi {

/// µm per level-0 pixel and where it is from, or why there is none.
struct Calibration {
  std::optional<UmPerPx> um_per_px;
  std::string source;
};

/// From the vendor's "openslide.mpp-x" and "-y"; else from "tiff.XResolution" and "-YResolution" with their unit.
/// Values that no microscope makes (below 0.01 or above 50 µm/px: the 72 dpi of an image editor) count as missing, and the
/// source then says what was found. Nothing is guessed from the objective.
Calibration find_calibration(const std::map<std::string, std::string>& properties);

/// Level-0 pixels per pixel of a level, by axis.
struct Downsample {
  double x = 1;
  double y = 1;
};

/// The downsample of a level from its size. Pyramids are made by whole factors and drop or pad what is left over: 4443 px
/// stored as 2221 are 2 to 1 with one column dropped, and 4443 / 2221 would drift by a pixel over the slide. A power of two
/// that explains both axes is taken first, then another whole factor, then the ratio of the sizes, axis by axis.
Downsample level_downsample(SizePx full, SizePx level);

}  // namespace clmnet::wsi
