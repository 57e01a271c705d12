#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wsi/grid.h"
#include "wsi/slide.h"
#include "wsi/stain.h"

namespace clmnet::wsi {

/// The colours that slides and images are brought to, and by which method: exactly one of the two is set.
struct StainReference {
  std::optional<MacenkoFit> macenko;
  std::optional<ReinhardFit> reinhard;
};

/// method   "macenko" or "reinhard"
/// picture  file (PNG, JPEG, TIFF) with the colours wanted; empty: the values that Macenko's authors published
/// Throws InputError for another method, a file that is no picture or holds too little stain, reinhard without picture.
StainReference read_stain_reference(const std::string& method, const std::string& picture);

/// What brings a slide's colours to the reference. sample: CV_8UC3 RGB, tissue of that slide.
/// Throws InputError where too little of the sample is stained.
StainNormaliser normaliser_for(const cv::Mat& sample, const StainReference& reference);

/// Pixels of at most 48 tiles spread evenly over the grid, below each other, CV_8UC3; those that cannot be decoded are left out.
cv::Mat sample_tiles(const Slide& slide, const std::vector<TileSpec>& grid, const GridOptions& options);

}  // namespace clmnet::wsi
