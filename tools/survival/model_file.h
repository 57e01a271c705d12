#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tools/survival/risk_model.h"

namespace clmnet::tools {

/// The logistic model fitted to all patients, as `survival fit` leaves it in OUT/model.json and `survival predict` reads it.
struct SavedModel {
  RiskModel model;
  std::vector<std::string> source, level;  ///< per covariate, as CovariateTable
  std::string time_name;
  double horizon = 0;
};
void save_model(const std::filesystem::path& path, const SavedModel& saved);
/// Throws InputError when the file is missing or is not such a model.
SavedModel load_model(const std::filesystem::path& path);

}  // namespace clmnet::tools
