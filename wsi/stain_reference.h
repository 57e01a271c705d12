#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "wsi/grid.h"
#include "wsi/slide.h"
#include "wsi/stain.h"

namespace clmnet::wsi {

/// The colours that slides and images are brought to, or those that a slide has, and by which method: exactly one of the two
/// fits is set.
struct StainReference {
  std::optional<MacenkoFit> macenko;
  std::optional<ReinhardFit> reinhard;
  double strength = 1;  ///< the part of the way to these colours that a slide or an image is brought, above 0
};

/// method   "macenko" or "reinhard"
/// picture  file (PNG, JPEG, TIFF) with the colours wanted; empty: the values that Macenko's authors published, usual_reinhard_reference()
/// Throws InputError for another method, a file that is no picture or holds too little stain.
StainReference read_stain_reference(const std::string& method, const std::string& picture);

/// As runs and models record it: {"method": "macenko" or "reinhard", "strength", "reference": its numbers under the names of
/// MacenkoFit or ReinhardFit}.
nlohmann::json to_json(const StainReference& reference);

/// What brings a slide's colours to a reference.
struct FittedNormaliser {
  StainNormaliser normaliser;
  StainReference slide;  ///< the slide's own colours, by the reference's method
};

/// sample   CV_8UC3 RGB, tissue of the slide
/// Throws   InputError where too little of the sample is stained.
FittedNormaliser normaliser_for(const cv::Mat& sample, const StainReference& reference);

/// Pixels of at most 48 tiles spread evenly over the grid, below each other, CV_8UC3; those that cannot be decoded are left out.
cv::Mat sample_tiles(const Slide& slide, const std::vector<TileSpec>& grid, const GridOptions& options);

}  // namespace clmnet::wsi
