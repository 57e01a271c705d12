#include <cmath>
#include <cstdio>

#include "survival/binary_metrics.h"
#include "survival/logistic.h"
#include "survival/logistic_penalised.h"
#include "survival/roc.h"
#include "tests/survival/reference_design.h"
#include "tests/survival/reference_handlers.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;

constexpr Eigen::Index kFittedRows = 5, kProbabilityRows = 10;

json list_of(const Eigen::VectorXd& values) { return numbers({values.begin(), values.end()}); }

json rows_of(const Eigen::MatrixXd& matrix) {
  json rows = json::array();
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) rows.push_back(list_of(matrix.row(i)));
  return rows;
}

Eigen::MatrixXd covariates_of(const Case& test, const std::vector<std::size_t>& rows, const std::vector<std::string>& names) {
  Eigen::MatrixXd x(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(names.size()));
  for (std::size_t j = 0; j < names.size(); ++j) {
    const auto values = numbers_in(test.data, rows, names[j]);
    x.col(static_cast<Eigen::Index>(j)) = Eigen::Map<const Eigen::VectorXd>(values.data(), x.rows());
  }
  return x;
}

json glm_json(const Case& test, const std::vector<std::string>& names, const Eigen::MatrixXd& x,
              const std::vector<std::uint8_t>& y, const LogisticOptions& options) {
  const LogisticModel model = fit_logistic(x, y, options);
  const double level = test.settings.value("conf_level", 0.95);
  const auto named = [&](const Eigen::VectorXd& values) {
    json result = json::object();
    for (std::size_t j = 0; j < names.size(); ++j) result[names[j]] = number(values[static_cast<Eigen::Index>(j)]);
    return result;
  };
  json result = {{"coef", named(model.coefficient)},
                 {"se", named(model.std_err)},
                 {"z", named(model.z())},
                 {"p", named(model.p_value())},
                 {"or", named(model.coefficient.array().exp())},
                 {"vcov", rows_of(model.covariance)}};
  const std::string percent = std::to_string(std::lround(100 * level));
  for (Eigen::Index j = 0; j < model.coefficient.size(); ++j) {
    const Interval wald = model.wald_interval(j, level), profile = profile_interval_by_spline(model, j, x, y, options, level);
    result["wald_ci" + percent].push_back({number(wald.lower), number(wald.upper)});
    result["profile_ci" + percent].push_back({number(profile.lower), number(profile.upper)});
  }
  result["deviance"] = number(model.deviance);
  result["null_deviance"] = number(model.null_deviance);
  result["aic"] = number(model.aic());
  result["loglik"] = number(model.log_likelihood);
  result["converged"] = model.converged;
  result["auc"] = number(auc({y, {model.fitted.begin(), model.fitted.end()}}));
  double brier = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    brier += std::pow(model.fitted[static_cast<Eigen::Index>(i)] - y[i], 2) / static_cast<double>(y.size());
  }
  result["brier"] = brier;
  const int groups = 10;
  if (y.size() >= static_cast<std::size_t>(groups)) {
    const TestResult fit = hosmer_lemeshow(model.fitted, y, groups);
    result["hosmer_lemeshow"] = {{"chisq", number(fit.chi_squared)},
                                 {"df", fit.df},
                                 {"p", number(fit.p)},
                                 {"grouping", "cut(rank(p,first),10) equal-width on rank"}};
  }
  result["fitted_first5"] = list_of(model.fitted.head(std::min(kFittedRows, model.fitted.size())));
  return result;
}

/// Classes against classes: what scikit-learn's metrics say about predictions.
json class_metrics(const Eigen::MatrixXd& probability, const std::vector<int>& label) {
  const auto classes = static_cast<std::size_t>(probability.cols()), n = label.size();
  std::vector<std::vector<double>> table(classes, std::vector<double>(classes, 0.0));
  for (std::size_t i = 0; i < n; ++i) {
    Eigen::Index best = 0;
    probability.row(static_cast<Eigen::Index>(i)).maxCoeff(&best);
    table[static_cast<std::size_t>(label[i])][static_cast<std::size_t>(best)] += 1;
  }
  double recall = 0, f1 = 0, f1_weighted = 0, correct = 0, squares_true = 0, squares_called = 0, cross = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    double is = 0, called = 0;
    for (std::size_t d = 0; d < classes; ++d) {
      is += table[c][d];
      called += table[d][c];
    }
    const double own = is + called > 0 ? 2 * table[c][c] / (is + called) : 0;
    recall += table[c][c] / is / static_cast<double>(classes);
    f1 += own / static_cast<double>(classes);
    f1_weighted += own * is / static_cast<double>(n);
    correct += table[c][c];
    squares_true += is * is;
    squares_called += called * called;
    cross += is * called;
  }
  const double all = static_cast<double>(n), root = std::sqrt((all * all - squares_true) * (all * all - squares_called));
  json result = {{"confusion", json::array()}, {"balanced_accuracy", recall}, {"f1_macro", f1}, {"f1_weighted", f1_weighted},
                 {"mcc", root > 0 ? (correct * all - cross) / root : 0.0}};
  for (const auto& row : table) {
    result["confusion"].push_back(json::array());
    for (const double count : row) result["confusion"].back().push_back(count);
  }
  double one_rest = 0, one_one = 0, pairs = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    Scored rest;
    for (std::size_t i = 0; i < n; ++i) {
      rest.positive.push_back(static_cast<std::size_t>(label[i]) == c);
      rest.score.push_back(probability(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c)));
    }
    one_rest += auc(rest) / static_cast<double>(classes);
    for (std::size_t d = 0; d < classes; ++d) {
      if (d == c) continue;
      Scored pair;
      for (std::size_t i = 0; i < n; ++i) {
        if (static_cast<std::size_t>(label[i]) != c && static_cast<std::size_t>(label[i]) != d) continue;
        pair.positive.push_back(static_cast<std::size_t>(label[i]) == c);
        pair.score.push_back(probability(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(c)));
      }
      one_one += auc(pair);
      pairs += 1;
    }
  }
  result["auc_ovr_macro"] = number(one_rest);
  result["auc_ovo_macro"] = number(one_one / pairs);
  return result;
}

json ridge_json(const Eigen::MatrixXd& x, const std::vector<int>& label, const PenalisedOptions& options) {
  const PenalisedLogistic model = fit_ridge_logistic(x, label, options);
  const Eigen::MatrixXd probability = model.predict_probability(x);
  const double n = static_cast<double>(label.size());
  json result = class_metrics(probability, label);
  result["coef"] = rows_of(model.coefficient);
  result["intercept"] = list_of(model.intercept);
  result["coef_l2norm"] = model.coefficient.norm();
  result["objective"] = model.objective;
  result["objective_over_Cn"] = model.objective / (options.inverse_strength * n);
  result["max_abs_grad"] = model.largest_gradient;
  result["prob_first10"] = rows_of(probability.topRows(std::min(kProbabilityRows, probability.rows())));
  double loss = 0, correct = 0, brier = 0;
  Scored binary;
  for (Eigen::Index i = 0; i < probability.rows(); ++i) {
    const int own = label[static_cast<std::size_t>(i)];
    Eigen::Index best = 0;
    probability.row(i).maxCoeff(&best);
    correct += best == own;
    loss -= std::log(std::max(probability(i, own), 2.220446049250313e-16)) / n;
    if (model.classes == 2) {
      brier += std::pow(probability(i, 1) - own, 2) / n;
      binary.positive.push_back(own == 1);
      binary.score.push_back(probability(i, 1));
    }
  }
  result["log_loss_train"] = loss;
  result["accuracy_train"] = correct / n;
  if (model.classes == 2) {
    result["auc_train"] = number(auc(binary));
    result["brier_train"] = brier;
  }
  return result;
}

}  // namespace

json run_logistic(const Case& test) {
  const auto names = test.column_list("covariates");
  const std::string outcome = test.column("y"), weight = test.column("weights");
  auto needed = names;
  needed.insert(needed.end(), {outcome, weight});
  const auto rows = complete_rows(test.data, needed);
  std::vector<std::uint8_t> y;
  for (const double value : numbers_in(test.data, rows, outcome)) y.push_back(value != 0);
  LogisticOptions options;
  options.tolerance = 1e-14;   // the reference's, which matters where there is no maximum
  options.max_iterations = 100;
  if (!weight.empty()) {
    const auto values = numbers_in(test.data, rows, weight);
    options.weights = Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
  }
  Design design = design_of(test.data, rows, names);
  design.names.insert(design.names.begin(), "(Intercept)");
  return glm_json(test, design.names, design.x, y, options);
}

json run_ridge_logistic(const Case& test) {
  const auto names = test.column_list("covariates");
  auto needed = names;
  needed.push_back(test.column("y"));
  const auto rows = complete_rows(test.data, needed);
  const Groups classes = make_groups(texts_in(test.data, rows, test.column("y")));
  const std::vector<int> label(classes.code.begin(), classes.code.end());
  const Eigen::MatrixXd x = covariates_of(test, rows, names);
  std::vector<double> strengths{1};
  if (test.settings.contains("C")) {
    const auto& asked = test.settings["C"];
    strengths = asked.is_array() ? asked.get<std::vector<double>>() : std::vector<double>{asked.get<double>()};
  }
  json result;
  // With one class there is nothing to tell apart (scikit-learn refuses): the columns' moments are all that is defined.
  for (const double c : classes.size() < 2 ? std::vector<double>{} : strengths) {
    char key[40];
    std::snprintf(key, sizeof key, "C=%g", c);
    PenalisedOptions options;
    options.inverse_strength = c;
    result[key] = ridge_json(x, label, options);
    options.balanced = true;
    result[std::string(key) + ",balanced"] = ridge_json(x, label, options);
  }
  result["mean"] = list_of(x.colwise().mean());
  // A constant column is divided by 1, its deviation is still 0.
  result["sd_population"] =
      list_of((x.rowwise() - x.colwise().mean()).colwise().squaredNorm().cwiseSqrt() / std::sqrt(static_cast<double>(x.rows())));
  return result;
}

}  // namespace clmnet::survival::reference
