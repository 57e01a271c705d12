#include "tools/survival/risk_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

#include "survival/random.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

using survival::Outcome;

const std::vector<double> kCoxStrengths{100, 10, 1, 0.1, 0.01};
constexpr double kStrengths[] = {0.001, 0.01, 0.1, 1, 10};
constexpr int kInnerFolds = 5;

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

std::vector<int> labels_of(const std::vector<int>& values, const std::vector<Eigen::Index>& rows) {
  std::vector<int> part;
  for (const auto row : rows) part.push_back(values[static_cast<std::size_t>(row)]);
  return part;
}

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
      const auto train = rows_where(fold, f, false), test = rows_where(fold, f, true);
      const auto train_label = labels_of(label, train);
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

survival::CoxPathOptions ridge_at(std::vector<double> strength) {
  survival::CoxPathOptions options;
  options.lambda = std::move(strength);
  return options;
}

/// Penalty with the largest cross-validated partial likelihood over inner folds of the training part; the stronger one of equals.
/// One event alone cannot be both learnt from and predicted: the strongest.
double choose_cox_strength(const Eigen::MatrixXd& x, const Outcome& outcome, std::uint64_t seed) {
  if (outcome.events() < 2) return kCoxStrengths.front();
  std::vector<std::string> own(outcome.size());
  for (std::size_t i = 0; i < own.size(); ++i) own[i] = std::to_string(i);
  const auto fold = patient_folds(own, {outcome.event.begin(), outcome.event.end()}, kInnerFolds, seed);
  const auto validated = survival::validate_cox_path(x, outcome, fold, ridge_at(kCoxStrengths));
  return validated.lambda[validated.best];
}

/// Probability of the event by `time`, from log relative hazards.
Eigen::VectorXd event_by(const survival::Baseline& baseline, const Eigen::VectorXd& predictor, double time) {
  return predictor.unaryExpr([&](double value) { return -std::expm1(-baseline.at(time, value)); });
}

Eigen::VectorXd train_logistic(RiskModel& model, const Eigen::MatrixXd& whole, const std::vector<Eigen::Index>& known,
                               const std::vector<int>& label, const RiskOptions& options) {
  const Eigen::MatrixXd part = whole(known, Eigen::all);
  model.strength = choose_strength(part, label, options.seed);
  survival::PenalisedOptions penalty;
  penalty.inverse_strength = model.strength;
  model.logistic = survival::fit_ridge_logistic(part, label, penalty);
  return model.logistic.predict_probability(whole).col(1);
}

Eigen::VectorXd train_cox(RiskModel& model, const Eigen::MatrixXd& whole, const Outcome& outcome, const RiskOptions& options) {
  model.strength = choose_cox_strength(whole, outcome, options.seed);
  model.cox = survival::fit_cox_path(whole, outcome, ridge_at({model.strength}));
  model.baseline = survival::path_baseline(model.cox, 0, whole, outcome).front();
  return event_by(model.baseline, model.cox.predict(whole, 0), options.horizon);
}

survival::ForestOptions forest_options(const RiskOptions& options) {
  survival::ForestOptions forest;
  forest.trees = options.trees;
  forest.min_leaf = kForestMinLeaf;
  forest.seed = options.seed;
  forest.threads = options.threads;
  return forest;
}

/// A forest has all but learnt its own patients by heart; their risk is that of the trees that did not see them.
Eigen::VectorXd train_forest(RiskModel& model, const Eigen::MatrixXd& whole, const std::vector<Eigen::Index>& known,
                             const std::vector<int>& label, const RiskOptions& options) {
  const Eigen::MatrixXd part = whole(known, Eigen::all);
  model.forest = survival::RandomForest::fit(part, label, forest_options(options));
  Eigen::VectorXd risk = model.forest->predict_probability(whole).col(1);
  const auto unseen = model.forest->out_of_bag(part);
  for (std::size_t k = 0; k < known.size(); ++k) {
    const double value = unseen.probability(static_cast<Eigen::Index>(k), 1);
    if (!std::isnan(value)) risk[known[k]] = value;
  }
  return risk;
}

Eigen::VectorXd survival_forest_event(const survival::RandomSurvivalForest& forest, const Eigen::MatrixXd& x, double horizon) {
  const double times[] = {horizon};
  return (1 - forest.predict_survival(x, times).col(0).array()).matrix();
}

/// Probabilities of out-of-bag trees are not kept by the forest, their mortality is: it takes the place in the ranking that the
/// mortality of the whole forest has, so the cut is that of patients who were not seen.
Eigen::VectorXd train_survival_forest(RiskModel& model, const Eigen::MatrixXd& whole, const Outcome& outcome,
                                      const RiskOptions& options) {
  model.survival_forest = survival::RandomSurvivalForest::fit(whole, outcome, forest_options(options));
  const Eigen::VectorXd seen = survival_forest_event(*model.survival_forest, whole, options.horizon);
  const Eigen::VectorXd mortality = model.survival_forest->predict_mortality(whole);
  const auto unseen = model.survival_forest->out_of_bag(whole, outcome);
  std::vector<std::pair<double, double>> scale;
  for (Eigen::Index i = 0; i < seen.size(); ++i) scale.emplace_back(mortality[i], seen[i]);
  std::sort(scale.begin(), scale.end());
  Eigen::VectorXd risk = seen;
  for (Eigen::Index i = 0; i < seen.size(); ++i) {
    if (std::isnan(unseen.mortality[i])) continue;
    const auto at = std::lower_bound(scale.begin(), scale.end(), std::pair{unseen.mortality[i], -1.0});
    risk[i] = at == scale.end() ? scale.back().second : at->second;
  }
  return risk;
}

}  // namespace

const char* name_of(RiskMethod method) {
  switch (method) {
    case RiskMethod::logistic: return "logistic regression";
    case RiskMethod::forest: return "random forest";
    case RiskMethod::cox: return "ridge Cox regression";
    default: return "random survival forest";
  }
}

const char* key_of(RiskMethod method) {
  switch (method) {
    case RiskMethod::logistic: return "logistic";
    case RiskMethod::forest: return "forest";
    case RiskMethod::cox: return "cox";
    default: return "rsf";
  }
}

RiskMethod method_of(const std::string& key) {
  for (const auto method : {RiskMethod::logistic, RiskMethod::forest, RiskMethod::cox, RiskMethod::survival_forest}) {
    if (key == key_of(method)) return method;
  }
  throw InputError("survival: no model '" + key + "'; there are logistic, forest, cox, rsf");
}

std::vector<Eigen::Index> rows_where(const std::vector<int>& fold, int wanted, bool equal) {
  std::vector<Eigen::Index> rows;
  for (std::size_t i = 0; i < fold.size(); ++i) {
    if ((fold[i] == wanted) == equal) rows.push_back(static_cast<Eigen::Index>(i));
  }
  return rows;
}

Outcome pick(const Outcome& outcome, const std::vector<Eigen::Index>& rows) {
  return survival::select(outcome, {rows.begin(), rows.end()});
}

double median_event_time(const Outcome& outcome) {
  std::vector<double> times;
  for (std::size_t i = 0; i < outcome.size(); ++i) {
    if (outcome.event[i] != 0) times.push_back(outcome.time[i]);
  }
  if (times.empty()) throw std::invalid_argument("median_event_time: no event");
  std::sort(times.begin(), times.end());
  return times[(times.size() - 1) / 2];
}

std::vector<int> labels_at(const Outcome& outcome, double horizon) {
  std::vector<int> label;
  for (std::size_t i = 0; i < outcome.size(); ++i) {
    label.push_back(outcome.time[i] > horizon ? 0 : outcome.event[i] != 0 ? 1 : outcome.time[i] == horizon ? 0 : -1);
  }
  return label;
}

Eigen::VectorXd RiskModel::predict(const Eigen::MatrixXd& x) const {
  const Eigen::MatrixXd whole = filled(x, median);
  switch (method) {
    case RiskMethod::logistic: return logistic.predict_probability(whole).col(1);
    case RiskMethod::forest: return forest->predict_probability(whole).col(1);
    case RiskMethod::cox: return event_by(baseline, cox.predict(whole, 0), horizon);
    default: return survival_forest_event(*survival_forest, whole, horizon);
  }
}

double RiskModel::percentile(double risk) const {
  const auto range = std::equal_range(training_risk.begin(), training_risk.end(), risk);
  const double below = static_cast<double>(range.first - training_risk.begin()),
               tied = static_cast<double>(range.second - range.first);
  return (below + tied / 2) / static_cast<double>(training_risk.size());
}

Eigen::RowVectorXd RiskModel::slope() const {
  if (method == RiskMethod::logistic) return logistic.coefficient.row(0).cwiseQuotient(logistic.deviation);
  return cox.coefficient.col(0).transpose();
}

double RiskModel::offset() const {
  if (method == RiskMethod::logistic) return logistic.intercept[0] - slope().dot(logistic.mean);
  return -slope().dot(cox.mean);
}

RiskModel train_risk_model(RiskMethod method, const Eigen::MatrixXd& x, const Outcome& outcome, const RiskOptions& options) {
  RiskModel model;
  model.method = method;
  model.horizon = options.horizon;
  model.training_patients = outcome.size();
  model.median = medians(x);
  const auto label = labels_at(outcome, options.horizon);
  const auto known = rows_where(label, -1, false);
  const auto known_label = labels_of(label, known);
  model.labelled = known.size();
  model.events_by_horizon = static_cast<std::size_t>(std::count(known_label.begin(), known_label.end(), 1));
  if (!has_both_classes(known_label)) {
    throw InputError("survival fit: of " + std::to_string(known.size()) + " training patients with known status at the horizon " +
                     std::to_string(model.events_by_horizon) +
                     " had the event; expected some with and some without, give another --horizon");
  }
  const Eigen::MatrixXd whole = filled(x, model.median);
  Eigen::VectorXd risk;
  switch (method) {
    case RiskMethod::logistic: risk = train_logistic(model, whole, known, known_label, options); break;
    case RiskMethod::forest: risk = train_forest(model, whole, known, known_label, options); break;
    case RiskMethod::cox: risk = train_cox(model, whole, outcome, options); break;
    default: risk = train_survival_forest(model, whole, outcome, options);
  }
  model.training_risk.assign(risk.begin(), risk.end());
  std::sort(model.training_risk.begin(), model.training_risk.end());
  model.cut = median_of(model.training_risk);
  return model;
}

std::vector<int> patient_folds(const std::vector<std::string>& patient, const std::vector<int>& label, int folds,
                               std::uint64_t seed) {
  std::map<std::string, int> label_of;  // a patient's rows share one: the largest
  for (std::size_t i = 0; i < patient.size(); ++i) {
    const auto [place, fresh] = label_of.emplace(patient[i], label[i]);
    if (!fresh) place->second = std::max(place->second, label[i]);
  }
  if (static_cast<int>(label_of.size()) < folds) {
    throw InputError("survival fit: " + std::to_string(label_of.size()) + " patients cannot be split into " +
                     std::to_string(folds) + " folds; give fewer --folds");
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

}  // namespace clmnet::tools
