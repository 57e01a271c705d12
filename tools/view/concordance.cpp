#include "tools/view/concordance.h"

#include <cmath>
#include <optional>
#include <set>

#include "survival/agreement.h"
#include "tools/base/csv.h"

namespace clmnet::tools::view {
namespace {

using nlohmann::json;

json finite_or_null(double value) { return std::isfinite(value) ? json(value) : json(); }

/// Every region was outlined as tumour; a slide is called tumour where one was.
bool program_calls_tumour(const ViewSlide& slide, const std::string& region) {
  return !region.empty() || slide.number("tumour_regions", 0) > 0;
}

/// Empty for unsure.
std::optional<bool> reader_calls_tumour(const json& verdict, bool program) {
  if (verdict.at("verdict") == "unsure") return std::nullopt;
  return verdict.at("verdict") == "agree" ? program : !program;
}

/// Calls of the program (rows) and the reader (columns): no tumour, tumour.
survival::Kappa slide_kappa(const ReviewState& state, const ViewRun& run) {
  Eigen::MatrixXd table = Eigen::MatrixXd::Zero(2, 2);
  for (const auto& [key, verdict] : state.verdicts) {
    const ViewSlide* slide = key.second.empty() ? run.find(key.first) : nullptr;
    if (slide == nullptr) continue;
    const bool program = program_calls_tumour(*slide, "");
    if (const auto reader = reader_calls_tumour(verdict, program)) ++table(program ? 1 : 0, *reader ? 1 : 0);
  }
  return survival::cohen_kappa(table);
}

const char* call(bool tumour) { return tumour ? "tumour" : "no tumour"; }

}  // namespace

json concordance(const ReviewState& state, const ViewRun& run) {
  std::map<std::string, std::map<std::string, int>> counts;
  for (const auto& [key, verdict] : state.verdicts) {
    ++counts[key.second.empty() ? "slides" : "regions"][verdict.at("verdict").get<std::string>()];
  }
  json document = json::object();
  for (const char* what : {"slides", "regions"}) {
    auto& of = counts[what];
    const auto rate = survival::concordance_rate(of["agree"], of["agree"] + of["disagree"]);
    document[what] = {{"agree", of["agree"]},
                      {"disagree", of["disagree"]},
                      {"unsure", of["unsure"]},
                      {"rate", finite_or_null(rate.rate)},
                      {"wilson_95", {finite_or_null(rate.wilson_lower), finite_or_null(rate.wilson_upper)}},
                      {"exact_95", {finite_or_null(rate.exact_lower), finite_or_null(rate.exact_upper)}}};
  }
  const auto kappa = slide_kappa(state, run);
  document["slides"]["kappa"] = finite_or_null(kappa.kappa);
  document["slides"]["kappa_95"] = {finite_or_null(kappa.lower), finite_or_null(kappa.upper)};
  return document;
}

std::string agreement_csv(const std::map<std::string, ReviewState>& states, const ViewRun& run, bool regions) {
  std::string text = "case,program";
  std::set<std::pair<std::string, std::string>> judged;
  for (const auto& [reader, state] : states) {
    text += ',';
    if (reader == "case" || reader == "program") text += "reader ";
    text += csv_field(reader);
    for (const auto& [key, verdict] : state.verdicts) {
      if (key.second.empty() != regions && run.find(key.first) != nullptr) judged.insert(key);
    }
  }
  text += "\n";
  for (const auto& key : judged) {
    const bool program = program_calls_tumour(*run.find(key.first), key.second);
    text += csv_field(regions ? key.first + "/" + key.second : key.first) + "," + call(program);
    for (const auto& [reader, state] : states) {
      const auto verdict = state.verdicts.find(key);
      const auto calls = verdict == state.verdicts.end() ? std::nullopt : reader_calls_tumour(verdict->second, program);
      text += ',';
      if (calls) text += call(*calls);
    }
    text += "\n";
  }
  return text;
}

}  // namespace clmnet::tools::view
