#include <cmath>

#include "survival/kaplan_meier.h"
#include "tests/survival/reference_handlers.h"
#include "tools/base/error.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;

ConfidenceScale scale_of(const std::string& name) {
  if (name == "plain") return ConfidenceScale::plain;
  if (name == "log") return ConfidenceScale::log;
  if (name == "log-log") return ConfidenceScale::log_log;
  throw InputError("unknown interval '" + name + "'");
}

json at_times(const KaplanMeier& curve, const std::vector<double>& times, const std::vector<std::string>& scales, double level) {
  json at = {{"time", times}, {"n_risk", json::array()}, {"surv", json::array()}, {"se_greenwood", json::array()},
             {"cumhaz_nelson_aalen", json::array()}, {"ci", json::object()}};
  for (const double time : times) {
    const CurvePoint point = evaluate(curve, time);
    at["n_risk"].push_back(number(point.n_risk));
    at["surv"].push_back(number(point.survival));
    at["se_greenwood"].push_back(number(point.std_err));
    at["cumhaz_nelson_aalen"].push_back(number(point.cumulative_hazard));
    for (const auto& scale : scales) {
      const Interval band = survival_interval(point.survival, point.std_err, scale_of(scale), level);
      at["ci"][scale]["lower"].push_back(number(band.lower));
      at["ci"][scale]["upper"].push_back(number(band.upper));
    }
  }
  return at;
}

json quantiles_of(const KaplanMeier& curve, const std::string& scale, double level) {
  json result;
  for (const double p : {0.25, 0.5, 0.75}) {
    const Quantile quantile = event_time_quantile(curve, p, scale_of(scale), level);
    result["p"].push_back(p);
    result["q"].push_back(number(quantile.time));
    result["lower"].push_back(number(quantile.lower));
    result["upper"].push_back(number(quantile.upper));
  }
  return result;
}

json describe(const KaplanMeier& curve, const Outcome& outcome, const json& settings) {
  const double level = settings.value("conf_level", 0.95);
  const auto scales = settings.value("conf_types", std::vector<std::string>{"plain", "log", "log-log"});
  json group = {{"n", curve.n}, {"events", curve.events}};
  group["at"] = at_times(curve, settings.value("times", std::vector<double>{}), scales, level);
  for (const auto& scale : scales) {
    group["quantiles"][scale] = quantiles_of(curve, scale, level);
    const Quantile median = event_time_quantile(curve, 0.5, scale_of(scale), level);
    group["median"][scale] = {{"median", number(median.time)}, {"lower", number(median.lower)}, {"upper", number(median.upper)}};
  }
  if (settings.contains("rmst_tau") && settings["rmst_tau"].is_number()) {
    const RestrictedMean mean = restricted_mean(curve, settings["rmst_tau"]);
    group["rmst"] = {{"tau", mean.tau}, {"rmst", number(mean.mean)}, {"se", number(mean.std_err)}};
  }
  group["curve"] = {{"time", curve.time}, {"n_risk", curve.n_risk}, {"n_event", curve.n_event}, {"n_censor", curve.n_censor},
                    {"surv", curve.survival}, {"se_greenwood", numbers(curve.std_err)}};
  group["median_followup_reverse_km"] = number(median_follow_up(outcome));
  return group;
}

}  // namespace

json run_kaplan_meier(const Case& test) {
  auto needed = outcome_columns(test);
  const std::string group = test.column("group");
  needed.push_back(group);
  const auto rows = complete_rows(test.data, needed);
  const Outcome outcome = merge_close_times(outcome_of(test, rows));
  const Groups groups = group.empty() ? one_group(rows.size()) : make_groups(texts_in(test.data, rows, group));
  const auto curves = kaplan_meier_by_group(outcome, groups);
  const auto rows_of = members(groups);
  json result;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    result["groups"][groups.labels[g]] = describe(curves[g], select(outcome, rows_of[g]), test.settings);
  }
  return result;
}

}  // namespace clmnet::survival::reference
