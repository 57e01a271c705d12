#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/survival/risk_model.h"

namespace clmnet::tools {

/// What `survival fit` tells beside the results of each method.
struct FitSummary {
  nlohmann::json cohort;           ///< Cohort::report()
  std::string cohort_text;
  std::vector<std::string> covariates;
  std::vector<std::pair<std::string, std::size_t>> imputed;
  nlohmann::json features;         ///< null without --features
  RiskOptions options;
  std::size_t events_by_horizon = 0, beyond_horizon = 0, censored_before = 0;
  std::string time_name;
};

nlohmann::json fit_json(const FitSummary& summary, const std::vector<CrossValidation>& results, const std::vector<RiskModel>& final_models,
                        const std::vector<std::string>& patients);
/// The table for the terminal.
std::string fit_table(const FitSummary& summary, const std::vector<CrossValidation>& results);

/// NaN and infinity become null.
nlohmann::json json_number(double value);

}  // namespace clmnet::tools
