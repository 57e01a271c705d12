#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tools/survival/feature_join.h"
#include "tools/survival/risk_model.h"

namespace clmnet::tools {

/// Columns of a model that come from slides.
struct SlideColumns {
  Pooling pooling = Pooling::mean;
  int width = 0;                        ///< features of a tile
  std::vector<Eigen::Index> column;     ///< places among the pooled columns
};

/// A linear model fitted to all patients, as `survival fit` leaves it in OUT/model.json and `survival predict` reads it:
/// predictor = offset + x * slope; logistic: log odds of the event by the horizon, Cox: log hazard ratio.
/// Columns of x: the clinical ones, then those of slides.
struct SavedModel {
  RiskMethod method = RiskMethod::logistic;
  std::string time_name;
  double horizon = 0;
  std::vector<std::string> source, level;    ///< clinical columns, as CovariateTable
  std::optional<SlideColumns> slides;
  Eigen::RowVectorXd median, slope;
  double offset = 0;
  double hazard_at_horizon = 0;              ///< Cox: cumulative hazard at the horizon where the predictor is 0
  double cut = 0;                            ///< median risk of the training patients; above it is high

  /// x: n x columns, NaN where missing.
  Eigen::VectorXd predictor(const Eigen::MatrixXd& x) const;
  double risk(double predictor) const;       ///< probability of the event by the horizon
};

/// Throws std::invalid_argument when the model is not linear.
SavedModel to_save(const RiskModel& model);
void save_model(const std::filesystem::path& path, const SavedModel& saved);
/// Throws InputError when the file is missing or is not such a model.
SavedModel load_model(const std::filesystem::path& path);

}  // namespace clmnet::tools
