#include "tools/cv/report_survival.h"

#include "tools/cv/html_page.h"
#include "tools/report/numbers.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

std::string as_interval(const json& value, const json& interval, int digits) {
  return interval_cell({{"value", value}, {"ci", interval}}, digits);
}

std::string cohort_text(const json& s) {
  const json& status = s["status_at_horizon"];
  std::string text = "<p>" + s["n"].dump() + " patients with outcome and images, " + s["events"].dump() + " events. Horizon " +
                     number_text(s["horizon"].get<double>()) + " (" + escape_html(s["time"]) + "): " + status["event"].dump() +
                     " had the event by it, " + status["beyond"].dump() + " were seen beyond it, " +
                     status["censored_before"].dump() +
                     " were censored before. Left out: " + std::to_string(s["features"]["patients_without_images"].size()) +
                     " without images, " + std::to_string(s["features"]["patients_without_outcome"].size()) + " without outcome.";
  std::string separator = " Missing covariates, filled with the training median: ";
  for (const auto& [name, count] : s["imputed"].items()) {
    text += separator + escape_html(name) + " in " + count.dump();
    separator = ", ";
  }
  return text + "</p>\n";
}

std::string models_table(const json& models) {
  HtmlTable rows = {{"features", "model", "AUC at the horizon (95% CI)", "C index", "hazard ratio high/low (95% CI)",
                     "log-rank p", "after Holm"}};
  for (const auto& m : models) {
    rows.push_back({m["set"], m["method"], as_interval(m["auc"], m["auc_ci"], 3), number_cell(m["concordance"]),
                    as_interval(m["hazard_ratio"], m["hazard_ratio_ci"], 2), p_value_cell(m["log_rank"]["p"]),
                    p_value_cell(m["log_rank"]["p_holm"])});
  }
  return html_table(rows);
}

/// "45.6 (9.0–not reached)": an interval of a median may be open.
std::string median_cell(const json& median, const json& interval) {
  const auto limit = [](const json& value) { return value.is_null() ? std::string("not reached") : number_cell(value, 1); };
  return number_cell(median, 1) + " (" + limit(interval[0]) + "–" + limit(interval[1]) + ")";
}

std::string groups_table(const json& models) {
  HtmlTable rows = {{"features", "model", "group", "patients", "events", "median (95% CI)"}};
  for (const auto& m : models) {
    for (const auto& g : m["groups"]) {
      const std::string median = g["median"].is_null() ? "not reached" : median_cell(g["median"], g["median_ci"]);
      rows.push_back({m["set"], m["method"], g["group"], g["n"].dump(), g["events"].dump(), median});
    }
  }
  return html_table(rows);
}

std::string comparisons_table(const json& comparisons) {
  HtmlTable rows = {{"difference", "AUC (95% CI)", "p", "after Holm", "C index (95% CI)", "p"}};
  for (const auto& c : comparisons) {
    rows.push_back({c["first"].get<std::string>() + " − " + c["second"].get<std::string>(),
                    as_interval(c["auc"]["difference"], c["auc"]["ci"], 3), p_value_cell(c["auc"]["p"]),
                    p_value_cell(c["auc"]["p_holm"]), as_interval(c["concordance"]["difference"], c["concordance"]["ci"], 3),
                    p_value_cell(c["concordance"]["p"])});
  }
  return html_table(rows);
}

}  // namespace

std::string survival_tables(const json& survival) {
  std::string out = cohort_text(survival) + models_table(survival["models"]);
  out += "<h3>Risk groups</h3>\n" + groups_table(survival["models"]);
  if (!survival["comparisons"].empty())
    out += "<h3>Ensemble against other features</h3>\n" + comparisons_table(survival["comparisons"]);
  return out + "<h3>Curves</h3>\n";
}

}  // namespace clmnet::tools
