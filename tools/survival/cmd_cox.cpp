#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>

#include "survival/cox.h"
#include "survival/distributions.h"
#include "tools/base/error.h"
#include "tools/report/forest_figure.h"
#include "tools/report/gnuplot.h"
#include "tools/report/km_figure.h"
#include "tools/report/text_table.h"
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
  std::vector<std::filesystem::path> figures;
};

json test_json(const survival::TestResult& test) {
  return {{"chi_squared", json_number(test.chi_squared)}, {"df", test.df}, {"p", json_number(test.p)}};
}

json model_json(const Args& args, const Cohort& cohort, const CovariateTable& design, const survival::CoxModel& model,
                const survival::ProportionalHazards* check) {
  const double z = survival::normal_z(args.level);
  const Eigen::VectorXd error = model.used_std_err(), statistic = model.z(), p = model.p_value();
  json document = {{"method", "Cox proportional hazards"},
                   {"convention", args.ties + " ties" + (args.cluster.empty() ? "" : ", robust error by " + args.cluster)},
                   {"software", std::string("clmnet ") + CLMNET_VERSION},
                   {"cohort", cohort.report()},
                   {"n", model.n},
                   {"events", model.events}};
  for (std::size_t k = 0; k < design.names.size(); ++k) {
    const auto j = static_cast<Eigen::Index>(k);
    const double b = model.coefficient[j];
    document["coefficients"].push_back({{"name", design.names[k]},
                                        {"coef", json_number(b)},
                                        {"hazard_ratio", json_number(std::exp(b))},
                                        {"std_err", json_number(error[j])},
                                        {"z", json_number(statistic[j])},
                                        {"p", json_number(p[j])},
                                        {"lower", json_number(std::exp(b - z * error[j]))},
                                        {"upper", json_number(std::exp(b + z * error[j]))}});
  }
  document["log_likelihood"] = {json_number(model.log_likelihood_null), json_number(model.log_likelihood)};
  document["tests"] = {{"likelihood_ratio", test_json(model.likelihood_ratio)},
                       {"wald", test_json(model.wald)},
                       {"score", test_json(model.score)}};
  if (model.robust_wald) document["tests"]["robust_wald"] = test_json(*model.robust_wald);
  if (model.concordance) {
    document["concordance"] = {{"c", json_number(model.concordance->c)}, {"std_err", json_number(model.concordance->std_err)}};
  }
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

/// Three digits, as R prints p in a table.
std::string exact_p(double p) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", p);
  return std::isnan(p) ? "NA" : text;
}

void print_table(const Args& args, const Cohort& cohort, const CovariateTable& design, const survival::CoxModel& model,
                 const survival::ProportionalHazards* check) {
  const double z = survival::normal_z(args.level);
  const Eigen::VectorXd error = model.used_std_err(), statistic = model.z(), p = model.p_value();
  std::cout << cohort.report_text() << "\nn = " << model.n << ", events = " << model.events << ", " << args.ties << " ties\n\n";
  TextTable table({"", "coef", "exp(coef)", model.robust_covariance ? "robust se" : "se(coef)", "z", "p", "lower", "upper"});
  for (std::size_t k = 0; k < design.names.size(); ++k) {
    const auto j = static_cast<Eigen::Index>(k);
    const double b = model.coefficient[j];
    table.add({design.names[k], fixed_text(b, 4), fixed_text(std::exp(b), 4), fixed_text(error[j], 4),
               fixed_text(statistic[j], 3), exact_p(p[j]), fixed_text(std::exp(b - z * error[j]), 4),
               fixed_text(std::exp(b + z * error[j]), 4)});
  }
  std::cout << table.text();
  for (std::size_t k = 0; k < design.names.size(); ++k) {
    if (std::isnan(model.coefficient[static_cast<Eigen::Index>(k)])) {
      std::cout << design.names[k] << ": NA, it is constant or a combination of those above\n";
    }
  }
  if (model.concordance) {
    std::cout << "\nConcordance = " << fixed_text(model.concordance->c, 3)
              << " (se = " << fixed_text(model.concordance->std_err, 3) << ")\n";
  }
  const auto line = [](const char* name, const survival::TestResult& test) {
    std::cout << name << " = " << fixed_text(test.chi_squared, 2) << " on " << test.df << " df, " << p_text(test.p) << "\n";
  };
  line("Likelihood ratio test ", model.likelihood_ratio);
  line("Wald test             ", model.wald);
  line("Score (log-rank) test ", model.score);
  if (model.robust_wald) line("Robust Wald test      ", *model.robust_wald);
  if (check) {
    TextTable hazards({"Proportional hazards", "chisq", "df", "p"});
    for (std::size_t k = 0; k < check->test.size(); ++k) {
      const std::string name =
          k == check->covariate.size() ? "GLOBAL" : design.names[static_cast<std::size_t>(check->covariate[k])];
      hazards.add(
          {name, fixed_text(check->test[k].chi_squared, 3), std::to_string(check->test[k].df), exact_p(check->test[k].p)});
    }
    std::cout << "\n" << hazards.text() << "Score test of Grambsch and Therneau, time as 1 - Kaplan-Meier\n";
  }
  std::cout << percent_text(args.level) << " intervals of exp(coef)\n";
  std::cout << std::flush;
  for (const auto j : model.diverging) {
    std::fprintf(stderr,
                 "clmnet: the likelihood has no maximum along '%s' (the data separate); its coefficient, error and Wald test "
                 "mean nothing\n",
                 design.names[static_cast<std::size_t>(j)].c_str());
  }
}

/// "ajcc_stage=III" is "Ajcc stage: III", a number is its column's name.
std::string label_of_term(const CovariateTable& design, std::size_t k) {
  const std::string name = label_of_column(design.source[k]);
  return design.level[k].empty() ? name : name + ": " + design.level[k];
}

ForestFigure forest_of(const Args& args, const CovariateTable& design, const survival::CoxModel& model) {
  const double z = survival::normal_z(args.level);
  const Eigen::VectorXd error = model.used_std_err(), p = model.p_value();
  ForestFigure figure;
  figure.interval_label = percent_text(args.level) + " CI";
  figure.note = "Cox regression, n = " + std::to_string(model.n) + ", " + std::to_string(model.events) + " events; " +
                (args.ties == "efron" ? "Efron" : "Breslow") + " ties" +
                (args.strata.empty() ? "" : "; stratified by " + args.strata) +
                (args.cluster.empty() ? "; Wald intervals" : "; robust errors by " + args.cluster);
  for (std::size_t k = 0; k < design.names.size(); ++k) {
    const auto j = static_cast<Eigen::Index>(k);
    const double b = model.coefficient[j];
    const bool diverges = std::find(model.diverging.begin(), model.diverging.end(), j) != model.diverging.end();
    ForestRow row{label_of_term(design, k),   std::exp(b),  std::exp(b - z * error[j]),
                  std::exp(b + z * error[j]), p_cell(p[j]), "not estimable"};
    if (diverges) row.ratio = std::nan("");
    figure.rows.push_back(std::move(row));
  }
  return figure;
}

int run(const Args& args, const Session& session) {
  if (!args.figures.empty()) require_gnuplot();
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
  if (args.check && model.df() > 0) {
    check =
        survival::test_proportional_hazards(model, design.x, cohort.outcome(), options, survival::TimeTransform::kaplan_meier);
  }
  if (!args.figures.empty() && design.names.size() > 40) {
    throw InputError(args.figures[0].string() + ": " + std::to_string(design.names.size()) +
                     " coefficients, a forest plot shows at most 40");
  }
  for (const auto& path : args.figures) draw_forest(path, forest_of(args, design, model));
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
  CLI::App* command = add_command(
      parent, session, "cox", "Proportional hazards regression",
      "clmnet survival cox --data cohort.csv --time months --event died --covariates age,sex --strata centre --figure forest.svg",
      [args, &session] { return run(*args, session); });
  add_outcome_options(*command, args->columns);
  command->add_option("--entry", args->columns.entry, "Column: time of entry, for late entry");
  command->add_option("--covariates", args->covariates, "Columns; those that are not numbers become one term a level")
      ->delimiter(',')
      ->required();
  command->add_option("--strata", args->strata, "Column: own baseline hazard for each value");
  command->add_option("--cluster", args->cluster, "Column: rows of one value are not independent (robust error)");
  command->add_option("--ties", args->ties, "How tied events share the risk set")
      ->check(CLI::IsMember({"efron", "breslow"}))
      ->capture_default_str();
  command->add_option("--level", args->level, "Level of the intervals")->check(CLI::Range(0.5, 0.9999))->capture_default_str();
  command->add_option("--figure", args->figures, "Forest plot of the hazard ratios, SVG or PDF; may be given again");
}

}  // namespace clmnet::tools
