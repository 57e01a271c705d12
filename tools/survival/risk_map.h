#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/survival/feature_join.h"
#include "tools/survival/model_file.h"

namespace clmnet::tools {

/// What each tile adds to the slide's predictor (log odds, or log hazard ratio for Cox): its weight in the pooling times
/// offset + features * slope. Their sum is the predictor of a patient with this one slide and no clinical columns; with
/// several slides a patient's predictor is the mean of theirs, clinical columns add their own part.
/// Throws InputError when the model has no slide columns, its pooling is no weighted mean, or the slide's features have
/// another width.
Eigen::VectorXd tile_contributions(const SavedModel& model, const SlideTiles& slide);

/// The contributions on the tile grid, row by row, 0 where there is no tile.
struct RiskMap {
  int columns = 0, rows = 0;
  std::vector<float> value;
  double um_per_px_x = 0, um_per_px_y = 0;   ///< of the map: one pixel is one step of the grid
};
/// Throws InputError when the features file does not say its grid.
RiskMap risk_map(const SlideTiles& slide, const Eigen::VectorXd& contribution);

/// risk.tiff: 32-bit float, one channel, resolution in the TIFF tags; the sum of its pixels is the slide's predictor.
/// Whole or absent. Throws InputError when it cannot be written.
void write_risk_map(const std::filesystem::path& path, const RiskMap& map, const std::string& description);

}  // namespace clmnet::tools
