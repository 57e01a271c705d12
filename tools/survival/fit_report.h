#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/report/numbers.h"
#include "tools/survival/cross_validation.h"

namespace clmnet::tools {

/// What `survival fit` tells beside the results of each method.
struct FitSummary {
  nlohmann::json cohort;           ///< Cohort::report()
  std::string cohort_text;
  std::vector<std::string> covariates;   ///< clinical ones
  std::vector<std::pair<std::string, std::size_t>> imputed;
  nlohmann::json features;         ///< null without --features
  std::string features_text;
  RiskOptions options;
  std::size_t rows = 0, patients = 0, events = 0;
  std::size_t events_by_horizon = 0, beyond_horizon = 0, censored_before = 0;
  std::string time_name;
  int resamples = 0;
};

/// All of survival.json. model: the linear one fitted to everyone, null without.
nlohmann::json fit_json(const FitSummary& summary, const std::vector<CrossValidation>& results,
                        const std::vector<RiskComparison>& comparisons, const std::vector<std::string>& patients,
                        const nlohmann::json& model);
/// The table for the terminal.
std::string fit_table(const FitSummary& summary, const std::vector<CrossValidation>& results,
                      const std::vector<RiskComparison>& comparisons);

}  // namespace clmnet::tools
