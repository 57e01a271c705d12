#pragma once

#include "nets/model_config.h"
#include "nets/torch.h"
#include "tools/map_measures.h"

namespace clmnet::tools {

/// What is known of where tumour is in one image.
struct MapTruth {
  torch::Tensor own;     ///< uint8 [S,S], the square middle of the mask at its own size; undefined: nothing is known
  torch::Tensor coarse;  ///< uint8 [h,w], at the map's resolution
  std::int64_t map_px = 1;
  double map_um_per_px = 1;
};

/// mask        uint8 [H,W] at its own size; undefined: unknown
/// patch_mask  [P,P], the same brought to the model's patch, above 0 is tumour
MapTruth map_truth(const torch::Tensor& mask, const torch::Tensor& patch_mask, const nets::ModelConfig& model);

/// Adds one map's values to each of `measures`, as MapMeasures says.
/// map        [P,P] at the patch's resolution or [h,w] at the map's own, probability of tumour
/// threshold  from which a pixel is called tumour
void measure_map(const torch::Tensor& map, const MapTruth& truth, double threshold, MapMeasures& measures);

}  // namespace clmnet::tools
