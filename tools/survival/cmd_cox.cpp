#include <cmath>
#include <cstdio>
#include <memory>

#include "survival/cox.h"
#include "survival/distributions.h"
#include "tools/base/error.h"
#include "tools/report/km_figure.h"
#include "tools/survival/commands.h"
#include "tools/survival/fit_report.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

struct Args {
  CohortColumns columns;
  std::vector<std::string> covariates;
  std::string strata, cluster, ties = "efron";
  double level = 0.95;
  bool check = true;
};

json test_json(const survival::TestResult& test) { return {{"chi_squared", json_number(test.chi_squared)}, {"df", test.df}, {"p", json_number(test.p)}}; }

json model_json(const Args& args, const Cohort& cohort, const CovariateTable& design, const survival::CoxModel& model, const survival::ProportionalHazards* check) {
  const double z = survival::normal_z(args.level);
  const Eigen::VectorXd error = model.used_std_err(), statistic = model.z(), p = model.p_value();
  json document = {{"method", "Cox proportional hazards"}, {"convention", args.ties + " ties" + (args.cluster.empty() ? "" : ", robust error by " + args.cluster)},
                   {"software", std::string("clmnet ") + CLMNET_VERSION}, {"cohort", cohort.report()}, {"n", model.n}, {"events", model.events}};
  for (std::size_t k = 0; k < design.names.size(); ++k) {
    const auto j = static_cast<Eigen::Index>(k);
    const double b = model.coefficient[j];
    document["coefficients"].push_back({{"name", design.names[k]}, {"coef", json_number(b)}, {"hazard_ratio", json_number(std::exp(b))}, {"std_err", json_number(error[j])},
                                        {"z", json_number(statistic[j])}, {"p", json_number(p[j])}, {"lower", json_number(std::exp(b - z * error[j]))},
                                        {"upper", json_number(std::exp(b + z * error[j]))}});
  }
  document["log_likelihood"] = {json_number(model.log_likelihood_null), json_number(model.log_likelihood)};
  document["tests"] = {{"likelihood_ratio", test_json(model.likelihood_ratio)}, {"wald", test_json(model.wald)}, {"score", test_json(model.score)}};
  if (model.robust_wald) document["tests"]["robust_wald"] = test_json(*model.robust_wald);
  if (model.concordance) document["concordance"] = {{"c", json_number(model.concordance->c)}, {"std_err", json_number(model.concordance->std_err)}};
  document["converged"] = model.converged;
  for (const auto j : model.diverging) document["diverging"].push_back(design.names[static_cast<std::size_t>(j)]);
  if (check) {
    for (std::size_t k = 0; k < check->test.size(); ++k) {
      const bool global = k == check->covariate.size();
      json entry = test_json(check->test[k]);
      entry["term"] = global ? "GLOBAL" : design.names[static_cast<std::size_t>(check->covariate[k])];
      document["proportional_hazards"].push_back(entry);
    }
  }
  return document;
}

void print_table(const Args& args, const Cohort& cohort, const CovariateTable& design, const survival::CoxModel& model, const survival::ProportionalHazards* check) {
  const double z = survival::normal_z(args.level);
  const Eigen::VectorXd error = model.used_std_err(), statistic = model.z(), p = model.p_value();
  std::printf("%s\nn = %zu, events = %zu, %s ties\n\n%-24s %10s %10s %10s %8s %9s %10s %10s\n", cohort.report_text().c_str(), model.n, model.events, args.ties.c_str(), "",
              "coef", "exp(coef)", model.robust_covariance ? "robust se" : "se(coef)", "z", "p", "lower", "upper");
  for (std::size_t k = 0; k < design.names.size(); ++k) {
    const auto j = static_cast<Eigen::Index>(k);
    const double b = model.coefficient[j];
    if (std::isnan(b)) {
      std::printf("%-24s %10s  constant, or a combination of those above\n", design.names[k].c_str(), "NA");
      continue;
    }
    std::printf("%-24s %10.4f %10.4f %10.4f %8.3f %9.3g %10.4f %10.4f\n", design.names[k].c_str(), b, std::exp(b), error[j], statistic[j], p[j], std::exp(b - z * error[j]),
                std::exp(b + z * error[j]));
  }
  if (model.concordance) std::printf("\nConcordance = %.3f (se = %.3f)\n", model.concordance->c, model.concordance->std_err);
  const auto line = [](const char* name, const survival::TestResult& test) {
    std::printf("%-22s = %.2f on %d df, %s\n", name, test.chi_squared, test.df, p_text(test.p).c_str());
  };
  line("Likelihood ratio test", model.likelihood_ratio);
  line("Wald test", model.wald);
  line("Score (log-rank) test", model.score);
  if (model.robust_wald) line("Robust Wald test", *model.robust_wald);
  if (check) {
    std::printf("\nProportional hazards (time as 1 - Kaplan-Meier)\n%-24s %10s %4s %9s\n", "", "chisq", "df", "p");
    for (std::size_t k = 0; k < check->test.size(); ++k) {
      const std::string name = k == check->covariate.size() ? "GLOBAL" : design.names[static_cast<std::size_t>(check->covariate[k])];
      std::printf("%-24s %10.3f %4d %9.3g\n", name.c_str(), check->test[k].chi_squared, check->test[k].df, check->test[k].p);
    }
  }
  std::fflush(stdout);
  for (const auto j : model.diverging) {
    std::fprintf(stderr, "clmnet: the likelihood has no maximum along '%s' (the data separate); its coefficient, error and Wald test mean nothing\n",
                 design.names[static_cast<std::size_t>(j)].c_str());
  }
}

int run(const Args& args, const Session& session) {
  auto needed = args.covariates;
  for (const auto& extra : {args.strata, args.cluster}) {
    if (!extra.empty()) needed.push_back(extra);
  }
  const Cohort cohort(args.columns, needed, true);
  const CovariateTable design = covariates_of(cohort, args.covariates, args.columns);
  survival::CoxOptions options;
  options.ties = args.ties == "efron" ? survival::CoxTies::efron : survival::CoxTies::breslow;
  if (!args.strata.empty()) options.strata = survival::make_groups(cohort.texts(args.strata));
  if (!args.cluster.empty()) options.clusters = survival::make_groups(cohort.texts(args.cluster));
  const auto model = survival::fit_cox(design.x, cohort.outcome(), options);
  std::optional<survival::ProportionalHazards> check;
  if (args.check && model.df() > 0) check = survival::test_proportional_hazards(model, design.x, cohort.outcome(), options, survival::TimeTransform::kaplan_meier);
  if (session.json) {
    print_json(model_json(args, cohort, design, model, check ? &*check : nullptr));
  } else {
    print_table(args, cohort, design, model, check ? &*check : nullptr);
  }
  return 0;
}

}  // namespace

void add_survival_cox(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command = add_command(parent, session, "cox", "Proportional hazards regression",
                                  "clmnet survival cox --data cohort.csv --time months --event died --covariates age,sex --strata centre",
                                  [args, &session] { return run(*args, session); });
  add_outcome_options(*command, args->columns);
  command->add_option("--entry", args->columns.entry, "Column: time of entry, for late entry");
  command->add_option("--covariates", args->covariates, "Columns; those that are not numbers become one term a level")->delimiter(',')->required();
  command->add_option("--strata", args->strata, "Column: own baseline hazard for each value");
  command->add_option("--cluster", args->cluster, "Column: rows of one value are not independent (robust error)");
  command->add_option("--ties", args->ties, "How tied events share the risk set")->check(CLI::IsMember({"efron", "breslow"}))->capture_default_str();
  command->add_option("--level", args->level, "Level of the intervals")->check(CLI::Range(0.5, 0.9999))->capture_default_str();
}

}  // namespace clmnet::tools
