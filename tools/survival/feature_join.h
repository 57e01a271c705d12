#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace clmnet::tools {

/// How the tiles of a patient's slides become one row.
enum class Pooling {
  mean,       ///< over the tiles of a slide, then over slides
  max,        ///< over all tiles
  quantiles,  ///< 10, 50 and 90 % over all tiles: three columns a feature
  attention,  ///< mean weighed by the tile's tumour probability within a slide, then over slides; even weights where all are 0
};
/// "mean", "max", "quantiles", "attention".
const char* name_of(Pooling pooling);

/// Features of one slide. `weight` has one entry per tile: the tumour probability where `with_tumour`, else empty.
struct SlideTiles {
  std::filesystem::path file;               ///< features.h5
  Eigen::MatrixXf features;                 ///< tiles x features
  Eigen::VectorXd tumour;                   ///< tiles
  Eigen::Matrix<std::int64_t, Eigen::Dynamic, 2> origin;  ///< tiles x (x, y), top-left corners in level-0 px
  double stride_x = 0, stride_y = 0;        ///< from one tile to the next, in level-0 px; 0: the file does not say
  std::int64_t width = 0, height = 0;       ///< of the scan in level-0 px; 0: the file does not say
  double level0_um_per_px_x = 0, level0_um_per_px_y = 0;  ///< 0: the file does not say
};
/// run, slide as join_features. With `with_tumour` tiles.csv beside features.h5 gives the tumour probabilities: the column
/// prob_tumour (prob_tumor), else one less the first prob_ column.
/// Throws InputError when a file is missing or damaged, there is no tile, or the rows of the two files are other tiles.
SlideTiles read_slide_tiles(const std::filesystem::path& run, const std::string& slide, bool with_tumour);

/// Weight of each tile in the row of its slide; sums to 1. For mean and attention only (std::invalid_argument).
Eigen::VectorXd tile_weights(const SlideTiles& slide, Pooling pooling);

struct PatientFeatures {
  Eigen::MatrixXd x;                          ///< patients x columns; NaN for a patient without a slide
  std::vector<std::string> names;             ///< columns: "feature_12", "q90_feature_12"
  std::vector<int> feature;                   ///< per column, the place of its feature in features.h5
  int width = 0;                              ///< features of a tile
  std::vector<std::string> without_slide;     ///< patients of the cohort that no slide belongs to, each once
  std::vector<std::string> without_patient;   ///< slides whose patient is not in the cohort
  std::size_t slides = 0, tiles = 0;          ///< that were used
};

/// run        folder of `clmnet analyze`, with <slide>/features.h5
/// manifest   CSV with the columns slide, patient_id; a slide may be named with or without its extension
/// patients   of the cohort's rows; a patient may stand in several
/// Throws InputError when a file or column is missing, a slide stands twice, a features.h5 has another number of features
/// than the first, or no slide belongs to a patient of the cohort. In a build without slide support it says so.
PatientFeatures join_features(const std::filesystem::path& run, const std::filesystem::path& manifest,
                              const std::vector<std::string>& patients, Pooling pooling);

}  // namespace clmnet::tools
