#include <cmath>

#include "survival/cox.h"
#include "survival/distributions.h"
#include "tests/survival/reference_design.h"
#include "tests/survival/reference_handlers.h"
#include "tools/base/error.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;

constexpr Eigen::Index kShownRows = 5, kPredictedRows = 3;

json list_of(const Eigen::VectorXd& values) { return numbers({values.begin(), values.end()}); }

json named(const std::vector<std::string>& names, const Eigen::VectorXd& values) {
  json result = json::object();
  for (std::size_t j = 0; j < names.size(); ++j) result[names[j]] = number(values[static_cast<Eigen::Index>(j)]);
  return result;
}

json test_json(const TestResult& test) { return {{"chisq", number(test.chi_squared)}, {"df", test.df}, {"p", number(test.p)}}; }

json matrix_json(const Eigen::MatrixXd& matrix) {
  json rows = json::array();
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) rows.push_back(list_of(matrix.row(i)));
  return rows;
}

json concordance_counts(const Concordance& pairs) {
  return {{"concordant", pairs.concordant}, {"discordant", pairs.discordant}, {"tied.x", pairs.tied_risk},
          {"tied.y", pairs.tied_time}, {"tied.xy", pairs.tied_time_risk}};
}

json zph_json(const CoxModel& model, const Eigen::MatrixXd& x, const Outcome& outcome, const CoxOptions& options,
              const std::vector<std::string>& names) {
  json result;
  const std::vector<std::pair<std::string, TimeTransform>> transforms = {{"km", TimeTransform::kaplan_meier},
      {"identity", TimeTransform::identity}, {"rank", TimeTransform::rank}, {"log", TimeTransform::log}};
  for (const auto& [name, transform] : transforms) {
    const auto tested = test_proportional_hazards(model, x, outcome, options, transform);
    json& table = result[name];
    table = {{"term", json::array()}, {"chisq", json::array()}, {"df", json::array()}, {"p", json::array()}};
    for (std::size_t k = 0; k < tested.test.size(); ++k) {
      table["term"].push_back(k < tested.covariate.size() ? names[static_cast<std::size_t>(tested.covariate[k])] : "GLOBAL");
      table["chisq"].push_back(number(tested.test[k].chi_squared));
      table["df"].push_back(tested.test[k].df);
      table["p"].push_back(number(tested.test[k].p));
    }
  }
  return result;
}

json predictions(const CoxModel& model, const Eigen::MatrixXd& x, const std::vector<double>& times) {
  json survival = json::array();
  for (Eigen::Index i = 0; i < std::min(kPredictedRows, x.rows()); ++i) {
    json row = json::array();
    for (const double time : times) row.push_back(number(predicted_survival(model, x.row(i), time)));
    survival.push_back(row);
  }
  return {{"time", times}, {"surv", survival}};
}

json describe(const Case& test, const std::string& ties, const Design& design, const Outcome& outcome, CoxOptions options) {
  if (ties != "efron" && ties != "breslow") throw InputError("unknown ties '" + ties + "'");
  options.ties = ties == "efron" ? CoxTies::efron : CoxTies::breslow;
  const Eigen::MatrixXd& x = design.x;
  const CoxModel model = fit_cox(x, outcome, options);
  const auto& names = design.names;
  const double level = test.settings.value("conf_level", 0.95), z = normal_z(level);
  const Eigen::VectorXd error = model.used_std_err(), b = model.coefficient;
  json result = {{"coef", named(names, b)},
                 {"se", named(names, model.std_err)},
                 {"z", named(names, model.z())},
                 {"p", named(names, model.p_value())},
                 {"hr", named(names, b.array().exp())},
                 {"vcov", matrix_json(model.robust_covariance.value_or(model.covariance))}};
  const std::string percent = std::to_string(std::lround(100 * level));
  result["hr_lower" + percent] = named(names, (b - z * error).array().exp());
  result["hr_upper" + percent] = named(names, (b + z * error).array().exp());
  if (model.robust_covariance) result["robust_se"] = named(names, error);
  result["loglik_null"] = number(model.log_likelihood_null);
  result["loglik"] = number(model.log_likelihood);
  result["lr_test"] = test_json(model.likelihood_ratio);
  result["wald_test"] = test_json(model.robust_wald.value_or(model.wald));
  result["score_test"] = test_json(model.score);
  result["aic"] = number(model.aic());
  result["n"] = model.n;
  result["nevent"] = model.events;
  result["converged"] = model.converged;
  if (model.concordance) {
    result["harrell_c"] = number(model.concordance->c);
    result["harrell_c_se"] = number(model.concordance->std_err);
    result["concordance_counts"] = concordance_counts(*model.concordance);
  }
  const CoxResiduals residuals = cox_residuals(model, x, outcome, options);
  const Eigen::Index shown = std::min(kShownRows, x.rows());
  result["martingale_residuals_first5"] = list_of(residuals.martingale.head(shown));
  result["deviance_residuals_first5"] = list_of(residuals.deviance.head(shown));
  result["linear_predictor_uncentered_first5"] = list_of(model.linear_predictor.head(shown));
  result["schoenfeld_first"] =
      residuals.schoenfeld.rows() > 0 ? list_of(residuals.schoenfeld.row(0)) : json(std::vector<json>(names.size()));
  result["zph"] = zph_json(model, x, outcome, options, names);
  if (!options.strata) {
    const auto times = test.times_at("/" + ties + "/baseline_cumhaz_x0/time");
    json hazard = json::array();
    for (const double time : times) hazard.push_back(number(model.baseline[0].at(time)));
    result["baseline_cumhaz_x0"] = {{"time", times}, {"cumhaz", hazard}};
    result["predicted_survival_first3rows"] =
        predictions(model, x, test.times_at("/" + ties + "/predicted_survival_first3rows/time"));
  }
  return result;
}

}  // namespace

json run_cox(const Case& test) {
  const auto covariates = test.column_list("covariates");
  const std::string strata = test.column("strata"), cluster = test.column("cluster");
  auto needed = outcome_columns(test);
  needed.insert(needed.end(), covariates.begin(), covariates.end());
  needed.insert(needed.end(), {strata, cluster});
  const auto rows = complete_rows(test.data, needed);
  const Design design = design_of(test.data, rows, covariates);
  CoxOptions options;
  if (!strata.empty()) options.strata = make_groups(texts_in(test.data, rows, strata));
  if (!cluster.empty()) options.clusters = make_groups(texts_in(test.data, rows, cluster));
  const Outcome outcome = outcome_of(test, rows);
  std::vector<std::string> ties{"efron"};
  if (test.settings.contains("ties")) {
    const auto& asked = test.settings["ties"];
    ties = asked.is_array() ? asked.get<std::vector<std::string>>() : std::vector<std::string>{asked.get<std::string>()};
  }
  json result;
  for (const auto& name : ties) result[name] = describe(test, name, design, outcome, options);
  return result;
}

}  // namespace clmnet::survival::reference
