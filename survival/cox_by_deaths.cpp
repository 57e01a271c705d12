#include "survival/cox_by_deaths.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "survival/sorting.h"

namespace clmnet::survival {
namespace {

/// Weighted sums over rows: of 1, x and the lower triangle of x x'.
struct Sums {
  explicit Sums(Eigen::Index p) : first(Eigen::VectorXd::Zero(p)), second(Eigen::MatrixXd::Zero(p, p)) {}

  void clear() {
    zeroth = 0;
    first.setZero();
    second.setZero();
  }
  void add(double risk, const double* x) {
    zeroth += risk;
    for (Eigen::Index j = 0; j < first.size(); ++j) {
      first[j] += risk * x[j];
      for (Eigen::Index i = j; i < first.size(); ++i) second(i, j) += risk * x[i] * x[j];
    }
  }

  double zeroth = 0;
  Eigen::VectorXd first;
  Eigen::MatrixXd second;
};

/// Adds a share (1 / parts) of the dying to the risk set.
void join(Sums& at_risk, const Sums& dying, double parts) {
  at_risk.zeroth += dying.zeroth / parts;
  at_risk.first += dying.first / parts;
  at_risk.second += dying.second / parts;
}

/// `deaths` deaths out of the risk set. The upper triangle of the information is filled.
void count_deaths(const Sums& at_risk, double deaths, CoxLikelihood::Value& value) {
  value.log_likelihood -= deaths * std::log(at_risk.zeroth);
  for (Eigen::Index i = 0; i < at_risk.first.size(); ++i) {
    const double mean = at_risk.first[i] / at_risk.zeroth;
    value.gradient[i] -= deaths * mean;
    for (Eigen::Index j = 0; j <= i; ++j) {
      value.information(j, i) += deaths * (at_risk.second(i, j) - mean * at_risk.first[j]) / at_risk.zeroth;
    }
  }
}

constexpr double kFewProducts = 2e6;   // n p^2

/// Rows by stratum and then time; equal ones keep the caller's order.
std::vector<std::uint32_t> sorted_rows(const Outcome& merged, const Groups* strata) {
  auto order = ascending_order(merged.time);
  if (strata) {
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return strata->code[a] < strata->code[b]; });
  }
  return order;
}

/// As count_deaths for the covariates and the covariates times g; only where j <= i is the information filled.
void count_timed_deaths(const Sums& at_risk, double deaths, double g, TimedScore& score) {
  const Eigen::Index p = at_risk.first.size();
  for (Eigen::Index i = 0; i < p; ++i) {
    const double mean = at_risk.first[i] / at_risk.zeroth;
    score.gradient[i] -= g * deaths * mean;
    for (Eigen::Index j = 0; j <= i; ++j) {
      const double part = deaths * (at_risk.second(i, j) - mean * at_risk.first[j]) / at_risk.zeroth;
      score.information(j, i) += part;
      score.information(j, p + i) += part * g;
      score.information(p + j, p + i) += part * g * g;
    }
  }
}

}  // namespace

bool only_signs(const Eigen::Ref<const Eigen::VectorXd>& column) {
  return (column.array() == -1 || column.array() == 0 || column.array() == 1).all();
}

double ordered_mean(const Eigen::Ref<const Eigen::VectorXd>& column) {
  return std::accumulate(column.begin(), column.end(), 0.0) / static_cast<double>(column.size());
}

bool CoxByDeaths::suits(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome) {
  const auto p = static_cast<double>(x.cols());
  return outcome.entry.empty() && static_cast<double>(x.rows()) * p * p <= kFewProducts;
}

CoxByDeaths::CoxByDeaths(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const Groups* strata, CoxTies ties)
    : x_(x.rows(), x.cols()), scale_(Eigen::RowVectorXd::Ones(x.cols())), ties_(ties) {
  const Outcome merged = merge_close_times(outcome);
  const auto order = sorted_rows(merged, strata);
  const auto n = static_cast<double>(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    x_.row(static_cast<Eigen::Index>(i)) = x.row(order[i]);
    time_.push_back(merged.time[order[i]]);
    event_.push_back(merged.event[order[i]]);
    stratum_.push_back(strata ? strata->code[order[i]] : 0u);
  }
  for (Eigen::Index j = 0; j < x_.cols(); ++j) {
    auto column = x_.col(j);
    if (only_signs(column)) continue;
    column.array() -= ordered_mean(column);
    const double distance =
        std::accumulate(column.begin(), column.end(), 0.0, [](double sum, double v) { return sum + std::abs(v); });
    if (!(distance > 0)) continue;
    scale_[j] = n / distance;
    column *= scale_[j];
  }
}

CoxLikelihood::Value CoxByDeaths::evaluate(const Eigen::VectorXd& beta) const {
  const Eigen::Index p = covariates();
  CoxLikelihood::Value value;
  value.gradient.setZero(p);
  value.information.setZero(p, p);
  Sums at_risk(p), dying(p);
  for (std::size_t left = time_.size(); left > 0;) {
    const std::size_t last = left - 1;
    if (left == time_.size() || stratum_[last] != stratum_[left]) at_risk.clear();
    double deaths = 0;
    for (; left > 0 && time_[left - 1] == time_[last] && stratum_[left - 1] == stratum_[last]; --left) {
      const double* row = x_.row(static_cast<Eigen::Index>(left - 1)).data();
      double predictor = 0;
      for (Eigen::Index j = 0; j < p; ++j) predictor += beta[j] * row[j];
      const double risk = std::exp(predictor);
      if (!event_[left - 1]) {
        at_risk.add(risk, row);
        continue;
      }
      ++deaths;
      value.log_likelihood += predictor;
      for (Eigen::Index j = 0; j < p; ++j) value.gradient[j] += row[j];
      dying.add(risk, row);
    }
    if (deaths == 0) continue;
    if (ties_ == CoxTies::breslow || deaths == 1) {
      join(at_risk, dying, 1);
      count_deaths(at_risk, deaths, value);
    } else {
      for (double k = 0; k < deaths; ++k) {
        join(at_risk, dying, deaths);
        count_deaths(at_risk, 1, value);
      }
    }
    dying.clear();
  }
  value.information = Eigen::MatrixXd(value.information.selfadjointView<Eigen::Upper>());
  return value;
}

TimedScore timed_score(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const Groups* strata, CoxTies ties,
                       const Eigen::VectorXd& predictor, const std::vector<double>& g) {
  const Eigen::Index p = x.cols();
  const Outcome merged = merge_close_times(outcome);
  const auto order = sorted_rows(merged, strata);
  RowMatrix centred = x;
  for (Eigen::Index j = 0; j < p; ++j) {
    centred.col(j).array() -= ordered_mean(x.col(j));
  }
  TimedScore score{Eigen::VectorXd::Zero(p), Eigen::MatrixXd::Zero(2 * p, 2 * p)};
  Sums at_risk(p), dying(p);
  const auto together = [&](std::uint32_t a, std::uint32_t b) { return !strata || strata->code[a] == strata->code[b]; };
  for (std::size_t left = order.size(); left > 0;) {
    const auto last = order[left - 1];
    if (left == order.size() || !together(last, order[left])) at_risk.clear();
    double deaths = 0;
    for (; left > 0 && merged.time[order[left - 1]] == merged.time[last] && together(order[left - 1], last); --left) {
      const auto row = order[left - 1];
      const double* values = centred.row(row).data();
      const double risk = std::exp(predictor[row]);
      (merged.event[row] ? dying : at_risk).add(risk, values);
      if (!merged.event[row]) continue;
      ++deaths;
      for (Eigen::Index j = 0; j < p; ++j) score.gradient[j] += g[last] * values[j];
    }
    if (deaths == 0) continue;
    const double parts = ties == CoxTies::breslow ? 1 : deaths;
    for (double k = 0; k < parts; ++k) {
      join(at_risk, dying, parts);
      count_timed_deaths(at_risk, deaths / parts, g[last], score);
    }
    dying.clear();
  }
  for (Eigen::Index i = 0; i < p; ++i) {
    for (Eigen::Index j = 0; j < i; ++j) score.information(i, p + j) = score.information(j, p + i);
  }
  score.information = Eigen::MatrixXd(score.information.selfadjointView<Eigen::Upper>());
  return score;
}

}  // namespace clmnet::survival
