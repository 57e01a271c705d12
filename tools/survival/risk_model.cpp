#include "tools/survival/risk_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "survival/concordance.h"
#include "survival/cox.h"
#include "survival/random.h"
#include "tools/base/error.h"
#include "tools/command.h"

namespace clmnet::tools {
namespace {

using survival::Outcome;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kStrengths[] = {0.001, 0.01, 0.1, 1, 10};
constexpr int kInnerFolds = 5, kForestMinLeaf = 5;

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Eigen::RowVectorXd medians(const Eigen::MatrixXd& x) {
  Eigen::RowVectorXd result(x.cols());
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    std::vector<double> known;
    for (const double value : x.col(j)) {
      if (!std::isnan(value)) known.push_back(value);
    }
    result[j] = median_of(std::move(known));
  }
  return result;
}

Eigen::MatrixXd filled(Eigen::MatrixXd x, const Eigen::RowVectorXd& median) {
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    for (Eigen::Index i = 0; i < x.rows(); ++i) {
      if (std::isnan(x(i, j))) x(i, j) = median[j];
    }
  }
  return x;
}

std::vector<Eigen::Index> where(const std::vector<int>& fold, int wanted, bool equal) {
  std::vector<Eigen::Index> rows;
  for (std::size_t i = 0; i < fold.size(); ++i) {
    if ((fold[i] == wanted) == equal) rows.push_back(static_cast<Eigen::Index>(i));
  }
  return rows;
}

std::vector<int> pick(const std::vector<int>& values, const std::vector<Eigen::Index>& rows) {
  std::vector<int> part;
  for (const auto row : rows) part.push_back(values[static_cast<std::size_t>(row)]);
  return part;
}

Outcome pick(const Outcome& outcome, const std::vector<Eigen::Index>& rows) { return survival::select(outcome, {rows.begin(), rows.end()}); }

bool has_both_classes(const std::vector<int>& label) {
  return std::count(label.begin(), label.end(), 0) > 0 && std::count(label.begin(), label.end(), 1) > 0;
}

/// C with the smallest log loss over inner folds of the training part; the stronger penalty of equals.
double choose_strength(const Eigen::MatrixXd& x, const std::vector<int>& label, std::uint64_t seed) {
  std::vector<std::string> own(label.size());
  for (std::size_t i = 0; i < own.size(); ++i) own[i] = std::to_string(i);
  const auto fold = patient_folds(own, label, kInnerFolds, seed);
  double best = kStrengths[0], least = std::numeric_limits<double>::infinity();
  for (const double strength : kStrengths) {
    double loss = 0;
    for (int f = 0; f < kInnerFolds; ++f) {
      const auto train = where(fold, f, false), test = where(fold, f, true);
      const auto train_label = pick(label, train);
      if (test.empty() || !has_both_classes(train_label)) continue;
      survival::PenalisedOptions options;
      options.inverse_strength = strength;
      options.tolerance = 1e-8;
      const auto model = survival::fit_ridge_logistic(Eigen::MatrixXd(x(train, Eigen::all)), train_label, options);
      const Eigen::MatrixXd probability = model.predict_probability(Eigen::MatrixXd(x(test, Eigen::all)));
      for (std::size_t k = 0; k < test.size(); ++k) {
        loss -= std::log(std::max(1e-12, probability(static_cast<Eigen::Index>(k), label[static_cast<std::size_t>(test[k])])));
      }
    }
    if (loss < least - 1e-9) {
      least = loss;
      best = strength;
    }
  }
  return best;
}

void evaluate(CrossValidation& result, const Outcome& outcome, const RiskOptions& options) {
  const std::vector<double> risk(result.risk.begin(), result.risk.end());
  result.auc = survival::cumulative_dynamic_auc(outcome, risk, {options.horizon});
  const auto pairs = survival::concordance(outcome, risk);
  result.concordance = pairs.c;
  result.concordance_std_err = pairs.std_err;
  survival::Groups groups{{}, {"low risk", "high risk"}};
  for (const auto high : result.high) groups.code.push_back(high);
  result.curves = survival::kaplan_meier_by_group(outcome, groups);
  result.test = survival::log_rank(outcome, groups);
  Eigen::MatrixXd x(result.risk.size(), 1);
  for (Eigen::Index i = 0; i < x.rows(); ++i) x(i, 0) = result.high[static_cast<std::size_t>(i)];
  const auto cox = survival::fit_cox(x, outcome);
  const double b = cox.coefficient[0], half = 1.959963984540054 * cox.std_err[0];
  const bool finite = cox.diverging.empty();
  result.hazard_ratio = finite ? std::exp(b) : kNaN;
  result.hazard_lower = finite ? std::exp(b - half) : kNaN;
  result.hazard_upper = finite ? std::exp(b + half) : kNaN;
}

}  // namespace

const char* name_of(RiskMethod method) { return method == RiskMethod::logistic ? "logistic regression" : "random forest"; }

std::vector<int> labels_at(const Outcome& outcome, double horizon) {
  std::vector<int> label;
  for (std::size_t i = 0; i < outcome.size(); ++i) {
    label.push_back(outcome.time[i] > horizon ? 0 : outcome.event[i] != 0 ? 1 : outcome.time[i] == horizon ? 0 : -1);
  }
  return label;
}

Eigen::VectorXd RiskModel::predict(const Eigen::MatrixXd& x) const {
  const Eigen::MatrixXd whole = filled(x, median);
  return method == RiskMethod::logistic ? logistic.predict_probability(whole).col(1) : forest->predict_probability(whole).col(1);
}

RiskModel train_risk_model(RiskMethod method, const Eigen::MatrixXd& x, const Outcome& outcome, const RiskOptions& options) {
  RiskModel model;
  model.method = method;
  model.training_patients = outcome.size();
  model.median = medians(x);
  const auto label = labels_at(outcome, options.horizon);
  const auto known = where(label, -1, false);
  const auto known_label = pick(label, known);
  model.labelled = known.size();
  model.events_by_horizon = static_cast<std::size_t>(std::count(known_label.begin(), known_label.end(), 1));
  if (!has_both_classes(known_label)) {
    throw InputError("survival fit: of " + std::to_string(known.size()) + " training patients with known status at the horizon " +
                     std::to_string(model.events_by_horizon) + " had the event; expected some with and some without, give another --horizon");
  }
  const Eigen::MatrixXd whole = filled(x, model.median), part = whole(known, Eigen::all);
  Eigen::VectorXd training_risk;
  if (method == RiskMethod::logistic) {
    model.inverse_strength = choose_strength(part, known_label, options.seed);
    survival::PenalisedOptions penalty;
    penalty.inverse_strength = model.inverse_strength;
    model.logistic = survival::fit_ridge_logistic(part, known_label, penalty);
    training_risk = model.logistic.predict_probability(whole).col(1);
  } else {
    survival::ForestOptions forest;
    forest.trees = options.trees;
    forest.min_leaf = kForestMinLeaf;
    forest.seed = options.seed;
    forest.threads = options.threads;
    model.forest = survival::RandomForest::fit(part, known_label, forest);
    // A forest has all but learnt its own patients by heart; their risk is that of the trees that did not see them.
    training_risk = model.forest->predict_probability(whole).col(1);
    const auto unseen = model.forest->out_of_bag(part);
    for (std::size_t k = 0; k < known.size(); ++k) {
      const double risk = unseen.probability(static_cast<Eigen::Index>(k), 1);
      if (!std::isnan(risk)) training_risk[known[k]] = risk;
    }
  }
  model.cut = median_of({training_risk.begin(), training_risk.end()});
  return model;
}

std::vector<int> patient_folds(const std::vector<std::string>& patient, const std::vector<int>& label, int folds, std::uint64_t seed) {
  std::map<std::string, int> label_of;  // a patient's rows share one: the largest
  for (std::size_t i = 0; i < patient.size(); ++i) {
    const auto [place, fresh] = label_of.emplace(patient[i], label[i]);
    if (!fresh) place->second = std::max(place->second, label[i]);
  }
  if (static_cast<int>(label_of.size()) < folds) {
    throw InputError("survival fit: " + std::to_string(label_of.size()) + " patients cannot be split into " + std::to_string(folds) + " folds; give fewer --folds");
  }
  std::map<int, std::vector<std::string>> by_label;
  for (const auto& [name, own] : label_of) by_label[own].push_back(name);
  survival::Random random(seed, 17);
  std::map<std::string, int> fold_of;
  int next = 0;
  for (auto& [own, names] : by_label) {
    for (std::size_t k = names.size(); k > 1; --k) std::swap(names[k - 1], names[random.below(static_cast<std::uint32_t>(k))]);
    for (const auto& name : names) fold_of[name] = next++ % folds;
  }
  std::vector<int> fold;
  for (const auto& name : patient) fold.push_back(fold_of.at(name));
  return fold;
}

CrossValidation cross_validate(RiskMethod method, const Eigen::MatrixXd& x, const Outcome& outcome, const std::vector<int>& fold, const RiskOptions& options) {
  CrossValidation result;
  result.method = method;
  result.fold = fold;
  result.risk.resize(x.rows());
  result.high.assign(fold.size(), 0);
  for (int f = 0; f < options.folds; ++f) {
    stop_if_interrupted("nothing was written");
    const auto train = where(fold, f, false), test = where(fold, f, true);
    RiskModel model = train_risk_model(method, x(train, Eigen::all), pick(outcome, train), options);
    const Eigen::VectorXd risk = model.predict(x(test, Eigen::all));
    for (std::size_t k = 0; k < test.size(); ++k) {
      const double value = risk[static_cast<Eigen::Index>(k)];
      result.risk[test[k]] = value;
      result.high[static_cast<std::size_t>(test[k])] = value > model.cut;
    }
    result.models.push_back(std::move(model));
  }
  evaluate(result, outcome, options);
  return result;
}

}  // namespace clmnet::tools
