#include <cstdio>

#include "survival/log_rank.h"
#include "tests/survival/reference_handlers.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;
using Kind = LogRankWeight::Kind;

json vector_of(const Eigen::VectorXd& values) { return numbers({values.begin(), values.end()}); }

/// Without events nothing is tested: survdiff's statistic is 0, its p undefined.
json statistic_of(const LogRank& test) { return test.observed.sum() == 0 ? json(0.0) : number(test.chi_squared); }

int freedom_of(const LogRank& test) { return test.observed.sum() == 0 ? static_cast<int>(test.groups.size()) - 1 : test.df; }

json survdiff(const LogRank& test) {
  return {{"chisq", statistic_of(test)}, {"df", freedom_of(test)}, {"p", number(test.p)},
          {"observed", vector_of(test.weighted_observed)}, {"expected", vector_of(test.weighted_expected)}};
}

json weighted(const LogRank& test, const std::vector<double>& scores) {
  const json trend = {{"scores", scores}, {"chisq", number(test.trend_chi_squared)}, {"z", number(test.trend_z)},
                      {"p", number(test.trend_p)}};
  return {{"trend", trend}, {"groups", test.groups}, {"n", test.n}, {"observed", vector_of(test.observed)},
          {"expected", vector_of(test.expected)}, {"weighted_U", vector_of(test.score)},
          {"var_diag", vector_of(test.variance.diagonal())}, {"chisq", statistic_of(test)}, {"df", freedom_of(test)},
          {"p", number(test.p)}};
}

}  // namespace

json run_log_rank(const Case& test) {
  auto needed = outcome_columns(test);
  const std::string group = test.column("group"), strata = test.column("strata");
  needed.insert(needed.end(), {group, strata});
  const auto rows = complete_rows(test.data, needed);
  const Outcome outcome = outcome_of(test, rows);
  const Groups groups = group.empty() ? one_group(rows.size()) : make_groups(texts_in(test.data, rows, group));
  LogRankOptions options;
  if (!strata.empty()) options.strata = make_groups(texts_in(test.data, rows, strata));
  options.trend_scores.emplace();
  for (std::size_t g = 0; g < groups.size(); ++g) options.trend_scores->push_back(static_cast<double>(g + 1));
  const auto run = [&](LogRankWeight weight) {
    options.weight = weight;
    return log_rank(outcome, groups, options);
  };
  json result;
  result["survdiff_rho0"] = survdiff(run({Kind::log_rank}));
  result["survdiff_rho1"] = survdiff(run({Kind::fleming_harrington, 1, 0}));
  result["logrank"] = weighted(run({Kind::log_rank}), *options.trend_scores);
  result["gehan"] = weighted(run({Kind::gehan}), *options.trend_scores);
  result["tarone_ware"] = weighted(run({Kind::tarone_ware}), *options.trend_scores);
  result["peto_peto"] = weighted(run({Kind::peto}), *options.trend_scores);
  result["peto_modified_andersen"] = weighted(run({Kind::modified_peto}), *options.trend_scores);
  for (const auto& [rho, gamma] : {std::pair{1.0, 0.0}, {0.0, 1.0}, {1.0, 1.0}, {0.5, 0.5}}) {
    char name[32];
    std::snprintf(name, sizeof name, "fh_%g_%g", rho, gamma);
    result[name] = weighted(run({Kind::fleming_harrington, rho, gamma}), *options.trend_scores);
  }
  return result;
}

}  // namespace clmnet::survival::reference
