#include "tools/survival/fit_report.h"

#include <cmath>
#include <cstdio>
#include <sstream>

#include "tools/report/km_figure.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

const char* const kConventions =
    "events by the horizon against patients seen beyond it; censored before it: not used to train a classifier, "
    "given a risk and counted in AUC (cases weighed by 1/G(T-), G the Kaplan-Meier estimate of censoring), curves and log-rank test; "
    "missing covariates: training median; penalty of logistic regression: by 5-fold validation inside the training part; "
    "groups: risk above the median of the training patients is high";

json curve_json(const survival::KaplanMeier& curve, const std::string& name) {
  const auto median = survival::event_time_quantile(curve, 0.5, survival::ConfidenceScale::log_log, 0.95);
  return {{"group", name}, {"n", curve.n}, {"events", curve.events}, {"median", json_number(median.time)},
          {"median_ci", {json_number(median.lower), json_number(median.upper)}}, {"time", curve.time}, {"n_risk", curve.n_risk},
          {"survival", curve.survival}};
}

json method_json(const CrossValidation& result, const RiskModel& model, const std::vector<std::string>& names) {
  json entry;
  entry["method"] = name_of(result.method);
  entry["auc"] = json_number(result.auc.value[0]);
  entry["auc_ci"] = {json_number(result.auc.lower[0]), json_number(result.auc.upper[0])};
  entry["auc_std_err"] = json_number(result.auc.std_err[0]);
  entry["concordance"] = json_number(result.concordance);
  entry["concordance_std_err"] = json_number(result.concordance_std_err);
  entry["groups"] = {curve_json(result.curves[0], "low risk"), curve_json(result.curves[1], "high risk")};
  entry["log_rank"] = {{"chi_squared", json_number(result.test.chi_squared)}, {"df", result.test.df}, {"p", json_number(result.test.p)}};
  entry["hazard_ratio"] = json_number(result.hazard_ratio);
  entry["hazard_ratio_ci"] = {json_number(result.hazard_lower), json_number(result.hazard_upper)};
  json folds = json::array();
  for (const auto& fold : result.models) {
    folds.push_back({{"training_patients", fold.training_patients}, {"labelled", fold.labelled}, {"events_by_horizon", fold.events_by_horizon},
                     {"cut", fold.cut}});
    if (result.method == RiskMethod::logistic) folds.back()["inverse_penalty"] = fold.inverse_strength;
  }
  entry["folds"] = folds;
  if (result.method == RiskMethod::logistic && names.size() <= 64) {
    json coefficients = json::object();
    for (std::size_t j = 0; j < names.size(); ++j) coefficients[names[j]] = model.logistic.coefficient(0, static_cast<Eigen::Index>(j));
    entry["all_patients"] = {{"standardised_coefficients", coefficients}, {"intercept", model.logistic.intercept[0]}, {"cut", model.cut},
                             {"inverse_penalty", model.inverse_strength}};
  }
  return entry;
}

std::string text(const char* format, auto... values) {
  char line[256];
  std::snprintf(line, sizeof line, format, values...);
  return line;
}

std::string shown(double value) { return std::isnan(value) ? "not reached" : text("%.1f", value); }

}  // namespace

json json_number(double value) { return std::isfinite(value) ? json(value) : json(); }

json fit_json(const FitSummary& summary, const std::vector<CrossValidation>& results, const std::vector<RiskModel>& final_models,
              const std::vector<std::string>& patients) {
  json document;
  document["software"] = std::string("clmnet ") + CLMNET_VERSION;
  document["cohort"] = summary.cohort;
  document["n"] = patients.size();
  document["events"] = summary.cohort["events"];
  document["time"] = summary.time_name;
  document["horizon"] = summary.options.horizon;
  document["status_at_horizon"] = {{"event", summary.events_by_horizon}, {"beyond", summary.beyond_horizon}, {"censored_before", summary.censored_before}};
  document["covariates"] = summary.covariates.size() <= 64 ? json(summary.covariates) : json(summary.covariates.size());
  json imputed = json::object();
  for (const auto& [name, count] : summary.imputed) imputed[name] = count;
  document["imputed"] = imputed;
  if (!summary.features.is_null()) document["features"] = summary.features;
  document["convention"] = kConventions;
  document["cross_validation"] = {{"folds", summary.options.folds}, {"seed", summary.options.seed}, {"unit", "patient"}};
  for (std::size_t k = 0; k < results.size(); ++k) document["models"].push_back(method_json(results[k], final_models[k], summary.covariates));
  json rows = json::array();
  for (std::size_t i = 0; i < patients.size(); ++i) {
    json row = {{"patient", patients[i]}, {"fold", results[0].fold[i]}};
    for (const auto& result : results) {
      const char* key = result.method == RiskMethod::logistic ? "logistic" : "forest";
      row[key] = {{"risk", result.risk[static_cast<Eigen::Index>(i)]}, {"group", result.high[i] ? "high" : "low"}};
    }
    rows.push_back(row);
  }
  document["patients"] = rows;
  return document;
}

std::string fit_table(const FitSummary& summary, const std::vector<CrossValidation>& results) {
  std::ostringstream out;
  out << "Cohort   " << summary.cohort_text << "; " << summary.cohort["events"].get<std::size_t>() << " events\n"
      << text("Horizon  %g (%s): %zu events by it, %zu seen beyond, %zu censored before (weighed in the AUC, not used for training)\n", summary.options.horizon,
              summary.time_name.c_str(), summary.events_by_horizon, summary.beyond_horizon, summary.censored_before);
  out << "Inputs   " << summary.covariates.size() << (summary.covariates.size() == 1 ? " covariate" : " covariates");
  const char* separator = "; imputed with the training median: ";
  for (const auto& [name, count] : summary.imputed) {
    out << separator << name << " in " << count;
    separator = ", ";
  }
  out << text("\nFolds    %d, by patient, seed %llu; every number below is out of fold\n", summary.options.folds,
              static_cast<unsigned long long>(summary.options.seed));
  for (const auto& result : results) {
    out << "\n" << name_of(result.method) << "\n"
        << text("  AUC at the horizon  %.3f  (95%% CI %.3f to %.3f)\n", result.auc.value[0], result.auc.lower[0], result.auc.upper[0])
        << text("  Harrell's C         %.3f  (standard error %.3f)\n", result.concordance, result.concordance_std_err)
        << "  group          n   events   expected   median   95% CI\n";
    const char* names[] = {"low risk", "high risk"};
    for (std::size_t g = 0; g < 2; ++g) {
      const auto& curve = result.curves[g];
      const auto median = survival::event_time_quantile(curve, 0.5, survival::ConfidenceScale::log_log, 0.95);
      out << text("  %-9s  %5zu   %6zu   %8.1f   %6s   %s to %s\n", names[g], curve.n, curve.events, result.test.expected[static_cast<Eigen::Index>(g)],
                  shown(median.time).c_str(), shown(median.lower).c_str(), shown(median.upper).c_str());
    }
    out << text("  log-rank chi-squared %.2f on %d df, %s; hazard ratio high/low %.2f (95%% CI %.2f to %.2f)\n", result.test.chi_squared, result.test.df,
                p_text(result.test.p).c_str(), result.hazard_ratio, result.hazard_lower, result.hazard_upper);
  }
  return out.str();
}

}  // namespace clmnet::tools
