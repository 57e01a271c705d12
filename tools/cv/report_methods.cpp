#include "tools/cv/report_methods.h"

#include <vector>

#include "tools/cv/cv_measures.h"
#include "tools/cv/html_page.h"
#include "tools/map_measures.h"
#include "tools/report/numbers.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

std::string counted(const json& number, const std::string& one, const std::string& many) {
  return number.dump() + " " + (number == 1 ? one : many);
}

std::string networks_text(const json& predictors) {
  std::string text;
  for (const auto& [name, p] : predictors.items()) {
    if (name != "ensemble") text += (text.empty() ? "" : ", ") + name;
  }
  return escape_html(text);
}

std::string value_text(const json& value) {
  return value.is_number_float() ? number_text(value.get<double>()) : value.is_string() ? value.get<std::string>() : value.dump();
}

/// Every setting, whatever the configuration holds.
std::string settings_table(const json& training) {
  HtmlTable rows = {{"setting", "value"}};
  for (const auto& [section, values] : training.items()) {
    if (!values.is_object()) {
      rows.push_back({section, value_text(values)});
      continue;
    }
    for (const auto& [key, value] : values.items()) {
      if (!value.is_string() || !value.get<std::string>().empty()) rows.push_back({section + "." + key, value_text(value)});
    }
  }
  return html_table(rows, true);
}

std::string split_text(const json& s, const json& configuration) {
  std::string text = "Patients, stratified by class";
  if (configuration.contains("clinical")) text += " and by event";
  text += ", were dealt to " + counted(s["folds"], "fold", "folds");
  if (s["repeats"] != 1) text += ", " + s["repeats"].dump() + " times";
  text += " (seed " + value_text(configuration["training"]["training"]["split_seed"]) +
          "); no patient is on both sides of a split. Images with the same pixels in two patients, unreadable images and masks "
          "of another size were looked for before anything was trained. ";
  if (s["images_trained_on_only"] != 0)
    text += counted(s["images_trained_on_only"], "image was", "images were") + " trained on in every fold and never tested. ";
  if (s["images_without_class"] != 0)
    text += counted(s["images_without_class"], "image", "images") + " of unknown class were left out. ";
  return text;
}

std::string statistics_text() {
  return std::string(
             "Measures: AUC (Mann-Whitney); accuracy, precision, recall, specificity, F1 and Matthews' correlation at the fold's "
             "own threshold; Brier score; expected calibration error in ten bins of equal width. ") +
         kMapConvention + ". 95 % intervals: percentiles of " +
         std::to_string(kPatientResamples) +
         " resamples of whole patients, so that images of one patient do not count as independent. The ensemble was compared "
         "with each network by DeLong's paired test and McNemar's exact test, which take images "
         "as independent, and by resampled patients; p-values after Holm's correction over the networks. ";
}

std::string survival_method(const json& survival) {
  return "<p>Survival: " + escape_html(survival["nested"]) +
         " Logistic regression with a ridge penalty (chosen by inner 5-fold validation) and a random forest predicted the event "
         "by the horizon " +
         number_text(survival["horizon"].get<double>()) + " (" + escape_html(survival["time"]) +
         ") from the features of each network, of the ensemble and, where given, from clinical covariates and both. "
         "Conventions: " +
         escape_html(survival["convention"]) +
         ". Log-rank p-values are corrected by Holm over all models of the table, the AUC differences over all "
         "comparisons.</p>\n";
}

}  // namespace

std::string methods_text(const json& s, const json& configuration, const json& survival) {
  const json& training = configuration["training"];
  std::string text = "<p>" + split_text(s, configuration);
  text += "In each fold " + networks_text(s["predictors"]) +
          " were trained on the patients of the other folds, of whom a share of " +
          value_text(training["training"]["validation_fraction"]) +
          " was kept apart to choose the epoch, the temperatures, the fusion weights, the thresholds and the CRF (nested); the "
          "fold itself was predicted once. Images were brought to " +
          value_text(training["model"]["patch_size_px"]) + " px at " + value_text(training["model"]["spacing_um_per_px"]) +
          " µm/px. The fused logits are the weighted sum of the networks' logits, each divided by its temperature. " +
          statistics_text() + "clmnet " + escape_html(configuration["version"]) + ".</p>\n";
  if (!survival.is_null()) text += survival_method(survival);
  return text + "<h3>Settings</h3>\n" + settings_table(training);
}

std::string checklist(const json& s, const json& survival) {
  const bool has_survival = !survival.is_null(), has_test = s.contains("test");
  const std::string outcome = has_survival ? "Survival; Methods" : "–: no clinical table was given";
  HtmlTable rows = {
      {"list and item", "what it asks for", "where this run answers it"},
      {"TRIPOD+AI 7", "data preparation", "Methods (checks, patch, µm/px); Settings (augment.*)"},
      {"TRIPOD+AI 8a", "outcome and its horizon", outcome},
      {"TRIPOD+AI 10", "sample size", "Cohort and split (counts; their justification is the authors')"},
      {"TRIPOD+AI 11", "missing data", "Flow diagram; Survival (imputed covariates)"},
      {"TRIPOD+AI 12a", "use of the data, partition", "Methods; Images of each fold; folds.csv"},
      {"TRIPOD+AI 12c", "model, building, tuning, internal validation", "Methods; Settings; Configuration"},
      {"TRIPOD+AI 12d", "clusters", "Measures (intervals over patients)"},
      {"TRIPOD+AI 12e", "measures of performance", "Methods; Measures; Curves; Calibration"},
      {"TRIPOD+AI 12g", "how predictions were calculated", "Methods; predictions.csv, predictions_patients.csv"},
      {"TRIPOD+AI 16", "development against evaluation data",
       has_test ? "Other patients" : "Methods (out of fold; no other data)"},
      {"TRIPOD+AI 18f", "code", "clmnet and its version in Methods"},
      {"TRIPOD+AI 20a", "flow of participants", "Flow diagram"},
      {"TRIPOD+AI 21", "participants and events in each analysis",
       has_survival ? "Flow diagram; Survival" : "Flow diagram; Images of each fold"},
      {"TRIPOD+AI 22", "the full model", "RUN/repeat-*/fold-* (weights, config.json); RUN/model where a final model was trained"},
      {"TRIPOD+AI 23a", "performance with intervals", "Measures; Curves"},
      {"TRIPOD+AI 23b", "heterogeneity", "Fold by fold"},
      {"CLAIM 9", "pre-processing", "Methods; Settings"},
      {"CLAIM 13", "missing data", "Flow diagram; Survival"},
      {"CLAIM 19", "sample size", "Cohort and split (counts)"},
      {"CLAIM 20", "assignment to partitions", "Methods; Images of each fold; folds.csv"},
      {"CLAIM 21", "level at which partitions are disjoint", "Methods (patient)"},
      {"CLAIM 22", "the model in detail", "Settings; config.json of each fold"},
      {"CLAIM 23", "software", "Methods (clmnet, version); `clmnet doctor` for its libraries"},
      {"CLAIM 24", "initial parameters", "Settings (*.initial_weights; none named: random, seed given)"},
      {"CLAIM 25", "training approach", "Settings; Learning"},
      {"CLAIM 26", "how the final model was selected", "Methods (epoch with the least validation loss)"},
      {"CLAIM 27", "ensembling", "Methods (fusion); config.json of each fold"},
      {"CLAIM 28", "metrics", "Methods; Measures"},
      {"CLAIM 29", "uncertainty", "Methods; intervals in every table"},
      {"CLAIM 31", "explanation", "Examples (maps)"},
      {"CLAIM 32", "external data", has_test ? "Other patients" : "–: no --test-manifest was given"},
      {"CLAIM 33", "flow of participants", "Flow diagram"},
      {"CLAIM 35, 36", "performance and its precision", "Measures; Comparison"},
      {"CLAIM 37", "failures", "Confusion matrices; Examples (worst maps, wrong calls)"},
      {"TRIPOD+AI 1-6, 8b, 8c, 9, 12b, 12f, 13-15, 17, 18a-e, 19, 20b, 20c, 24-27; CLAIM 1-8, 10-12, 14-18, 30, 34, 38-42",
       "background, setting, eligibility, reference standard, demographics, fairness, ethics, limitations, …",
       "not from a run: the authors"}};
  return html_table(rows, true);
}

}  // namespace clmnet::tools
