#include "tools/cv/cv_report.h"

#include "tools/base/atomic_file.h"
#include "tools/cv/html_page.h"
#include "tools/cv/report_methods.h"
#include "tools/cv/report_survival.h"
#include "tools/map_measures.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::string whole(const json& value) { return value.is_null() ? "–" : value.dump(); }

std::string split_table(const json& s) {
  HtmlTable rows = {{"repeat, fold", "trained on", "validated on", "tested", "of these tumour", "patients tested"}};
  for (const auto& fold : s["split"]) {
    rows.push_back({whole(fold["repeat"]) + ", " + whole(fold["fold"]), whole(fold["trained"]), whole(fold["validated"]),
                    whole(fold["tested"]), whole(fold["tested_tumour"]), whole(fold["tested_patients"])});
  }
  return html_table(rows);
}

std::string measures_table(const json& predictors, bool by_patient) {
  HtmlTable rows = {{by_patient ? "by patient (95% CI)" : "by image (95% CI)", "AUC", "accuracy", "precision", "recall",
                     "specificity", "F1", "MCC", "Dice"}};
  for (const auto& [name, p] : predictors.items()) {
    const json& m = by_patient ? p["by_patient"] : p;
    std::vector<std::string> row = {name};
    for (const char* key : {"auc", "accuracy", "precision", "recall", "specificity", "f1", "matthews", "dice"})
      row.push_back(interval_cell(m[key]));
    rows.push_back(row);
  }
  return html_table(rows);
}

std::string fold_table(const json& predictors) {
  HtmlTable rows = {{"mean ± sd over folds", "AUC", "accuracy", "precision", "recall", "specificity", "F1", "Brier", "Dice",
                     "HD95 (µm)"}};
  for (const auto& [name, p] : predictors.items()) {
    std::vector<std::string> row = {name};
    for (const char* key : {"auc", "accuracy", "precision", "recall", "specificity", "f1", "brier", "dice", "hd95_um"}) {
      const int digits = std::string(key) == "hd95_um" ? 1 : 3;
      row.push_back(number_cell(p["folds"][key]["mean"], digits) + " ± " + number_cell(p["folds"][key]["sd"], digits));
    }
    rows.push_back(row);
  }
  return html_table(rows);
}

std::string comparison_table(const json& list) {
  HtmlTable rows = {{"ensemble less", "AUC difference (95% CI, DeLong)", "95% CI, patients", "DeLong p", "after Holm",
                     "patients p", "after Holm", "only ensemble right", "only network right", "McNemar p", "after Holm"}};
  for (const auto& c : list) {
    const auto difference = [&](const char* interval) {
      return interval_cell({{"value", c["auc_difference"]}, {"ci", c[interval]}});
    };
    rows.push_back({c["network"], difference("auc_difference_ci"), difference("auc_difference_ci_by_patient"),
                    p_value_cell(c["delong_p"]), p_value_cell(c["delong_p_holm"]), p_value_cell(c["resampled_p"]),
                    p_value_cell(c["resampled_p_holm"]), whole(c["only_ensemble_right"]), whole(c["only_network_right"]),
                    p_value_cell(c["mcnemar_p"]), p_value_cell(c["mcnemar_p_holm"])});
  }
  return html_table(rows);
}

/// The maps of every predictor; the ensemble's also before the CRF.
std::string maps_table(const json& predictors) {
  HtmlTable rows = {{"mean of images (95% CI)"}};
  for (const auto& measure : kMapMeasures) rows.front().push_back(measure.title);
  const auto add = [&](const std::string& title, const json& predictor, const std::string& ending) {
    rows.push_back({title});
    for (const auto& measure : kMapMeasures)
      rows.back().push_back(interval_cell(predictor[measure.name + ending], measure.decimals));
  };
  for (const auto& [name, p] : predictors.items()) add(name == "ensemble" ? "ensemble, after the CRF" : name, p, "");
  add("ensemble, before the CRF", predictors["ensemble"], "_before_crf");
  add("after less before the CRF", predictors["ensemble"], "_difference_crf");
  return html_table(rows);
}

std::string calibration_table(const json& predictors) {
  HtmlTable rows = {{"", "calibration error (95% CI)", "Brier (95% CI)", "slope", "intercept", "temperature by fold",
                     "error before it", "error after it"}};
  for (const auto& [name, p] : predictors.items()) {
    const json& c = p["calibration"];
    std::string temperatures;
    for (const auto& t : c.value("temperatures", json::array()))
      temperatures += (temperatures.empty() ? "" : ", ") + number_cell(t, 2);
    rows.push_back({name, interval_cell(p["calibration_error"]), interval_cell(p["brier"]), number_cell(c["slope"], 2),
                    number_cell(c["intercept"], 2), temperatures.empty() ? "–" : temperatures,
                    number_cell(c.value("error_before_temperature", json())),
                    number_cell(c.value("error_after_temperature", json()))});
  }
  return html_table(rows);
}

std::string confusion_table(const json& predictors) {
  HtmlTable rows = {{"images", "tumour called tumour", "tumour called normal", "normal called tumour", "normal called normal"}};
  for (const auto& [name, p] : predictors.items()) {
    const json& c = p["confusion"];
    const json& patients = p["by_patient"]["confusion"];
    rows.push_back(
        {name, whole(c["true_positive"]), whole(c["false_negative"]), whole(c["false_positive"]), whole(c["true_negative"])});
    rows.push_back({name + ", patients", whole(patients["true_positive"]), whole(patients["false_negative"]),
                    whole(patients["false_positive"]), whole(patients["true_negative"])});
  }
  return html_table(rows);
}

std::string figures(const fs::path& run, const std::vector<CvFigure>& list) {
  std::string out = "<div class=\"figures\">\n";
  for (const auto& figure : list) out += html_figure(run / "figures" / (figure.name + ".svg"), figure.caption);
  return out + "</div>\n";
}

std::string example_pictures(const fs::path& run, const json& examples) {
  std::string out;
  for (const char* kind : {"best", "worst", "wrong"}) {
    std::string pictures;
    for (const auto& example : examples) {
      if (example["kind"] == kind)
        pictures += html_figure(run / "examples" / example["file"].get<std::string>(), example["caption"]);
    }
    const std::string title = std::string(kind) == "best"    ? "Best maps"
                              : std::string(kind) == "worst" ? "Worst maps"
                                                             : "Wrong calls";
    out += "<h3>" + title + "</h3>\n" +
           (pictures.empty() ? "<p class=\"note\">none</p>\n" : "<div class=\"pictures\">\n" + pictures + "</div>\n");
  }
  return out;
}

std::string test_section(const json& s) {
  if (!s.contains("test")) return "";
  HtmlTable rows = {{"final model, other patients", "AUC (95% CI)", "accuracy", "precision", "recall", "F1", "Dice",
                     "HD95 (µm)", "n"}};
  for (const auto& [name, p] : s["test"].items()) {
    rows.push_back({name,
                    p["auc_ci"].is_null() ? number_cell(p["auc"]) : interval_cell({{"value", p["auc"]}, {"ci", p["auc_ci"]}}),
                    number_cell(p["accuracy"]), number_cell(p["precision"]), number_cell(p["recall"]), number_cell(p["f1"]),
                    number_cell(p["dice"]), number_cell(p["hd95_um"], 1), whole(p["n"])});
  }
  return "<h2 id=\"test\">Other patients</h2>\n<p>The model trained on all data, on the test manifest, whose patients it did not "
         "see.</p>\n" +
         html_table(rows);
}

std::string opening(const json& s) {
  std::string out = "<h1>Cross-validation</h1>\n";
  if (!s["permuted_labels"].is_null()) {
    out += "<p class=\"warning\">Labels and outcomes were permuted between patients (seed " + whole(s["permuted_labels"]) +
           "): a test against leaks. An AUC whose interval lacks 0.5 would point to one. Nothing here says how good the method "
           "is.</p>\n";
  }
  return out + "<p>Out-of-fold predictions of " + whole(s["images"]) + " images of " + whole(s["patients"]) +
         " patients: each image was predicted by networks that saw no image of its patient. Research use, not a medical "
         "device.</p>\n"
         "<nav><a href=\"#cohort\">Cohort</a><a href=\"#measures\">Measures</a><a href=\"#comparison\">Comparison</a><a "
         "href=\"#curves\">Curves</a><a href=\"#examples\">Examples</a>"
         "<a href=\"#learning\">Learning</a>" +
         (s.contains("test") ? "<a href=\"#test\">Other patients</a>" : "") +
         "<a href=\"#survival\">Survival</a><a href=\"#methods\">Methods</a><a "
         "href=\"#checklist\">Checklist</a></nav>\n";
}

}  // namespace

void write_cv_report(const fs::path& run, const CvReport& report) {
  const json& s = report.summary;
  const json& predictors = s["predictors"];
  std::string body = opening(s);
  body += "<h2 id=\"cohort\">Cohort and split</h2>\n" +
          html_figure(run / "figures" / (report.flow.name + ".svg"), report.flow.caption) + "<h3>Images of each fold</h3>\n" +
          split_table(s);
  body +=
      "<h2 id=\"measures\">Measures</h2>\n<p class=\"note\">Intervals resample whole patients. A patient counts as tumour where "
      "one of his images is; his probability is that of his most suspicious image.</p>\n";
  body += measures_table(predictors, false) + measures_table(predictors, true);
  body += "<h3>Fold by fold</h3>\n" + fold_table(predictors);
  body += "<h3>Confusion matrices</h3>\n<p class=\"note\">At the thresholds that each fold's validation part gave.</p>\n" +
          confusion_table(predictors);
  body += "<h3>Maps, and what the CRF adds</h3>\n<p class=\"note\">" + kMapConvention + ".</p>\n" + maps_table(predictors);
  body += "<h3>Calibration</h3>\n" + calibration_table(predictors);
  body +=
      "<h2 id=\"comparison\">Is the ensemble better?</h2>\n<p class=\"note\">DeLong and McNemar take images as independent; the "
      "columns ‘patients’ resample whole patients.</p>\n" +
      comparison_table(s["comparisons"]);
  body += "<h2 id=\"curves\">Curves</h2>\n" + figures(run, report.prediction_figures);
  body +=
      "<h2 id=\"examples\">Examples</h2>\n<p class=\"note\">Out of fold. Colour: the ensemble's probability of tumour before the "
      "CRF, from dark blue (0) to yellow (1). White: outline of the lesion mask.</p>\n" +
      example_pictures(run, report.examples);
  body += "<h2 id=\"learning\">Learning</h2>\n" + figures(run, report.learning_figures);
  body += test_section(s);
  body += "<h2 id=\"survival\">Survival</h2>\n";
  body += report.survival.is_null() ? "<p class=\"note\">No clinical table was given (--clinical).</p>\n"
                                    : survival_tables(report.survival) + figures(run, report.survival_figures);
  body += "<h2 id=\"methods\">Methods</h2>\n" + methods_text(s, report.configuration, report.survival);
  body += "<h2 id=\"checklist\">Checklists</h2>\n" + checklist(s, report.survival);
  body += "<h2>Configuration</h2>\n<pre>" + escape_html(report.configuration.dump(2)) + "</pre>\n";
  write_atomically(run / "report.html", html_page("clmnet cross-validation", body));
}

}  // namespace clmnet::tools
