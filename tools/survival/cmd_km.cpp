#include <iostream>
#include <memory>

#include "survival/kaplan_meier.h"
#include "survival/log_rank.h"
#include "tools/base/error.h"
#include "tools/report/gnuplot.h"
#include "tools/report/km_figure.h"
#include "tools/report/numbers.h"
#include "tools/report/text_table.h"
#include "tools/survival/commands.h"
#include "tools/survival/fit_report.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

struct Args {
  CohortColumns columns;
  std::string group, scale = "log-log", time_label;
  std::vector<std::string> group_names;
  double level = 0.95;
  std::vector<double> times;
  std::optional<double> tau;
  std::vector<std::filesystem::path> figures;
};

survival::ConfidenceScale scale_of(const std::string& name) {
  return name == "plain" ? survival::ConfidenceScale::plain
         : name == "log" ? survival::ConfidenceScale::log
                         : survival::ConfidenceScale::log_log;
}

struct Result {
  std::vector<std::string> names;
  std::vector<survival::KaplanMeier> curves;
  std::vector<double> follow_up;
};

Result compute(const Cohort& cohort, const std::string& group) {
  const auto groups = group.empty() ? survival::one_group(cohort.rows().size()) : survival::make_groups(cohort.texts(group));
  Result result{groups.labels, survival::kaplan_meier_by_group(cohort.outcome(), groups), {}};
  for (const auto& rows : survival::members(groups)) {
    result.follow_up.push_back(survival::median_follow_up(survival::select(cohort.outcome(), rows)));
  }
  return result;
}

json curve_json(const Args& args, const Result& result, std::size_t k) {
  const auto& curve = result.curves[k];
  const auto scale = scale_of(args.scale);
  json entry = {{"group", result.names[k]},
                {"n", curve.n},
                {"events", curve.events},
                {"median_follow_up", json_number(result.follow_up[k])}};
  for (const double p : {0.25, 0.5, 0.75}) {
    const auto q = survival::event_time_quantile(curve, p, scale, args.level);
    entry["quantiles"].push_back(
        {{"p", p}, {"time", json_number(q.time)}, {"lower", json_number(q.lower)}, {"upper", json_number(q.upper)}});
  }
  if (args.tau) {
    const auto mean = survival::restricted_mean(curve, *args.tau);
    entry["restricted_mean"] = {{"tau", mean.tau}, {"mean", mean.mean}, {"std_err", mean.std_err}};
  }
  for (const double t : args.times) {
    const auto at = survival::evaluate(curve, t);
    const auto band = survival::survival_interval(at.survival, at.std_err, scale, args.level);
    entry["at"].push_back({{"time", t},
                           {"n_risk", at.n_risk},
                           {"survival", at.survival},
                           {"std_err", json_number(at.std_err)},
                           {"lower", json_number(band.lower)},
                           {"upper", json_number(band.upper)},
                           {"cumulative_hazard", at.cumulative_hazard}});
  }
  json lower = json::array(), upper = json::array(), error = json::array();
  for (std::size_t i = 0; i < curve.time.size(); ++i) {
    const auto band = survival::survival_interval(curve.survival[i], curve.std_err[i], scale, args.level);
    lower.push_back(json_number(band.lower));
    upper.push_back(json_number(band.upper));
    error.push_back(json_number(curve.std_err[i]));
  }
  entry["curve"] = {{"time", curve.time},
                    {"n_risk", curve.n_risk},
                    {"n_event", curve.n_event},
                    {"n_censor", curve.n_censor},
                    {"survival", curve.survival},
                    {"std_err", error},
                    {"lower", lower},
                    {"upper", upper},
                    {"cumulative_hazard", curve.cumulative_hazard}};
  return entry;
}

void print_table(const Args& args, const Cohort& cohort, const Result& result) {
  const auto scale = scale_of(args.scale);
  TextTable medians({args.group.empty() ? "" : args.group, "n", "events", "median", "lower", "upper", "follow-up"});
  for (std::size_t k = 0; k < result.curves.size(); ++k) {
    const auto median = survival::event_time_quantile(result.curves[k], 0.5, scale, args.level);
    medians.add({result.names[k], std::to_string(result.curves[k].n), std::to_string(result.curves[k].events),
                 number_text(median.time), number_text(median.lower), number_text(median.upper),
                 number_text(result.follow_up[k])});
  }
  std::cout << cohort.report_text() << "\n\n" << medians.text();
  for (std::size_t k = 0; k < result.curves.size() && !args.times.empty(); ++k) {
    TextTable table({result.names[k], "time", "n.risk", "survival", "std.err", "lower", "upper"});
    for (const double t : args.times) {
      const auto at = survival::evaluate(result.curves[k], t);
      const auto band = survival::survival_interval(at.survival, at.std_err, scale, args.level);
      table.add({"", number_text(t), number_text(at.n_risk), fixed_text(at.survival, 4), fixed_text(at.std_err, 4),
                 fixed_text(band.lower, 4), fixed_text(band.upper, 4)});
    }
    std::cout << "\n" << table.text();
  }
  for (std::size_t k = 0; k < result.curves.size() && args.tau; ++k) {
    const auto mean = survival::restricted_mean(result.curves[k], *args.tau);
    std::cout << (k ? "" : "\n") << result.names[k] << ": mean up to " << number_text(mean.tau) << " is "
              << number_text(mean.mean) << ", standard error " << number_text(mean.std_err) << "\n";
  }
  std::cout << "\n"
            << percent_text(args.level) << " intervals on the " << args.scale
            << " scale; Greenwood's error; follow-up: median of the reverse curve\n"
            << std::flush;
}

/// Names of the curves in the figure: as given, else the values of the column; bare numbers with the column's name.
std::vector<std::string> figure_names(const Args& args, const Result& result) {
  if (result.curves.size() == 1 && args.group.empty()) return {"All"};
  if (!args.group_names.empty()) {
    if (args.group_names.size() != result.names.size()) {
      throw InputError("survival km: --group-names has " + std::to_string(args.group_names.size()) + " names, column '" +
                       args.group + "' has " + std::to_string(result.names.size()) + " values");
    }
    return args.group_names;
  }
  std::vector<std::string> names;
  for (const auto& name : result.names) names.push_back(parse_number(name) ? label_of_column(args.group) + " " + name : name);
  return names;
}

int run(const Args& args, const Session& session) {
  if (!args.figures.empty()) require_gnuplot();
  const std::vector<std::string> needed = args.group.empty() ? std::vector<std::string>{} : std::vector<std::string>{args.group};
  const Cohort cohort(args.columns, needed, false);
  const Result result = compute(cohort, args.group);
  json document = {{"method", "Kaplan-Meier"},
                   {"convention", args.scale + " intervals, level " + number_text(args.level) +
                                      "; Greenwood's error; times within 1.5e-8 are tied"},
                   {"n", cohort.rows().size()},
                   {"events", cohort.outcome().events()},
                   {"software", std::string("clmnet ") + CLMNET_VERSION},
                   {"cohort", cohort.report()}};
  for (std::size_t k = 0; k < result.curves.size(); ++k) document["groups"].push_back(curve_json(args, result, k));
  KmFigure figure{result.names, result.curves, args.time_label.empty() ? label_of_column(args.columns.time) : args.time_label};
  figure.scale = scale_of(args.scale);
  figure.level = args.level;
  if (result.curves.size() > 1) {
    const auto test = survival::log_rank(cohort.outcome(), survival::make_groups(cohort.texts(args.group)));
    document["log_rank"] = {{"chi_squared", json_number(test.chi_squared)}, {"df", test.df}, {"p", json_number(test.p)}};
    figure.test = "Log-rank " + p_text(test.p);
  }
  figure.names = figure_names(args, result);
  for (const auto& path : args.figures) {
    if (result.curves.size() > 8) {
      throw InputError(path.string() + ": " + std::to_string(result.curves.size()) + " groups, a figure shows at most 8");
    }
    draw_km(path, figure);
  }
  if (session.json) {
    print_json(document);
  } else {
    print_table(args, cohort, result);
  }
  return 0;
}

}  // namespace

void add_survival_km(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command =
      add_command(parent, session, "km", "Kaplan-Meier curves with intervals, quartiles and numbers at risk",
                  "clmnet survival km --data cohort.csv --time months --event died --group arm --times 12,36,60 --figure km.svg",
                  [args, &session] { return run(*args, session); });
  add_outcome_options(*command, args->columns);
  command->add_option("--entry", args->columns.entry, "Column: time of entry, for late entry");
  command->add_option("--group", args->group, "Column: one curve a value");
  command->add_option("--group-names", args->group_names, "Names of the groups in the figure, in the order of the table")
      ->delimiter(',');
  command->add_option("--conf-type", args->scale, "Scale of the intervals")
      ->check(CLI::IsMember({"plain", "log", "log-log"}))
      ->capture_default_str();
  command->add_option("--level", args->level, "Level of the intervals")->check(CLI::Range(0.5, 0.9999))->capture_default_str();
  command->add_option("--times", args->times, "Times to report")->delimiter(',');
  command->add_option("--tau", args->tau, "Report the mean restricted to this time")->check(CLI::PositiveNumber);
  command->add_option("--figure", args->figures, "SVG or PDF to draw; may be given again");
  command->add_option("--time-label", args->time_label, "Label of the time axis with its unit (default: the column)");
}

}  // namespace clmnet::tools
