#pragma once

#include <opencv2/core/mat.hpp>

#include "wsi/map_geometry.h"
#include "wsi/slide.h"

namespace clmnet::wsi {

/// The whole slide as RGB at the geometry's resolution, read in strips, so that memory is that of the picture.
/// Where a stored tile of the level that serves best is corrupt or missing, a finer level serves. What no level has takes the
/// colour of the nearest pixel that there is, so that neither pen nor an edge is made of a gap: tissue around it is believed
/// to go on, and tiles over it are counted when they are read.
/// filled  if given, becomes CV_8U of the picture's size, 255 where the colour was taken from elsewhere
/// Throws std::invalid_argument for a geometry that is finer than the scan.
cv::Mat read_overview(const Slide& slide, const MapGeometry& geometry, cv::Mat* filled = nullptr);

}  // namespace clmnet::wsi
