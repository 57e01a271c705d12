#pragma once

#include <filesystem>
#include <string>

#include "wsi/stitcher.h"

namespace clmnet::wsi {

struct HeatmapOptions {
  int channel = 0;
  int tile_px = 256;              ///< of the TIFF; a multiple of 16
  std::string description = {};   ///< what the values are, for TIFF tag ImageDescription
};

/// heatmap.tiff: one 8-bit grey value per map pixel, 0 where there is no data, else 1 + round(254 * probability), so that
/// value / 255 is the probability to within 0.4 %. A tiled, losslessly compressed pyramid whose levels halve until one tile
/// holds the map; the mean of a coarser level counts pixels with data only. Resolution in XResolution and YResolution (px per
/// cm). Opens in OpenSlide ("generic-tiff"), libvips and QuPath and lies exactly over the slide (see MapGeometry).
/// The file is whole or absent. Throws InputError when it cannot be written, std::invalid_argument for a channel it lacks.
void write_heatmap(const std::filesystem::path& path, const ProbabilityMap& map, const HeatmapOptions& options = {});

/// The 8-bit code of level 0, as the file holds it.
cv::Mat encode_probability(const ProbabilityMap& map, int channel);

}  // namespace clmnet::wsi
