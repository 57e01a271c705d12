#include "survival/discrimination.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/kaplan_meier.h"
#include "survival/sorting.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

void require_times(const std::vector<double>& times) {
  if (times.empty()) throw std::invalid_argument("no evaluation times");
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (!std::isfinite(times[i]) || (i > 0 && times[i] <= times[i - 1])) {
      throw std::invalid_argument("evaluation times must be finite and ascend");
    }
  }
}

/// How the estimated weights move with each subject: sum over i of share_i times the influence of subject k on the censoring
/// hazard up to min(T_i-, t). `share` of those who outlive t counts up to t.
Eigen::VectorXd influence_of_weights(const Outcome& outcome, const std::vector<std::uint32_t>& order,
                                     const Eigen::VectorXd& share, double t) {
  const std::size_t n = order.size();
  Eigen::VectorXd influence = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(n));
  double later = share.sum(), drift = 0;
  for (std::size_t begin = 0; begin < n;) {
    const double time = outcome.time[order[begin]];
    std::size_t end = begin;
    double censored = 0, leaving = 0;
    for (; end < n && outcome.time[order[end]] == time; ++end) {
      censored += outcome.event[order[end]] == 0;
      leaving += share[order[end]];
    }
    if (time <= t) {
      later -= leaving;
      const double at_risk = static_cast<double>(n - begin), total = static_cast<double>(n);
      drift += censored * total / (at_risk * at_risk) * later;
      for (std::size_t k = begin; k < end; ++k) {
        const double own = outcome.event[order[k]] == 0 ? total / at_risk * later : 0;
        influence[order[k]] = own - drift;
      }
    } else {
      for (std::size_t k = begin; k < end; ++k) influence[order[k]] = -drift;
    }
    begin = end;
  }
  return influence;
}

void append(TimeCurve& curve, double time, double value, const Eigen::VectorXd& influence, double level) {
  const double n = static_cast<double>(influence.size()), z = normal_z(level);
  const double mean = influence.mean();
  const double error = std::sqrt((influence.array() - mean).square().sum() / (n - 1) / n);
  curve.time.push_back(time);
  curve.value.push_back(value);
  curve.std_err.push_back(error);
  curve.lower.push_back(std::isnan(value) ? kNaN : std::max(0.0, value - z * error));
  curve.upper.push_back(std::isnan(value) ? kNaN : std::min(1.0, value + z * error));
}

/// Kaplan-Meier at each of `times`. As the weights it takes times as they are: neither riskRegression nor scikit-survival merges
/// those that differ by rounding.
std::vector<double> survival_at(const Outcome& outcome, const std::vector<std::uint32_t>& by_time,
                                const std::vector<double>& times) {
  std::vector<double> result;
  double survival = 1;
  std::size_t begin = 0;
  for (const double t : times) {
    while (begin < by_time.size() && outcome.time[by_time[begin]] <= t) {
      std::size_t end = begin;
      double deaths = 0;
      for (; end < by_time.size() && outcome.time[by_time[end]] == outcome.time[by_time[begin]]; ++end) {
        deaths += outcome.event[by_time[end]];
      }
      const double at_risk = static_cast<double>(by_time.size() - begin);
      survival *= (at_risk - deaths) / at_risk;
      begin = end;
    }
    result.push_back(survival);
  }
  return result;
}

/// Risks in ascending order and where each run of ties ends.
struct RankedRisk {
  RankedRisk(const std::vector<double>& risk, double tolerance) : order(ascending_order(risk)) {
    for (std::size_t i = 1; i <= order.size(); ++i) {
      if (i == order.size() || risk[order[i]] - risk[order[i - 1]] > tolerance) run_end.push_back(i);
    }
  }
  std::vector<std::uint32_t> order;
  std::vector<std::size_t> run_end;
};

void add_auc(DynamicAuc& result, const Outcome& outcome, const std::vector<std::uint32_t>& by_time, const RankedRisk& ranked,
             const CensoringCurve& censoring, double t, const IpcwOptions& options) {
  const auto n = static_cast<Eigen::Index>(outcome.size());
  Eigen::VectorXd cases = Eigen::VectorXd::Zero(n), controls = cases, below = cases, above = cases;
  const double control_weight = 1 / censoring.at(t);
  for (Eigen::Index i = 0; i < n; ++i) {
    const auto row = static_cast<std::size_t>(i);
    if (outcome.time[row] > t) controls[i] = control_weight;
    else if (outcome.event[row] != 0) cases[i] = 1 / censoring.of_subject(outcome.time[row], options.convention);
  }
  const double all_cases = cases.sum(), all_controls = controls.sum();
  double cases_so_far = 0, controls_so_far = 0;
  std::size_t begin = 0;
  for (const std::size_t end : ranked.run_end) {
    double run_cases = 0, run_controls = 0;
    for (std::size_t k = begin; k < end; ++k) {
      run_cases += cases[ranked.order[k]];
      run_controls += controls[ranked.order[k]];
    }
    for (std::size_t k = begin; k < end; ++k) {
      below[ranked.order[k]] = controls_so_far + run_controls / 2;
      above[ranked.order[k]] = all_cases - cases_so_far - run_cases / 2;
    }
    cases_so_far += run_cases;
    controls_so_far += run_controls;
    begin = end;
  }
  const double pairs = all_cases * all_controls, auc = pairs > 0 && std::isfinite(pairs) ? cases.dot(below) / pairs : kNaN;
  const Eigen::VectorXd share = cases.array() * (below.array() - auc * all_controls) / pairs;
  const Eigen::VectorXd own =
      static_cast<double>(n) * (share + (controls.array() * (above.array() - auc * all_cases) / pairs).matrix());
  append(result, t, auc, own + influence_of_weights(outcome, by_time, share, t), options.level);
}

double mean_by_drop(const std::vector<double>& survival, const std::vector<double>& value) {
  if (value.size() == 1) return value[0];
  double sum = 0, before = 1;
  for (std::size_t k = 0; k < value.size(); ++k) {
    sum += value[k] * (before - survival[k]);
    before = survival[k];
  }
  return sum / (1 - before);
}

}  // namespace

DynamicAuc cumulative_dynamic_auc(const Outcome& outcome, const std::vector<double>& risk, const std::vector<double>& times,
                                  const IpcwOptions& options) {
  require_valid(outcome);
  require_times(times);
  if (risk.size() != outcome.size()) throw std::invalid_argument("cumulative_dynamic_auc: risks and times differ in size");
  if (!std::all_of(risk.begin(), risk.end(), [](double r) { return std::isfinite(r); })) {
    throw std::invalid_argument("cumulative_dynamic_auc: a risk is not finite");
  }
  const RankedRisk ranked(risk, risk_tolerance(options.convention));
  const CensoringCurve censoring(outcome);
  const auto by_time = ascending_order(outcome.time);
  DynamicAuc result;
  for (const double t : times) add_auc(result, outcome, by_time, ranked, censoring, t, options);
  result.mean = mean_by_drop(survival_at(outcome, by_time, times), result.value);
  return result;
}

BrierScore brier_score(const Outcome& outcome, const Eigen::Ref<const Eigen::MatrixXd>& survival,
                       const std::vector<double>& times, const IpcwOptions& options) {
  require_valid(outcome);
  require_times(times);
  const auto n = static_cast<Eigen::Index>(outcome.size());
  if (survival.rows() != n || survival.cols() != static_cast<Eigen::Index>(times.size())) {
    throw std::invalid_argument("brier_score: survival must be subjects x times");
  }
  if (!(survival.minCoeff() >= 0 && survival.maxCoeff() <= 1)) {
    throw std::invalid_argument("brier_score: a probability is outside [0,1]");
  }
  const CensoringCurve censoring(outcome);
  const auto by_time = ascending_order(outcome.time);
  BrierScore result;
  for (std::size_t k = 0; k < times.size(); ++k) {
    const double t = times[k], weight_at_t = censoring.at(t);
    Eigen::VectorXd loss = Eigen::VectorXd::Zero(n);
    for (Eigen::Index i = 0; i < n; ++i) {
      const auto row = static_cast<std::size_t>(i);
      const double predicted = survival(i, static_cast<Eigen::Index>(k));
      if (outcome.time[row] > t) {
        if (weight_at_t > 0) loss[i] = (1 - predicted) * (1 - predicted) / weight_at_t;
      } else if (outcome.event[row] != 0) {
        const double weight = censoring.of_subject(outcome.time[row], options.convention);
        if (weight > 0) loss[i] = predicted * predicted / weight;
      }
    }
    const Eigen::VectorXd own = loss.array() - loss.mean();
    append(result, t, loss.mean(), own + influence_of_weights(outcome, by_time, loss / static_cast<double>(n), t), options.level);
  }
  result.integrated = kNaN;
  if (times.size() > 1) {
    double area = 0;
    for (std::size_t k = 1; k < times.size(); ++k) {
      area += (times[k] - times[k - 1]) * (result.value[k] + result.value[k - 1]) / 2;
    }
    result.integrated = area / (times.back() - times.front());
  }
  return result;
}

Eigen::MatrixXd null_survival(const Outcome& outcome, const std::vector<double>& times) {
  require_valid(outcome);
  require_times(times);
  if (!outcome.entry.empty()) throw std::invalid_argument("null_survival: late entry is not supported");
  const auto survival = survival_at(outcome, ascending_order(outcome.time), times);
  Eigen::MatrixXd result(static_cast<Eigen::Index>(outcome.size()), static_cast<Eigen::Index>(times.size()));
  for (std::size_t k = 0; k < times.size(); ++k) result.col(static_cast<Eigen::Index>(k)).setConstant(survival[k]);
  return result;
}

std::vector<CalibrationGroup> survival_calibration(const Outcome& outcome, const std::vector<double>& survival_at_time,
                                                   double time, int groups, double level) {
  require_valid(outcome);
  if (survival_at_time.size() != outcome.size()) {
    throw std::invalid_argument("survival_calibration: predictions and times differ in size");
  }
  if (groups < 1 || static_cast<std::size_t>(groups) > outcome.size()) {
    throw std::invalid_argument("survival_calibration: bad number of groups");
  }
  const auto order = ascending_order(survival_at_time);
  std::vector<CalibrationGroup> result;
  for (int g = 0; g < groups; ++g) {
    const std::size_t begin = order.size() * static_cast<std::size_t>(g) / static_cast<std::size_t>(groups);
    const std::size_t end = order.size() * static_cast<std::size_t>(g + 1) / static_cast<std::size_t>(groups);
    std::vector<std::size_t> rows(order.begin() + static_cast<std::ptrdiff_t>(begin),
                                  order.begin() + static_cast<std::ptrdiff_t>(end));
    double sum = 0;
    for (const std::size_t row : rows) sum += survival_at_time[row];
    const CurvePoint seen = evaluate(kaplan_meier(select(outcome, rows)), time);
    const Interval band = survival_interval(seen.survival, seen.std_err, ConfidenceScale::log_log, level);
    result.push_back({sum / static_cast<double>(rows.size()), seen.survival, seen.std_err, band.lower, band.upper, rows.size()});
  }
  return result;
}

std::vector<DecisionPoint> decision_curve(const Outcome& outcome, const std::vector<double>& event_risk_by_time, double time,
                                          const std::vector<double>& thresholds) {
  require_valid(outcome);
  if (event_risk_by_time.size() != outcome.size()) throw std::invalid_argument("decision_curve: risks and times differ in size");
  const double everyone = 1 - evaluate(kaplan_meier(outcome), time).survival, n = static_cast<double>(outcome.size());
  std::vector<DecisionPoint> result;
  for (const double threshold : thresholds) {
    if (!(threshold > 0 && threshold < 1)) throw std::invalid_argument("decision_curve: a threshold must lie between 0 and 1");
    const double odds = threshold / (1 - threshold);
    std::vector<std::size_t> treated;
    for (std::size_t i = 0; i < outcome.size(); ++i) {
      if (event_risk_by_time[i] >= threshold) treated.push_back(i);
    }
    double benefit = 0;
    if (!treated.empty()) {
      const double share = static_cast<double>(treated.size()) / n;
      const double events = 1 - evaluate(kaplan_meier(select(outcome, treated)), time).survival;
      benefit = share * (events - odds * (1 - events));
    }
    result.push_back({threshold, benefit, everyone - odds * (1 - everyone)});
  }
  return result;
}

}  // namespace clmnet::survival
