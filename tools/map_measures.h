#pragma once

#include <string>
#include <vector>

namespace clmnet::tools {

/// How a predictor's maps lie on the masks: one value per image; NaN where the image has no known mask that holds tumour, the last
/// where it has no known mask that is empty.
struct MapMeasures {
  std::vector<double> dice;  ///< at the mask's own size
  /// 95 % Hausdorff distance, µm: the larger of the two directed 95th percentiles between the borders of map and mask, both at
  /// the map's resolution (ModelConfig::map_px tile px a pixel, of spacing_um_per_px * map_px µm; a pixel of the mask is tumour
  /// where at least half of it is). An image file counts as having the model's µm/px once it is brought to the model's patch.
  /// Where the map holds no tumour the distance is the image's diagonal, the largest that there is: left out of a mean, what a
  /// network misses would better its mean (Metrics Reloaded, Maier-Hein et al. 2024, Nat Methods 21:195, advise the worst
  /// value). Where the mask holds none at this resolution there is no border to be near: NaN.
  std::vector<double> hd95_um;
  std::vector<double> map_empty;  ///< 1 where the distance is the diagonal for want of tumour in the map, else 0; NaN as hd95_um
  std::vector<double> false_tumour_share;  ///< of the pixels of an image without tumour that are called tumour
};

struct MapMeasure {
  const char* name;   ///< in JSON and before _NETWORK and _before_crf in tables
  const char* title;  ///< for people
  int decimals;
  std::vector<double> MapMeasures::*values;
};

inline constexpr MapMeasure kMapMeasures[] = {{"dice", "Dice", 3, &MapMeasures::dice},
                                              {"hd95_um", "HD95 (µm)", 1, &MapMeasures::hd95_um},
                                              {"map_empty", "maps without tumour", 3, &MapMeasures::map_empty},
                                              {"false_tumour_share", "false tumour", 4,
                                               &MapMeasures::false_tumour_share}};

/// What help and reports say of them.
inline const std::string kMapConvention =
    "Dice and the 95 % Hausdorff distance (HD95, larger of both directions) are means over images whose mask holds tumour; HD95 "
    "is in µm at the maps' resolution; where a map holds no tumour it is the image's diagonal, and how often that is so is given. The "
    "false tumour share is the mean share of pixels called tumour over images whose mask is known to be empty";

}  // namespace clmnet::tools
