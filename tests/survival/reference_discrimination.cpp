#include <cmath>
#include <filesystem>

#include "survival/concordance.h"
#include "survival/discrimination.h"
#include "survival/kaplan_meier.h"
#include "tests/survival/reference_handlers.h"
#include "tools/base/error.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;

/// numpy's round(x, 1): half to even.
std::vector<double> rounded(std::vector<double> values) {
  for (double& value : values) value = std::nearbyint(value * 10) / 10;
  return values;
}

/// What a method returns, or null where it says that the result is undefined for these data.
template <typename Compute>
json unless_undefined(Compute compute) {
  try {
    return compute();
  } catch (const std::invalid_argument&) {
    return nullptr;
  }
}

json r_concordance(const Outcome& outcome, const std::vector<double>& risk, bool weighted, std::optional<double> tau) {
  return unless_undefined([&]() -> json {
    ConcordanceOptions options;
    options.inverse_censoring_weights = weighted;
    options.tau = tau;
    const Concordance pairs = concordance(outcome, risk, options);
    return {{"c", number(pairs.c)}, {"se", number(pairs.std_err)},
            {"counts", {{"concordant", pairs.concordant}, {"discordant", pairs.discordant}, {"tied.x", pairs.tied_risk},
                        {"tied.y", pairs.tied_time}, {"tied.xy", pairs.tied_time_risk}}}};
  });
}

json scikit_harrell(const Outcome& outcome, const std::vector<double>& risk) {
  ConcordanceOptions options;
  options.convention = IpcwConvention::scikit_survival;
  const Concordance pairs = concordance(outcome, risk, options);
  return {{"c", number(pairs.c)},
          {"concordant", pairs.concordant},
          {"discordant", pairs.discordant},
          {"tied_risk", pairs.tied_risk},
          {"tied_time", pairs.event_censored_at_one_time},
          {"lifelines", number(pairs.c)}};
}

json scikit_uno(const Outcome& outcome, const std::vector<double>& risk, double tau) {
  return unless_undefined([&]() -> json {
    ConcordanceOptions options;
    options.convention = IpcwConvention::scikit_survival;
    const Concordance plain = concordance(outcome, risk, options);
    options.inverse_censoring_weights = true;
    options.tau = tau;
    return {{"tau", tau},
            {"c", number(concordance(outcome, risk, options).c)},
            {"concordant", plain.concordant},
            {"discordant", plain.discordant}};
  });
}

json scikit_auc(const Outcome& outcome, const std::vector<double>& risk, const std::vector<double>& times) {
  const auto curve = cumulative_dynamic_auc(outcome, risk, times, {IpcwConvention::scikit_survival, 0.95});
  return {{"times", times}, {"auc", numbers(curve.value)}, {"mean_auc", number(curve.mean)}};
}

json curve_json(const TimeCurve& curve, const char* name) {
  return {{"times", curve.time},
          {name, numbers(curve.value)},
          {"se", numbers(curve.std_err)},
          {"lower", numbers(curve.lower)},
          {"upper", numbers(curve.upper)}};
}

/// Predicted survival lies in a table beside the data, one column "s_<time>" a time.
struct Predictions {
  std::string name;
  Eigen::MatrixXd survival;
};

std::string table_name(const Case& test) {
  if (test.settings.contains("surv_csv")) return test.settings["surv_csv"];
  std::string name = "data/" + std::filesystem::path(test.data.name()).filename().string();
  const auto suffix = name.rfind("_lp.csv");
  if (suffix == std::string::npos) return "";
  return name.replace(suffix, std::string::npos, "_surv.csv");
}

Predictions read_predictions(const Case& test, const std::vector<std::size_t>& rows, const std::vector<double>& times) {
  Predictions found{table_name(test), {}};
  if (found.name.empty() || !std::filesystem::exists(test.root / found.name)) return found;
  const CsvTable table = test.table(found.name);
  found.survival.resize(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(times.size()));
  for (std::size_t k = 0; k < times.size(); ++k) {
    char column[40];
    std::snprintf(column, sizeof column, "s_%g", times[k]);
    const auto values = numbers_in(table, rows, column);
    found.survival.col(static_cast<Eigen::Index>(k)) = Eigen::Map<const Eigen::VectorXd>(values.data(), found.survival.rows());
  }
  return found;
}

json r_results(const Outcome& outcome, const std::vector<double>& risk, const std::vector<double>& times, double tau,
               const Predictions& predictions) {
  json result;
  result["harrell"] = r_concordance(outcome, risk, false, std::nullopt);
  result["harrell_tau"] = r_concordance(outcome, risk, false, tau);
  result["uno_tau_nG2"] = r_concordance(outcome, risk, true, tau);
  // Schemper's weights S/(G n) are the same numbers: n S(t-) G(t-) is the number at risk.
  result["schemper_SG"] = result["uno_tau_nG2"];
  result["auc_riskregression"] = curve_json(cumulative_dynamic_auc(outcome, risk, times), "auc");
  if (predictions.survival.size() > 0) {
    json brier = curve_json(brier_score(outcome, predictions.survival, times), "brier");
    brier["null_brier"] = numbers(brier_score(outcome, null_survival(outcome, times), times).value);
    result["brier_riskregression"] = brier;
  }
  return result;
}

json scikit_results(const Outcome& outcome, const std::vector<double>& risk, const std::vector<double>& times, double tau,
                    const Predictions& predictions) {
  json result;
  result["harrell"] = scikit_harrell(outcome, risk);
  result["harrell_lp_rounded_1dp"] = scikit_harrell(outcome, rounded(risk));
  result["uno_sksurv"] = scikit_uno(outcome, risk, tau);
  result["uno_sksurv_lp_rounded_1dp"] = scikit_uno(outcome, rounded(risk), tau);
  result["cumulative_dynamic_auc_sksurv"] = scikit_auc(outcome, risk, times);
  result["cumulative_dynamic_auc_sksurv_lp_rounded_1dp"] = scikit_auc(outcome, rounded(risk), times);
  const IpcwOptions scikit{IpcwConvention::scikit_survival, 0.95};
  const Eigen::MatrixXd base = null_survival(outcome, times);
  const auto null_score = brier_score(outcome, base, times, scikit);
  const Eigen::VectorXd km = base.row(0);
  result["brier_null_km"] = {{"times", times}, {"km", numbers({km.begin(), km.end()})}, {"brier", numbers(null_score.value)},
                             {"ibs_trapezoid", number(null_score.integrated)}};
  if (predictions.survival.size() == 0) return result;
  const auto score = brier_score(outcome, predictions.survival, times, scikit);
  result["brier_sksurv"] = {{"times", times},
                            {"brier", numbers(score.value)},
                            {"ibs_trapezoid", number(score.integrated)},
                            {"surv_csv", predictions.name}};
  std::vector<double> scaled;
  for (std::size_t k = 0; k < times.size(); ++k) scaled.push_back(1 - score.value[k] / null_score.value[k]);
  result["scaled_brier"] = numbers(scaled);
  return result;
}

/// What `whole` lacks of `other`.
void add_missing(json& whole, const json& other) {
  if (!whole.is_object() || !other.is_object()) return;
  for (const auto& [key, value] : other.items()) {
    if (whole.contains(key)) {
      add_missing(whole[key], value);
    } else {
      whole[key] = value;
    }
  }
}

}  // namespace

json run_discrimination(const Case& test) {
  auto needed = outcome_columns(test);
  needed.push_back(test.column("risk"));
  const auto rows = complete_rows(test.data, needed);
  const Outcome outcome = outcome_of(test, rows);
  const auto risk = numbers_in(test.data, rows, test.column("risk"));
  const auto times = test.settings.at("times").get<std::vector<double>>();
  const double tau = test.settings.value("tau", times.back());
  const Predictions predictions = read_predictions(test, rows, times);
  // Cases come in pairs, one for each convention; R's names the table of predictions. Both know 'harrell', with keys of their own.
  json result = scikit_results(outcome, risk, times, tau, predictions), other = r_results(outcome, risk, times, tau, predictions);
  if (test.settings.contains("surv_csv")) std::swap(result, other);
  add_missing(result, other);
  return result;
}

}  // namespace clmnet::survival::reference
