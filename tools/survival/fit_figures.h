#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tools/survival/cross_validation.h"

namespace clmnet::tools {

/// Cumulative/dynamic ROC curve at the horizon: cases weighed by 1/G(T-), controls outlive it (Uno et al. 2007).
struct HorizonRoc {
  std::vector<double> false_positive_rate, true_positive_rate;
};
HorizonRoc horizon_roc(const survival::Outcome& outcome, const Eigen::VectorXd& score, double horizon);

/// Out-of-fold ROC curves at the horizon, one per result (at most eight). Throws as draw_curves.
void draw_horizon_roc(const std::filesystem::path& target, const std::vector<CrossValidation>& results,
                      const survival::Outcome& outcome, double horizon);

/// Predicted risk against the Kaplan-Meier estimate in fifths of the patients, with intervals; `time` as in "36 months".
/// Throws as draw_curves.
void draw_calibration(const std::filesystem::path& target, const CrossValidation& result, const survival::Outcome& outcome,
                      double horizon, const std::string& time);

}  // namespace clmnet::tools
