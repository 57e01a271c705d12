#pragma once

#include <filesystem>
#include <string>

#include <opencv2/core/mat.hpp>

#include "wsi/stitcher.h"
#include "wsi/tissue.h"

namespace clmnet::wsi {

struct OverlayOptions {
  int channel = 0;
  int max_side_px = 2000;               ///< of the slide's picture, without the margin for bars; at most 2 px per px of the overview
  double opacity = 0.6;                 ///< of the heatmap from probability 0.5 up; below, it fades to nothing at 0
  std::string title = {};               ///< the slide's name
  std::string value_name = "tumour probability";
};

/// overlay.png: the slide with the probability map on it, outlines of tissue and (when given) of the tumour mask, a colour bar
/// with numbers and a scale bar in mm. The colours are viridis (Smith and van der Walt 2015): even steps to the eye, readable
/// without colour vision and in print, and apart from the pinks and purples of H&E where the probability is high.
/// overview  CV_8UC3 RGB of the whole slide, any size; tumour  CV_8U of map's size, or empty.
/// Throws InputError when the file cannot be written, std::invalid_argument for pictures of no size.
void write_overlay(const std::filesystem::path& path, const cv::Mat& overview, const ProbabilityMap& map, const TissueMask& tissue,
                   const cv::Mat& tumour, const OverlayOptions& options = {});

/// The picture that write_overlay writes; RGB.
cv::Mat draw_overlay(const cv::Mat& overview, const ProbabilityMap& map, const TissueMask& tissue, const cv::Mat& tumour,
                     const OverlayOptions& options = {});

/// PNG, whole or absent; `rgb` CV_8UC3 R G B or CV_8U grey.
void write_png(const std::filesystem::path& path, const cv::Mat& rgb);

}  // namespace clmnet::wsi
