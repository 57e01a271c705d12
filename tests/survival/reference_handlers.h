#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/survival/reference_case.h"

namespace clmnet::survival::reference {

/// Runs one case through the public API; the result has the nesting of the case's `expected`.
using Handler = nlohmann::json (*)(const Case&);

/// The handler of a method, nullptr when there is none. The table stands in reference_handlers.cpp.
Handler find_handler(const std::string& method);

nlohmann::json run_binary_metrics(const Case& test);
nlohmann::json run_cox(const Case& test);
nlohmann::json run_delong(const Case& test);
nlohmann::json run_discrimination(const Case& test);
nlohmann::json run_kaplan_meier(const Case& test);
nlohmann::json run_log_rank(const Case& test);
nlohmann::json run_logistic(const Case& test);
nlohmann::json run_ridge_logistic(const Case& test);
nlohmann::json run_kappa(const Case& test);
nlohmann::json run_agreement_continuous(const Case& test);
nlohmann::json run_segmentation(const Case& test);
nlohmann::json run_mrmc(const Case& test);
nlohmann::json run_froc(const Case& test);
nlohmann::json run_random_forest(const Case& test);
nlohmann::json run_random_survival_forest(const Case& test);

}  // namespace clmnet::survival::reference
