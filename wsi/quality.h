#pragma once

#include <vector>

#include <opencv2/core/mat.hpp>

#include "wsi/geojson.h"
#include "wsi/slide.h"
#include "wsi/tissue.h"

namespace clmnet::wsi {

struct QualityOptions {
  int max_samples = 48;            ///< places per region where focus is measured
  int sample_px = 192;             ///< side of a place, at 1 um/px or the scan's own resolution where that is coarser
  double blurred_below = 0.35;     ///< a region whose median focus is lower is called blurred
};

/// Quality of one region of tissue.
struct RegionQuality {
  double area_mm2 = 0;
  double focus = 0;                ///< median over places, 0 blurred to 1 sharp; NaN where no place could be read
  double blurred_share = 0;        ///< of the places
  double fold_share = 0;           ///< of the region's area that is folded
  int samples = 0;
};

/// How sharp a picture is: the share of its gradient energy at 1 um/px that a blur of 2 px takes away, 0 to 1. The ratio does
/// not depend on staining or contrast. A picture without any structure has focus 0.  rgb  CV_8UC3
double focus_score(const cv::Mat& rgb);

/// Pixels of folded tissue, CV_8U of the mask's size: twice the light is taken away over at least some 50 um, against the
/// slide's own median. Dense lymphoid tissue holds little eosin
/// and is told apart by that: in a fold both stains double.
cv::Mat find_folds(const cv::Mat& overview, const TissueMask& tissue);

/// One entry per region, in order. Throws InputError where the slide cannot be read.
std::vector<RegionQuality> assess_regions(const Slide& slide, const TissueMask& tissue, const RegionPolygons& regions,
                                          const cv::Mat& folds, const QualityOptions& options = {});

}  // namespace clmnet::wsi
