#pragma once

#include <opencv2/core/mat.hpp>

#include "wsi/map_geometry.h"
#include "wsi/overview.h"
#include "wsi/slide.h"

namespace clmnet::wsi {

struct TissueOptions {
  double um_per_px = 8;           ///< of the mask
  double min_piece_mm2 = 0.01;    ///< smaller pieces are debris; 0.01 mm2 is 100 x 100 um
  double min_hole_mm2 = 0.1;      ///< smaller holes (lumens, vessels, tears) count as tissue; larger ones are kept as holes
};

/// Where the tissue of a slide is.
struct TissueMask {
  cv::Mat mask;                   ///< CV_8U, 255 tissue, 0 glass, ink and dirt
  cv::Mat ink;                    ///< CV_8U of the same size, 255 where pen was found and taken out
  MapGeometry geometry;           ///< how mask and slide lie over each other
  double area_mm2 = 0;            ///< 0 when there is no tissue; that is a result, not an error
};

/// Tissue of an H&E slide, without pen (green, blue, red, black), coverslip edges and the rims of air bubbles.
/// Haematoxylin and eosin absorb green more than red and blue, so optical density in green counts only where the colour is of
/// that kind (Ruifrok and Johnston 2001 for the stains' colours); density is cut at the level of pale stroma, so that a dark
/// edge does not reach further out than a pale one, and a pixel is tissue when most of the 50 um around it is.
/// Throws InputError where the slide does not say its resolution. Any thread may call it.
TissueMask find_tissue(const Slide& slide, const TissueOptions& options = {});

/// As above for an overview that was read before; CV_8UC3, R G B, of geometry.size.
/// Throws std::invalid_argument for another type or size.
TissueMask find_tissue(const cv::Mat& rgb, const MapGeometry& geometry, const TissueOptions& options = {});

}  // namespace clmnet::wsi
