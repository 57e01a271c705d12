#include "tools/survival/cross_validation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "survival/concordance.h"
#include "survival/cox.h"
#include "survival/random.h"
#include "tools/command.h"

namespace clmnet::tools {
namespace {

using survival::Outcome;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<double> list_of(const Eigen::VectorXd& values) { return {values.begin(), values.end()}; }

double auc_at(const Outcome& outcome, const std::vector<double>& score, double horizon) {
  return survival::cumulative_dynamic_auc(outcome, score, {horizon}).value[0];
}

void compare_groups(CrossValidation& result, const Outcome& outcome) {
  survival::Groups groups{{}, {"low risk", "high risk"}};
  for (const auto high : result.high) groups.code.push_back(high);
  result.curves = survival::kaplan_meier_by_group(outcome, groups);
  result.test = survival::log_rank(outcome, groups);
  result.hazard_ratio = result.hazard_lower = result.hazard_upper = kNaN;
  if (result.curves[0].n == 0 || result.curves[1].n == 0) return;
  Eigen::MatrixXd x(result.risk.size(), 1);
  for (Eigen::Index i = 0; i < x.rows(); ++i) x(i, 0) = result.high[static_cast<std::size_t>(i)];
  const auto cox = survival::fit_cox(x, outcome);
  if (!cox.diverging.empty()) return;
  const double b = cox.coefficient[0], half = 1.959963984540054 * cox.std_err[0];
  result.hazard_ratio = std::exp(b);
  result.hazard_lower = std::exp(b - half);
  result.hazard_upper = std::exp(b + half);
}

/// What one repeat says of everyone.
struct Repeat {
  Eigen::VectorXd risk, score;
  std::vector<std::uint8_t> high;
};

/// design_of(fold)
Repeat run_repeat(CrossValidation& result, const FeatureSet& set, const std::function<const Eigen::MatrixXd&(int)>& design_of,
                  const Outcome& outcome, const std::vector<int>& fold, const RiskOptions& options, const std::string& kept) {
  const auto n = static_cast<Eigen::Index>(fold.size());
  Repeat repeat{Eigen::VectorXd(n), Eigen::VectorXd(n), std::vector<std::uint8_t>(fold.size(), 0)};
  for (int f = 0; f < options.folds; ++f) {
    stop_if_interrupted(kept);
    const auto train = rows_where(fold, f, false), test = rows_where(fold, f, true);
    const Eigen::MatrixXd& x = design_of(f);
    const RiskModel model = train_risk_model(result.method, x(train, set.columns), pick(outcome, train), options);
    result.folds.push_back({model.training_patients, model.labelled, model.events_by_horizon, model.cut, model.strength});
    if (test.empty()) continue;
    const Eigen::VectorXd risk = model.predict(x(test, set.columns));
    for (std::size_t k = 0; k < test.size(); ++k) {
      const double value = risk[static_cast<Eigen::Index>(k)];
      repeat.risk[test[k]] = value;
      repeat.score[test[k]] = model.percentile(value);
      repeat.high[static_cast<std::size_t>(test[k])] = value > model.cut;
    }
  }
  return repeat;
}

struct Drawn {
  std::vector<double> values;

  /// Percentiles as numpy, p as twice the smaller share of one side of 0, the estimate counted on both.
  void summarise(double& lower, double& upper, double& p) {
    lower = upper = p = kNaN;
    if (values.empty()) return;
    std::sort(values.begin(), values.end());
    const auto quantile = [&](double q) {
      const double place = q * (static_cast<double>(values.size()) - 1);
      const auto below = static_cast<std::size_t>(place), above = std::min(below + 1, values.size() - 1);
      return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
    };
    lower = quantile(0.025);
    upper = quantile(0.975);
    const auto left = std::count_if(values.begin(), values.end(), [](double d) { return d <= 0; });
    const auto right = std::count_if(values.begin(), values.end(), [](double d) { return d >= 0; });
    p = std::min(1.0, 2 * static_cast<double>(std::min(left, right) + 1) / (static_cast<double>(values.size()) + 1));
  }
};

}  // namespace

std::vector<std::vector<int>> repeated_folds(const std::vector<std::string>& patient, const std::vector<int>& label,
                                             const RiskOptions& options) {
  std::vector<std::vector<int>> folds;
  for (int r = 0; r < options.repeats; ++r) {
    folds.push_back(patient_folds(patient, label, options.folds, options.seed + static_cast<std::uint64_t>(r)));
  }
  return folds;
}

CrossValidation cross_validate(RiskMethod method, const FeatureSet& set, const DesignOfFold& design_of, const Outcome& outcome,
                               const std::vector<std::vector<int>>& folds, const RiskOptions& options, const std::string& kept) {
  CrossValidation result;
  result.method = method;
  result.set = set.name;
  result.fold = folds;
  result.risk.setZero(static_cast<Eigen::Index>(outcome.size()));
  result.score.setZero(static_cast<Eigen::Index>(outcome.size()));
  std::vector<int> times_high(outcome.size(), 0);
  const auto repeats = static_cast<double>(folds.size());
  for (std::size_t r = 0; r < folds.size(); ++r) {
    const auto design_of_repeat = [&](int fold) -> const Eigen::MatrixXd& { return design_of(r, fold); };
    const Repeat repeat = run_repeat(result, set, design_of_repeat, outcome, folds[r], options, kept);
    result.risk += repeat.risk / repeats;
    result.score += repeat.score / repeats;
    for (std::size_t i = 0; i < times_high.size(); ++i) times_high[i] += repeat.high[i];
    result.auc_of_repeat.push_back(auc_at(outcome, list_of(repeat.score), options.horizon));
  }
  for (std::size_t i = 0; i < times_high.size(); ++i) {
    const int twice = 2 * times_high[i], all = static_cast<int>(folds.size());
    result.high.push_back(twice > all || (twice == all && result.score[static_cast<Eigen::Index>(i)] > 0.5));
  }
  const auto score = list_of(result.score);
  result.auc = survival::cumulative_dynamic_auc(outcome, score, {options.horizon});
  const auto pairs = survival::concordance(outcome, score);
  result.concordance = pairs.c;
  result.concordance_std_err = pairs.std_err;
  compare_groups(result, outcome);
  return result;
}

RiskComparison compare_risks(const CrossValidation& first, const CrossValidation& second, const Outcome& outcome,
                             const std::vector<std::string>& patient, double horizon, int resamples, std::uint64_t seed) {
  RiskComparison result;
  result.first = first.set;
  result.second = second.set;
  result.auc = first.auc.value[0] - second.auc.value[0];
  result.concordance = first.concordance - second.concordance;
  const auto units = survival::members(survival::make_groups(patient));
  survival::Random random(seed, 23);
  Drawn auc, concordance;
  for (int k = 0; k < resamples; ++k) {
    std::vector<std::size_t> rows;
    for (std::size_t u = 0; u < units.size(); ++u) {
      const auto& unit = units[random.below(static_cast<std::uint32_t>(units.size()))];
      rows.insert(rows.end(), unit.begin(), unit.end());
    }
    const Outcome part = survival::select(outcome, rows);
    std::vector<double> a, b;
    for (const std::size_t row : rows) {
      a.push_back(first.score[static_cast<Eigen::Index>(row)]);
      b.push_back(second.score[static_cast<Eigen::Index>(row)]);
    }
    const double by_auc = auc_at(part, a, horizon) - auc_at(part, b, horizon);
    const double by_c = survival::concordance(part, a).c - survival::concordance(part, b).c;
    if (!std::isnan(by_auc)) auc.values.push_back(by_auc);
    if (!std::isnan(by_c)) concordance.values.push_back(by_c);
  }
  auc.summarise(result.auc_lower, result.auc_upper, result.auc_p);
  concordance.summarise(result.concordance_lower, result.concordance_upper, result.concordance_p);
  return result;
}

}  // namespace clmnet::tools
