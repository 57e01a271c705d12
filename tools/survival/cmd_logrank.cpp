#include <cmath>
#include <cstdio>
#include <map>
#include <memory>

#include "survival/log_rank.h"
#include "tools/base/error.h"
#include "tools/report/km_figure.h"
#include "tools/survival/commands.h"
#include "tools/survival/fit_report.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;
using Kind = survival::LogRankWeight::Kind;

const std::map<std::string, Kind> kWeights = {{"log-rank", Kind::log_rank},
                                              {"gehan", Kind::gehan},
                                              {"tarone-ware", Kind::tarone_ware},
                                              {"peto", Kind::peto},
                                              {"modified-peto", Kind::modified_peto},
                                              {"fleming-harrington", Kind::fleming_harrington}};

struct Args {
  CohortColumns columns;
  std::string group, strata, weight = "log-rank";
  double rho = 1, gamma = 0;
  bool trend = false;
};

json list_of(const Eigen::VectorXd& values) { return std::vector<double>(values.begin(), values.end()); }

int run(const Args& args, const Session& session) {
  std::vector<std::string> needed{args.group};
  if (!args.strata.empty()) needed.push_back(args.strata);
  const Cohort cohort(args.columns, needed, false);
  const auto groups = survival::make_groups(cohort.texts(args.group));
  if (groups.size() < 2) {
    throw InputError(cohort.table().name() + ": column '" + args.group + "' has one value ('" + groups.labels[0] +
                     "'), a test needs two groups or more");
  }
  survival::LogRankOptions options;
  options.weight = {kWeights.at(args.weight), args.rho, args.gamma};
  if (!args.strata.empty()) options.strata = survival::make_groups(cohort.texts(args.strata));
  if (args.trend) {
    options.trend_scores.emplace();
    for (std::size_t g = 0; g < groups.size(); ++g) options.trend_scores->push_back(static_cast<double>(g + 1));
  }
  const auto test = survival::log_rank(cohort.outcome(), groups, options);
  if (session.json) {
    json document = {{"method", name_of(options.weight)},
                     {"convention", "hypergeometric variance; weights within strata; times within 1.5e-8 are tied"},
                     {"software", std::string("clmnet ") + CLMNET_VERSION},
                     {"cohort", cohort.report()},
                     {"n", cohort.rows().size()},
                     {"events", cohort.outcome().events()},
                     {"groups", test.groups},
                     {"group_n", test.n},
                     {"observed", list_of(test.observed)},
                     {"expected", list_of(test.expected)},
                     {"score", list_of(test.score)},
                     {"chi_squared", json_number(test.chi_squared)},
                     {"df", test.df},
                     {"p", json_number(test.p)}};
    if (args.trend) {
      document["trend"] = {{"scores", *options.trend_scores},
                           {"z", json_number(test.trend_z)},
                           {"chi_squared", json_number(test.trend_chi_squared)},
                           {"p", json_number(test.trend_p)}};
    }
    print_json(document);
    return 0;
  }
  std::printf("%s\n\n%-20s %8s %10s %10s %12s %12s\n", cohort.report_text().c_str(), args.group.c_str(), "N", "Observed",
              "Expected", "(O-E)^2/E", "(O-E)^2/V");
  for (Eigen::Index g = 0; g < test.observed.size(); ++g) {
    const double difference = test.observed[g] - test.expected[g];
    std::printf("%-20s %8zu %10.0f %10.2f %12.3f %12.3f\n", test.groups[static_cast<std::size_t>(g)].c_str(),
                test.n[static_cast<std::size_t>(g)], test.observed[g], test.expected[g],
                difference * difference / test.expected[g], test.score[g] * test.score[g] / test.variance(g, g));
  }
  std::printf("\n%s%s: chi-squared = %.4g on %d degrees of freedom, %s\n", name_of(options.weight).c_str(),
              args.strata.empty() ? "" : (", stratified by " + args.strata).c_str(), test.chi_squared, test.df,
              p_text(test.p).c_str());
  if (args.trend) std::printf("trend over the groups in order: z = %.4g, %s\n", test.trend_z, p_text(test.trend_p).c_str());
  std::fflush(stdout);
  return 0;
}

}  // namespace

void add_survival_logrank(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command =
      add_command(parent, session, "logrank", "Tests that groups have equal hazards",
                  "clmnet survival logrank --data cohort.csv --time months --event died --group arm --strata centre",
                  [args, &session] { return run(*args, session); });
  add_outcome_options(*command, args->columns);
  command->add_option("--entry", args->columns.entry, "Column: time of entry, for late entry");
  command->add_option("--group", args->group, "Column: the groups")->required();
  command->add_option("--strata", args->strata, "Column: test within its values");
  std::vector<std::string> names;
  for (const auto& [name, kind] : kWeights) names.push_back(name);
  command->add_option("--weight", args->weight, "Weight of the event times")->check(CLI::IsMember(names))->capture_default_str();
  command->add_option("--rho", args->rho, "Of fleming-harrington")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->add_option("--gamma", args->gamma, "Of fleming-harrington")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->add_flag("--trend", args->trend, "Also test for a trend over the groups in order");
}

}  // namespace clmnet::tools
