#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace clmnet::tools {

/// Cohort, models with AUC, concordance, hazard ratio and log-rank test, risk groups, the ensemble against other sets: HTML of
/// survival.json.
std::string survival_tables(const nlohmann::json& survival);

}  // namespace clmnet::tools
