#include "survival/log_rank.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/sorting.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

/// Subjects of one stratum by ascending time, and their entries by ascending entry.
struct Stratum {
  std::vector<double> time;
  std::vector<std::uint8_t> event;
  std::vector<std::uint32_t> group;
  std::vector<double> entry;
  std::vector<std::uint32_t> entry_group;
};

/// The weight at successive event times of one stratum.
class WeightSequence {
 public:
  explicit WeightSequence(const LogRankWeight& weight) : weight_(weight) {}

  double next(double at_risk, double deaths) {
    const double before = survival_;
    survival_ *= (at_risk - deaths) / at_risk;
    peto_ *= 1 - deaths / (at_risk + 1);
    switch (weight_.kind) {
      case LogRankWeight::Kind::log_rank: return 1;
      case LogRankWeight::Kind::gehan: return at_risk;
      case LogRankWeight::Kind::tarone_ware: return std::sqrt(at_risk);
      case LogRankWeight::Kind::peto: return peto_;
      case LogRankWeight::Kind::modified_peto: return peto_ * at_risk / (at_risk + 1);
      case LogRankWeight::Kind::fleming_harrington: return power(before, weight_.rho) * power(1 - before, weight_.gamma);
    }
    return kNaN;
  }

 private:
  static double power(double base, double exponent) { return exponent == 0 ? 1 : std::pow(base, exponent); }

  LogRankWeight weight_;
  double survival_ = 1, peto_ = 1;
};

std::vector<Stratum> split(const Outcome& outcome, const Groups& groups, const LogRankOptions& options) {
  std::vector<Stratum> strata(options.strata ? options.strata->size() : 1);
  const auto stratum_of = [&](std::size_t row) -> Stratum& {
    return options.strata ? strata.at(options.strata->code[row]) : strata[0];
  };
  std::vector<double> merged_entry;
  SortedTimes sorted;
  if (outcome.entry.empty()) {
    sorted = sort_and_merge(outcome.time);
  } else {
    Outcome merged = merge_close_times(outcome);
    sorted.order = ascending_order(merged.time);
    for (const auto row : sorted.order) sorted.time.push_back(merged.time[row]);
    merged_entry = std::move(merged.entry);
  }
  if (strata.size() == 1) {
    strata[0].time.reserve(outcome.size());
    strata[0].event.reserve(outcome.size());
    strata[0].group.reserve(outcome.size());
  }
  for (std::size_t i = 0; i < sorted.order.size(); ++i) {
    const auto row = sorted.order[i];
    Stratum& stratum = stratum_of(row);
    stratum.time.push_back(sorted.time[i]);
    stratum.event.push_back(outcome.event[row]);
    stratum.group.push_back(groups.code[row]);
  }
  for (const auto row : ascending_order(merged_entry)) {
    stratum_of(row).entry.push_back(merged_entry[row]);
    stratum_of(row).entry_group.push_back(groups.code[row]);
  }
  return strata;
}

void add_event_time(LogRank& test, const Eigen::VectorXd& at_risk, const Eigen::VectorXd& deaths, double weight) {
  const double n = at_risk.sum(), d = deaths.sum();
  const Eigen::Index groups = at_risk.size();
  const double factor = n > 1 ? weight * weight * d * (n - d) / (n - 1) : 0;
  for (Eigen::Index g = 0; g < groups; ++g) {
    const double share = at_risk[g] / n;
    test.observed[g] += deaths[g];
    test.expected[g] += d * share;
    test.weighted_observed[g] += weight * deaths[g];
    test.weighted_expected[g] += weight * d * share;
    if (factor == 0 || at_risk[g] == 0) continue;
    test.variance(g, g) += factor * share * (1 - share);
    for (Eigen::Index h = 0; h < g; ++h) test.variance(g, h) -= factor * share * at_risk[h] / n;
  }
}

void add_stratum(LogRank& test, const Stratum& stratum, const LogRankWeight& weight) {
  const auto groups = static_cast<Eigen::Index>(test.groups.size());
  Eigen::VectorXd at_risk = Eigen::VectorXd::Zero(groups), deaths(groups);
  if (stratum.entry.empty()) {
    for (const auto group : stratum.group) at_risk[group] += 1;
  }
  WeightSequence weights(weight);
  std::size_t entered = 0;
  for (std::size_t i = 0; i < stratum.time.size();) {
    const double time = stratum.time[i];
    while (entered < stratum.entry.size() && stratum.entry[entered] < time) at_risk[stratum.entry_group[entered++]] += 1;
    std::size_t end = i;
    bool any = false;
    for (; end < stratum.time.size() && stratum.time[end] == time; ++end) any |= stratum.event[end] != 0;
    if (any) {
      deaths.setZero();
      for (std::size_t k = i; k < end; ++k) deaths[stratum.group[k]] += stratum.event[k];
      add_event_time(test, at_risk, deaths, weights.next(at_risk.sum(), deaths.sum()));
    }
    for (; i < end; ++i) at_risk[stratum.group[i]] -= 1;
  }
}

/// The quadratic form over the groups with an expected event; one of them is redundant and left out.
void finish(LogRank& test, const LogRankOptions& options) {
  test.variance = Eigen::MatrixXd(test.variance.selfadjointView<Eigen::Lower>());
  test.score = test.weighted_observed - test.weighted_expected;
  std::vector<Eigen::Index> used;
  for (Eigen::Index g = 0; g < test.expected.size(); ++g) {
    if (test.expected[g] > 0) used.push_back(g);
  }
  test.df = std::max(0, static_cast<int>(used.size()) - 1);
  test.chi_squared = test.p = test.trend_z = test.trend_chi_squared = test.trend_p = kNaN;
  if (test.df > 0) {
    const std::vector<Eigen::Index> kept(used.begin() + 1, used.end());
    const Eigen::MatrixXd variance = test.variance(kept, kept);
    const Eigen::VectorXd score = test.score(kept);
    Eigen::FullPivLU<Eigen::MatrixXd> solver(variance);
    if (variance.diagonal().maxCoeff() > 0 && solver.isInvertible()) {
      test.chi_squared = score.dot(solver.solve(score));
      test.p = chi_squared_upper(test.chi_squared, test.df);
    }
  }
  if (options.trend_scores) {
    const Eigen::Map<const Eigen::VectorXd> scores(options.trend_scores->data(),
                                                   static_cast<Eigen::Index>(options.trend_scores->size()));
    const double variance = scores.dot(test.variance * scores);
    if (variance > 0) {
      test.trend_z = scores.dot(test.score) / std::sqrt(variance);
      test.trend_chi_squared = test.trend_z * test.trend_z;
      test.trend_p = chi_squared_upper(test.trend_chi_squared, 1);
    }
  }
}

}  // namespace

std::string name_of(const LogRankWeight& weight) {
  switch (weight.kind) {
    case LogRankWeight::Kind::log_rank: return "log-rank";
    case LogRankWeight::Kind::gehan: return "Gehan-Breslow";
    case LogRankWeight::Kind::tarone_ware: return "Tarone-Ware";
    case LogRankWeight::Kind::peto: return "Peto-Peto";
    case LogRankWeight::Kind::modified_peto: return "modified Peto-Peto";
    case LogRankWeight::Kind::fleming_harrington: {
      char text[64];
      std::snprintf(text, sizeof text, "Fleming-Harrington(%g, %g)", weight.rho, weight.gamma);
      return text;
    }
  }
  return "";
}

LogRank log_rank(const Outcome& outcome, const Groups& groups, const LogRankOptions& options) {
  require_valid(outcome);
  if (groups.code.size() != outcome.size()) throw std::invalid_argument("log_rank: groups and times differ in size");
  if (options.strata && options.strata->code.size() != outcome.size()) {
    throw std::invalid_argument("log_rank: strata and times differ in size");
  }
  if (options.trend_scores && options.trend_scores->size() != groups.size()) {
    throw std::invalid_argument("log_rank: one trend score per group is needed");
  }
  const auto k = static_cast<Eigen::Index>(groups.size());
  LogRank test;
  test.groups = groups.labels;
  test.n.assign(groups.size(), 0);
  for (const auto group : groups.code) ++test.n.at(group);
  for (auto* vector : {&test.observed, &test.expected, &test.weighted_observed, &test.weighted_expected}) vector->setZero(k);
  test.variance.setZero(k, k);
  for (const Stratum& stratum : split(outcome, groups, options)) add_stratum(test, stratum, options.weight);
  finish(test, options);
  return test;
}

}  // namespace clmnet::survival
