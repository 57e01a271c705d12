#include "survival/kaplan_meier.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/sorting.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

/// Subjects of one group in ascending order of time.
struct SortedSubjects {
  std::vector<double> time;
  std::vector<std::uint8_t> event;
  std::vector<double> entry;  // sorted by itself; empty without late entry
};

struct Counts {
  double time;
  std::uint32_t n_risk, n_event, n_censor;
};

/// Calls visit(Counts) for each distinct time.
template <typename Visit>
void for_each_time(const SortedSubjects& subjects, Visit visit) {
  const std::size_t n = subjects.time.size();
  std::size_t entered = 0;
  for (std::size_t i = 0; i < n;) {
    const double time = subjects.time[i];
    std::size_t end = i;
    std::uint32_t deaths = 0;
    for (; end < n && subjects.time[end] == time; ++end) deaths += subjects.event[end];
    std::size_t not_entered = 0;
    if (!subjects.entry.empty()) {
      while (entered < n && subjects.entry[entered] < time) ++entered;
      not_entered = n - entered;
    }
    visit(Counts{time, static_cast<std::uint32_t>(n - i - not_entered), deaths,
                 static_cast<std::uint32_t>(end - i) - deaths});
    i = end;
  }
}

KaplanMeier estimate(const SortedSubjects& subjects) {
  KaplanMeier curve;
  curve.n = subjects.time.size();
  curve.entry = subjects.entry;
  std::size_t distinct = 0;
  for (std::size_t i = 0; i < curve.n; ++i) distinct += i == 0 || subjects.time[i] != subjects.time[i - 1];
  for (auto* column : {&curve.time, &curve.survival, &curve.std_err, &curve.cumulative_hazard,
                       &curve.cumulative_hazard_variance}) {
    column->reserve(distinct);
  }
  for (auto* column : {&curve.n_risk, &curve.n_event, &curve.n_censor}) column->reserve(distinct);
  double survival = 1, greenwood = 0, hazard = 0, hazard_variance = 0;
  for_each_time(subjects, [&](const Counts& at) {
    if (at.n_event > 0) {
      const double risk = at.n_risk, deaths = at.n_event;
      survival *= (risk - deaths) / risk;
      greenwood += deaths / (risk * (risk - deaths));
      hazard += deaths / risk;
      hazard_variance += deaths / (risk * risk);
      curve.events += at.n_event;
    }
    curve.time.push_back(at.time);
    curve.n_risk.push_back(at.n_risk);
    curve.n_event.push_back(at.n_event);
    curve.n_censor.push_back(at.n_censor);
    curve.survival.push_back(survival);
    curve.std_err.push_back(survival > 0 ? survival * std::sqrt(greenwood) : kNaN);
    curve.cumulative_hazard.push_back(hazard);
    curve.cumulative_hazard_variance.push_back(hazard_variance);
  });
  const double sum = [&] {
    double total = 0;
    for (const double time : curve.time) total += time;
    return total;
  }();
  curve.tolerance = std::ldexp(1.0, -26) * std::max(1.0, curve.time.empty() ? 0 : sum / static_cast<double>(curve.time.size()));
  return curve;
}

/// Where the line at height p meets the step function 1 - S, as R's quantile.survfit finds it: of the levels that reach p
/// within the tolerance the lowest, and the same with the tolerance the other way; the two differ on a flat stretch at p.
/// `level` may hold NaN (undefined there) and need not ascend (bands can turn back).
double crossing(const std::vector<double>& time, const std::vector<double>& level, double p) {
  const double tolerance = std::ldexp(1.0, -26);
  double first = kNaN, second = kNaN, first_level = 0, second_level = 0;
  double previous = kNaN;
  bool last_is_flat_at_p = false, last_defined = false;
  const auto consider = [&](double x, double y) {
    if (std::isnan(y)) return;
    if (y + tolerance >= p && (std::isnan(first) || y < first_level)) {
      first = x;
      first_level = y;
    }
    if (y - tolerance >= p && (std::isnan(second) || y < second_level)) {
      second = x;
      second_level = y;
    }
  };
  consider(0, 0);
  previous = 0;
  for (std::size_t i = 0; i < time.size(); ++i) {
    last_defined = !std::isnan(level[i]);
    last_is_flat_at_p = last_defined && std::abs(level[i] - p) < tolerance;
    if (level[i] == previous) continue;
    previous = level[i];
    consider(time[i], level[i]);
  }
  if (last_is_flat_at_p && !std::isnan(first)) return (first + time.back()) / 2;
  return (first + second) / 2;
}

SortedSubjects sorted_subjects(const Outcome& outcome) {
  SortedSubjects subjects;
  if (outcome.entry.empty()) {
    SortedTimes sorted = sort_and_merge(outcome.time);
    subjects.time = std::move(sorted.time);
    subjects.event.resize(outcome.size());
    for (std::size_t i = 0; i < outcome.size(); ++i) subjects.event[i] = outcome.event[sorted.order[i]];
    return subjects;
  }
  const Outcome merged = merge_close_times(outcome);
  const auto order = ascending_order(merged.time);
  for (const auto row : order) {
    subjects.time.push_back(merged.time[row]);
    subjects.event.push_back(merged.event[row]);
  }
  subjects.entry = merged.entry;
  std::sort(subjects.entry.begin(), subjects.entry.end());
  return subjects;
}

}  // namespace

KaplanMeier kaplan_meier(const Outcome& outcome) {
  require_valid(outcome);
  return estimate(sorted_subjects(outcome));
}

KaplanMeier kaplan_meier(const std::vector<double>& time, const std::vector<std::uint8_t>& event) {
  return kaplan_meier(Outcome{time, event});
}

std::vector<KaplanMeier> kaplan_meier_by_group(const Outcome& outcome, const Groups& groups) {
  require_valid(outcome);
  if (groups.code.size() != outcome.size()) throw std::invalid_argument("kaplan_meier_by_group: groups and times differ in size");
  const Outcome merged = merge_close_times(outcome);
  std::vector<SortedSubjects> parts(groups.size());
  for (const auto row : ascending_order(merged.time)) {
    SortedSubjects& part = parts.at(groups.code[row]);
    part.time.push_back(merged.time[row]);
    part.event.push_back(merged.event[row]);
    if (!merged.entry.empty()) part.entry.push_back(merged.entry[row]);
  }
  std::vector<KaplanMeier> curves;
  for (auto& part : parts) {
    std::sort(part.entry.begin(), part.entry.end());
    curves.push_back(estimate(part));
  }
  return curves;
}

Interval survival_interval(double survival, double std_err, ConfidenceScale scale, double level) {
  const double z = normal_z(level);
  if (survival == 1) return {1, 1};
  if (!(survival > 0)) return {kNaN, kNaN};
  if (scale == ConfidenceScale::plain) {
    return {std::max(0.0, survival - z * std_err), std::min(1.0, survival + z * std_err)};
  }
  const double log_err = std_err / survival;
  if (scale == ConfidenceScale::log) {
    return {survival * std::exp(-z * log_err), std::min(1.0, survival * std::exp(z * log_err))};
  }
  const double log_survival = std::log(survival);
  const double width = z * log_err / log_survival;  // negative
  return {std::exp(log_survival * std::exp(-width)), std::exp(log_survival * std::exp(width))};
}

CurvePoint evaluate(const KaplanMeier& curve, double time) {
  const auto after = std::upper_bound(curve.time.begin(), curve.time.end(), time + curve.tolerance);
  const auto not_before = std::lower_bound(curve.time.begin(), curve.time.end(), time - curve.tolerance);
  CurvePoint point{0, 1, 0, 0};
  if (after != curve.time.begin()) {
    const auto i = static_cast<std::size_t>(after - curve.time.begin()) - 1;
    point = {0, curve.survival[i], curve.std_err[i], curve.cumulative_hazard[i]};
  }
  if (curve.entry.empty()) {
    if (not_before != curve.time.end()) point.n_risk = curve.n_risk[static_cast<std::size_t>(not_before - curve.time.begin())];
    return point;
  }
  // With late entry the number at risk rises between event times: entered before, not yet gone.
  const auto entered = std::lower_bound(curve.entry.begin(), curve.entry.end(), time - curve.tolerance) - curve.entry.begin();
  double gone = 0;
  for (auto i = curve.time.begin(); i != not_before; ++i) {
    const auto k = static_cast<std::size_t>(i - curve.time.begin());
    gone += curve.n_event[k] + curve.n_censor[k];
  }
  point.n_risk = static_cast<double>(entered) - gone;
  return point;
}

Quantile event_time_quantile(const KaplanMeier& curve, double p, ConfidenceScale scale, double level) {
  if (!(p > 0 && p < 1)) throw std::invalid_argument("event_time_quantile: p must lie between 0 and 1");
  const std::size_t m = curve.time.size();
  std::vector<double> events(m), lower(m), upper(m);
  for (std::size_t i = 0; i < m; ++i) {
    const Interval band = survival_interval(curve.survival[i], curve.std_err[i], scale, level);
    events[i] = 1 - curve.survival[i];
    lower[i] = 1 - band.lower;
    upper[i] = 1 - band.upper;
  }
  return {crossing(curve.time, events, p), crossing(curve.time, lower, p), crossing(curve.time, upper, p)};
}

RestrictedMean restricted_mean(const KaplanMeier& curve, double tau) {
  if (!(tau > 0)) throw std::invalid_argument("restricted_mean: tau must be positive");
  RestrictedMean result{curve.time.empty() ? 0 : std::min(tau, curve.time.back()), 0, 0};
  // Backwards, so that the area from each event to tau is at hand for its share of the variance.
  double variance = 0, right = result.tau;
  for (std::size_t i = curve.time.size(); i-- > 0;) {
    if (curve.time[i] > result.tau) continue;
    result.mean += curve.survival[i] * (right - curve.time[i]);
    right = curve.time[i];
    const double risk = curve.n_risk[i], deaths = curve.n_event[i];
    if (deaths > 0 && risk > deaths) variance += result.mean * result.mean * deaths / (risk * (risk - deaths));
  }
  result.mean += right;
  result.std_err = std::sqrt(variance);
  return result;
}

double median_follow_up(const Outcome& outcome) {
  Outcome reverse = outcome;
  for (auto& event : reverse.event) event = event == 0 ? 1 : 0;
  return event_time_quantile(kaplan_meier(reverse), 0.5, ConfidenceScale::plain, 0.95).time;
}

}  // namespace clmnet::survival
