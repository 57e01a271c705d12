#include "tools/survival/fit_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "tools/report/text_table.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

const char* const kConventions =
    "events by the horizon against patients seen beyond it; censored before it: not used to train a classifier, "
    "given a risk and counted in AUC (cases weighed by 1/G(T-), G the Kaplan-Meier estimate of censoring), curves and log-rank "
    "test; "
    "scaling, medians for missing covariates, penalties (5-fold validation inside the training part) and cut-point learn from "
    "the training part alone; "
    "patients are ranked by the percentile of their risk among the training patients, mean over repeats; "
    "groups: risk above the median of the training patients is high; intervals take the fitted models as they are; "
    "differences between feature sets: percentile bootstrap of patients";

json curve_json(const survival::KaplanMeier& curve, const std::string& name) {
  const auto median = survival::event_time_quantile(curve, 0.5, survival::ConfidenceScale::log_log, 0.95);
  return {{"group", name}, {"n", curve.n}, {"events", curve.events}, {"median", json_number(median.time)},
          {"median_ci", {json_number(median.lower), json_number(median.upper)}}, {"time", curve.time}, {"n_risk", curve.n_risk},
          {"survival", curve.survival}};
}

/// Mean and standard deviation of the repeats' AUCs; NaN deviation with one.
std::pair<double, double> spread(const std::vector<double>& values) {
  const double n = static_cast<double>(values.size()), mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, n > 1 ? std::sqrt(squares / (n - 1)) : std::nan("")};
}

json result_json(const CrossValidation& result) {
  json entry = {{"set", result.set}, {"model", key_of(result.method)}, {"method", name_of(result.method)}};
  entry["auc"] = json_number(result.auc.value[0]);
  entry["auc_ci"] = {json_number(result.auc.lower[0]), json_number(result.auc.upper[0])};
  entry["auc_std_err"] = json_number(result.auc.std_err[0]);
  entry["auc_of_repeat"] = json::array();
  for (const double value : result.auc_of_repeat) entry["auc_of_repeat"].push_back(json_number(value));
  entry["concordance"] = json_number(result.concordance);
  entry["concordance_std_err"] = json_number(result.concordance_std_err);
  entry["groups"] = {curve_json(result.curves[0], "low risk"), curve_json(result.curves[1], "high risk")};
  entry["log_rank"] = {{"chi_squared", json_number(result.test.chi_squared)},
                       {"df", result.test.df},
                       {"p", json_number(result.test.p)}};
  entry["hazard_ratio"] = json_number(result.hazard_ratio);
  entry["hazard_ratio_ci"] = {json_number(result.hazard_lower), json_number(result.hazard_upper)};
  entry["folds"] = json::array();
  for (const auto& fold : result.folds) {
    entry["folds"].push_back({{"training_patients", fold.training_patients},
                              {"labelled", fold.labelled},
                              {"events_by_horizon", fold.events_by_horizon},
                              {"cut", fold.cut}});
    if (result.method == RiskMethod::logistic) entry["folds"].back()["inverse_penalty"] = fold.strength;
    if (result.method == RiskMethod::cox) entry["folds"].back()["penalty"] = fold.strength;
  }
  return entry;
}

json comparison_json(const RiskComparison& one) {
  return {{"first", one.first},
          {"second", one.second},
          {"auc",
           {{"difference", json_number(one.auc)},
            {"ci", {json_number(one.auc_lower), json_number(one.auc_upper)}},
            {"p", json_number(one.auc_p)}}},
          {"concordance",
           {{"difference", json_number(one.concordance)},
            {"ci", {json_number(one.concordance_lower), json_number(one.concordance_upper)}},
            {"p", json_number(one.concordance_p)}}}};
}

/// Forests whose trees could not split in every fold: their patients all have one risk. Empty when there are none.
std::string unsplit_forests(const std::vector<CrossValidation>& results) {
  std::string names;
  for (const auto& result : results) {
    const bool survival_forest = result.method == RiskMethod::survival_forest;
    if (!survival_forest && result.method != RiskMethod::forest) continue;
    const bool small = std::any_of(result.folds.begin(), result.folds.end(), [&](const auto& fold) {
      return (survival_forest ? fold.training_patients : fold.labelled) < 2 * std::size_t{kForestMinLeaf};
    });
    if (small) names += (names.empty() ? "" : ", ") + result.set + " " + key_of(result.method);
  }
  if (names.empty()) return names;
  return names + ": a leaf takes " + std::to_string(kForestMinLeaf) + " patients, so with fewer than " +
         std::to_string(2 * kForestMinLeaf) + " to learn from no tree of a fold splits and these numbers mean nothing";
}

std::string median_text(const survival::KaplanMeier& curve) {
  if (curve.n == 0) return "NA";
  const auto median = survival::event_time_quantile(curve, 0.5, survival::ConfidenceScale::log_log, 0.95);
  const auto shown = [](double value) { return std::isnan(value) ? std::string("not reached") : fixed_text(value, 1); };
  return shown(median.time) + " (" + shown(median.lower) + " to " + shown(median.upper) + ")";
}

std::string head_text(const FitSummary& summary) {
  std::ostringstream out;
  out << "Cohort   " << summary.cohort_text << "; " << summary.patients << " patients, " << summary.events << " events\n"
      << "Horizon  " << number_text(summary.options.horizon) << " (" << summary.time_name << "): " << summary.events_by_horizon
      << " events by it, " << summary.beyond_horizon << " seen beyond, " << summary.censored_before
      << " censored before (weighed in the AUC, not used to train classifiers)\n";
  if (!summary.covariates.empty()) {
    out << "Clinical " << summary.covariates.size() << (summary.covariates.size() == 1 ? " covariate" : " covariates");
    const char* separator = "; imputed with the training median: ";
    for (const auto& [name, count] : summary.imputed) {
      out << separator << name << " in " << count;
      separator = ", ";
    }
    out << "\n";
  }
  if (!summary.features_text.empty()) out << "Slides   " << summary.features_text << "\n";
  out << "Folds    " << summary.options.folds << ", by patient, " << summary.options.repeats
      << (summary.options.repeats == 1 ? " repeat" : " repeats") << ", seed " << summary.options.seed
      << "; every number below is out of fold\n";
  return out.str();
}

}  // namespace

json fit_json(const FitSummary& summary, const std::vector<CrossValidation>& results,
              const std::vector<RiskComparison>& comparisons, const std::vector<std::string>& patients, const json& model) {
  json document;
  document["method"] = "cross-validated risk at a horizon";
  document["convention"] = kConventions;
  document["software"] = std::string("clmnet ") + CLMNET_VERSION;
  document["cohort"] = summary.cohort;
  document["n"] = summary.rows;
  document["patients"] = json::array();
  document["events"] = summary.events;
  document["time"] = summary.time_name;
  document["horizon"] = summary.options.horizon;
  document["status_at_horizon"] = {{"event", summary.events_by_horizon},
                                   {"beyond", summary.beyond_horizon},
                                   {"censored_before", summary.censored_before}};
  document["covariates"] = summary.covariates;
  document["imputed"] = json::object();
  for (const auto& [name, count] : summary.imputed) document["imputed"][name] = count;
  if (!summary.features.is_null()) document["features"] = summary.features;
  document["cross_validation"] = {{"folds", summary.options.folds},
                                  {"repeats", summary.options.repeats},
                                  {"seed", summary.options.seed},
                                  {"unit", "patient"}};
  for (const auto& result : results) document["models"].push_back(result_json(result));
  document["comparisons"] = json::array();
  for (const auto& one : comparisons) document["comparisons"].push_back(comparison_json(one));
  if (!model.is_null()) document["all_patients"] = model;
  document["warnings"] = json::array();
  if (const std::string forests = unsplit_forests(results); !forests.empty()) document["warnings"].push_back(forests);
  for (std::size_t i = 0; i < patients.size(); ++i) {
    json row = {{"patient", patients[i]}};
    for (const auto& fold : results[0].fold) row["fold"].push_back(fold[i]);
    for (const auto& result : results) {
      const auto at = static_cast<Eigen::Index>(i);
      row[result.set][key_of(result.method)] = {{"risk", result.risk[at]},
                                                {"percentile", result.score[at]},
                                                {"group", result.high[i] ? "high" : "low"}};
    }
    document["patients"].push_back(row);
  }
  return document;
}

std::string fit_table(const FitSummary& summary, const std::vector<CrossValidation>& results,
                      const std::vector<RiskComparison>& comparisons) {
  TextTable models({"Out of fold", "model", "AUC", "95% CI", "over repeats", "C", "se(C)", "HR high/low", "log-rank"});
  TextTable groups({"Risk groups", "model", "group", "n", "events", "expected", "median (95% CI)"});
  for (const auto& result : results) {
    const auto [mean, deviation] = spread(result.auc_of_repeat);
    models.add({result.set, key_of(result.method), fixed_text(result.auc.value[0], 3),
                fixed_text(result.auc.lower[0], 3) + " to " + fixed_text(result.auc.upper[0], 3),
                result.auc_of_repeat.size() > 1 ? fixed_text(mean, 3) + " ± " + fixed_text(deviation, 3) : "",
                fixed_text(result.concordance, 3), fixed_text(result.concordance_std_err, 3),
                interval_text(result.hazard_ratio, result.hazard_lower, result.hazard_upper, 2), p_text(result.test.p)});
    for (std::size_t g = 0; g < 2; ++g) {
      const auto& curve = result.curves[g];
      groups.add({result.set, key_of(result.method), g == 0 ? "low" : "high", std::to_string(curve.n),
                  std::to_string(curve.events), fixed_text(result.test.expected[static_cast<Eigen::Index>(g)], 1),
                  median_text(curve)});
    }
  }
  std::string text = head_text(summary) + "\n" + models.text() + "\n" + groups.text();
  if (const std::string forests = unsplit_forests(results); !forests.empty()) text += "\nWarning: " + forests + "\n";
  if (comparisons.empty()) return text;
  TextTable table({"Difference", "AUC", "95% CI", "p", "C", "95% CI", "p"});
  for (const auto& one : comparisons) {
    table.add({one.first + " - " + one.second, fixed_text(one.auc, 3),
               fixed_text(one.auc_lower, 3) + " to " + fixed_text(one.auc_upper, 3), p_cell(one.auc_p),
               fixed_text(one.concordance, 3),
               fixed_text(one.concordance_lower, 3) + " to " + fixed_text(one.concordance_upper, 3), p_cell(one.concordance_p)});
  }
  return text + "\n" + table.text() + "Bootstrap of patients, " + std::to_string(summary.resamples) +
         " resamples; the fitted models are taken as they are\n";
}

}  // namespace clmnet::tools
