#include "survival/binary_metrics.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

OperatingPoint point_of(const RocCurve& curve, std::size_t i) {
  const double sensitivity = curve.true_positive_rate[i], specificity = 1 - curve.false_positive_rate[i];
  return {curve.threshold[i], sensitivity, specificity, sensitivity + specificity - 1};
}

void require_probabilities(const Scored& data) {
  require_valid(data);
  for (const double p : data.score) {
    if (p < 0 || p > 1) throw std::invalid_argument("a score is not a probability");
  }
}

/// Straight line in x on the scale of log odds, and its errors.
struct LogisticLine {
  double intercept = 0, slope = 0, intercept_std_err = 0, slope_std_err = 0, deviance = 0;
};

/// Weighted least squares of z on 1 and x; x without scatter shares what it and the intercept explain by least length.
LogisticLine weighted_line(const Eigen::ArrayXd& x, const Eigen::ArrayXd& z, const Eigen::ArrayXd& weight) {
  const double all = weight.sum(), x_mean = (weight * x).sum() / all, z_mean = (weight * z).sum() / all;
  const double scatter = (weight * (x - x_mean).square()).sum();
  LogisticLine line;
  if (x.maxCoeff() == x.minCoeff()) {
    const double k = x[0], length = 1 + k * k;
    line = {z_mean / length, z_mean * k / length, 1 / (length * std::sqrt(all)), std::abs(k) / (length * std::sqrt(all)), 0};
  } else {
    line.slope = (weight * (x - x_mean) * (z - z_mean)).sum() / scatter;
    line.intercept = z_mean - line.slope * x_mean;
    line.slope_std_err = 1 / std::sqrt(scatter);
    line.intercept_std_err = std::sqrt(1 / all + x_mean * x_mean / scatter);
  }
  return line;
}

/// Sum in numpy's order: halves of long runs, eight partial sums in short ones. Whether a deviance still moves is a matter of its
/// last bit.
double pairwise_sum(const double* value, std::size_t n) {
  if (n > 128) {
    const std::size_t half = n / 2 - (n / 2) % 8;
    return pairwise_sum(value, half) + pairwise_sum(value + half, n - half);
  }
  if (n < 8) return std::accumulate(value, value + n, 0.0);
  double part[8];
  std::copy(value, value + 8, part);
  std::size_t i = 8;
  for (; i + 8 <= n; i += 8) {
    for (std::size_t k = 0; k < 8; ++k) part[k] += value[i + k];
  }
  const double sum = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  return std::accumulate(value + i, value + n, sum);
}

double binomial_deviance(const Eigen::ArrayXd& y, const Eigen::ArrayXd& mu) {
  constexpr double kTiny = 1e-20;   // keeps what is certain and wrong finite
  std::vector<double> part;
  for (Eigen::Index i = 0; i < y.size(); ++i) {
    const double of_own = y[i] > 0 ? mu[i] + kTiny : 1 - mu[i] + kTiny;
    part.push_back(2 * std::log(std::max(std::numeric_limits<double>::epsilon(), 1 / of_own)));
  }
  return pairwise_sum(part.data(), part.size());
}

/// Iteratively reweighted least squares from mu = (y + 1/2) / 2. With `slope_is_one`, x is the offset of an intercept.
LogisticLine fit_line(const Eigen::ArrayXd& x, const Eigen::ArrayXd& y, bool slope_is_one) {
  constexpr double kUnit = std::numeric_limits<double>::epsilon(), kTolerance = 1e-14;
  constexpr int kMaxIterations = 100;
  Eigen::ArrayXd mu = (y + 0.5) / 2, eta = (mu / (1 - mu)).log();
  const Eigen::ArrayXd none = Eigen::ArrayXd::Zero(x.size());
  LogisticLine line;
  double deviance = binomial_deviance(y, mu);
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    const Eigen::ArrayXd held = mu.max(kUnit).min(1 - kUnit), weight = held * (1 - held);
    const Eigen::ArrayXd response = eta + (y - mu) / weight;
    line = slope_is_one ? weighted_line(none, response - x, weight) : weighted_line(x, response, weight);
    eta = line.intercept + (slope_is_one ? 1.0 : line.slope) * x;
    mu = eta.unaryExpr([](double value) { return 1 / (1 + std::exp(-value)); });
    line.deviance = binomial_deviance(y, mu);
    const bool same = std::abs(line.deviance - deviance) <= kTolerance;
    deviance = line.deviance;
    if (same) break;
  }
  return line;
}

}  // namespace

Proportion proportion(std::size_t successes, std::size_t n, double level) {
  if (successes > n) throw std::invalid_argument("proportion: more successes than subjects");
  const double z = normal_z(level);
  if (n == 0) return {kNaN, {kNaN, kNaN}, {kNaN, kNaN}};
  const double k = static_cast<double>(successes), size = static_cast<double>(n), p = k / size;
  const double center = (p + z * z / (2 * size)) / (1 + z * z / size);
  const double half = z / (1 + z * z / size) * std::sqrt(p * (1 - p) / size + z * z / (4 * size * size));
  Proportion result{p, {std::max(0.0, center - half), std::min(1.0, center + half)}, {0, 1}};
  if (successes == 0) result.wilson.lower = 0;
  if (successes == n) result.wilson.upper = 1;
  if (successes > 0) result.exact.lower = beta_quantile(0.5 - level / 2, k, size - k + 1);
  if (successes < n) result.exact.upper = beta_quantile(0.5 + level / 2, k + 1, size - k);
  return result;
}

Confusion confusion(const Scored& data, double threshold, double level) {
  require_valid(data);
  Confusion result;
  for (std::size_t i = 0; i < data.score.size(); ++i) {
    const bool called = data.score[i] >= threshold, is = data.positive[i] != 0;
    ++(called ? (is ? result.true_positive : result.false_positive) : (is ? result.false_negative : result.true_negative));
  }
  const std::size_t tp = result.true_positive, fp = result.false_positive, tn = result.true_negative, fn = result.false_negative;
  result.sensitivity = proportion(tp, tp + fn, level);
  result.specificity = proportion(tn, tn + fp, level);
  result.positive_predictive_value = proportion(tp, tp + fp, level);
  result.negative_predictive_value = proportion(tn, tn + fn, level);
  result.accuracy = proportion(tp + tn, data.score.size(), level);
  const double a = static_cast<double>(tp), b = static_cast<double>(fp), c = static_cast<double>(fn), d = static_cast<double>(tn);
  const double n = a + b + c + d, product = (a + b) * (a + c) * (d + b) * (d + c);
  result.f1 = 2 * a + b + c > 0 ? 2 * a / (2 * a + b + c) : 0;
  result.matthews = product > 0 ? (a * d - b * c) / std::sqrt(product) : 0;
  result.balanced_accuracy = tp + fn == 0   ? result.specificity.value
                             : tn + fp == 0 ? result.sensitivity.value
                                            : (result.sensitivity.value + result.specificity.value) / 2;
  const double odds = threshold / (1 - threshold), prevalence = (a + c) / n;
  result.net_benefit = a / n - b / n * odds;
  result.net_benefit_all = prevalence - (1 - prevalence) * odds;
  return result;
}

OperatingPoint youden_point(const Scored& data) {
  const RocCurve curve = roc_curve(data);
  std::size_t best = 0;
  for (std::size_t i = 1; i < curve.threshold.size(); ++i) {
    if (curve.true_positive_rate[i] - curve.false_positive_rate[i] >
        curve.true_positive_rate[best] - curve.false_positive_rate[best])
      best = i;
  }
  return point_of(curve, best);
}

OperatingPoint point_at_sensitivity(const Scored& data, double sensitivity) {
  const RocCurve curve = roc_curve(data);
  for (std::size_t i = 0; i < curve.threshold.size(); ++i) {
    if (curve.true_positive_rate[i] >= sensitivity) return point_of(curve, i);
  }
  throw std::invalid_argument("point_at_sensitivity: no threshold reaches it");
}

OperatingPoint point_at_specificity(const Scored& data, double specificity) {
  const RocCurve curve = roc_curve(data);
  for (std::size_t i = curve.threshold.size(); i-- > 0;) {
    if (1 - curve.false_positive_rate[i] >= specificity) return point_of(curve, i);
  }
  throw std::invalid_argument("point_at_specificity: no threshold reaches it");
}

ProbabilityScores probability_scores(const Scored& data, int bins) {
  require_probabilities(data);
  if (bins < 1) throw std::invalid_argument("probability_scores: at least one bin is needed");
  const double n = static_cast<double>(data.score.size()), clip = std::numeric_limits<double>::epsilon();
  ProbabilityScores result;
  std::vector<double> predicted(static_cast<std::size_t>(bins), 0.0), observed(predicted);
  for (std::size_t i = 0; i < data.score.size(); ++i) {
    const double p = data.score[i], y = data.positive[i], held = std::clamp(p, clip, 1 - clip);
    result.brier += (p - y) * (p - y) / n;
    result.log_loss -= (y > 0 ? std::log(held) : std::log1p(-held)) / n;
    // Edges are i / bins as they round, the same for every probability; a bin takes its lower edge in, the last both.
    auto bin = static_cast<std::size_t>(std::min(static_cast<double>(bins) - 1, std::floor(p * bins)));
    while (bin > 0 && p < static_cast<double>(bin) * (1.0 / bins)) --bin;
    while (bin + 1 < predicted.size() && p >= static_cast<double>(bin + 1) * (1.0 / bins)) ++bin;
    predicted[bin] += p;
    observed[bin] += y;
  }
  for (std::size_t bin = 0; bin < predicted.size(); ++bin) {
    result.expected_calibration_error += std::abs(predicted[bin] - observed[bin]) / n;
  }
  return result;
}

Calibration calibration(const Scored& data, double clip) {
  require_probabilities(data);
  const auto n = static_cast<Eigen::Index>(data.score.size());
  Eigen::ArrayXd logit(n), label(n);
  double expected = 0, observed = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    const auto row = static_cast<std::size_t>(i);
    const double p = std::clamp(data.score[row], clip, 1 - clip);
    logit[i] = std::log(p / (1 - p));
    label[i] = data.positive[row];
    expected += data.score[row];
    observed += data.positive[row];
  }
  const LogisticLine slope = fit_line(logit, label, false), large = fit_line(logit, label, true);
  Calibration result{
      slope.slope, slope.slope_std_err, slope.intercept, large.intercept, large.intercept_std_err, observed / expected, true,
      true};
  // An error of a thousand on logits of deviation 1: the likelihood is flat there.
  const double deviation = std::sqrt((logit - logit.mean()).square().mean());
  result.has_intercept = observed > 0 && observed < static_cast<double>(n);
  result.has_slope = result.has_intercept && deviation > 0 && slope.deviance > 1e-6 * static_cast<double>(n) &&
                     slope.slope_std_err * deviation < 1e3;
  return result;
}

McNemar mcnemar(const std::vector<std::uint8_t>& first_right, const std::vector<std::uint8_t>& second_right) {
  if (first_right.size() != second_right.size()) throw std::invalid_argument("mcnemar: the two differ in size");
  McNemar result;
  for (std::size_t i = 0; i < first_right.size(); ++i) {
    const bool a = first_right[i] != 0, b = second_right[i] != 0;
    ++(a ? (b ? result.both_right : result.only_first) : (b ? result.only_second : result.neither));
  }
  const double b = static_cast<double>(result.only_first), c = static_cast<double>(result.only_second), n = b + c;
  if (n == 0) {
    result.exact_p = result.mid_p = 1;
    result.chi_squared = result.p = result.corrected_chi_squared = result.corrected_p = kNaN;
    return result;
  }
  const double tail = binomial_cdf(std::min(b, c), n, 0.5);
  result.exact_p = std::min(1.0, 2 * tail);
  // Tables as extreme as the one seen count half (Fagerland et al. 2013); with b = c there is one such table, else two.
  result.mid_p = b == c ? 1 - binomial_density(b, n, 0.5) / 2 : 2 * tail - binomial_density(std::min(b, c), n, 0.5);
  result.chi_squared = (b - c) * (b - c) / n;
  result.p = chi_squared_upper(result.chi_squared, 1);
  const double corrected = std::abs(b - c) - 1;   // as printed by Edwards and computed by statsmodels, also where b = c
  result.corrected_chi_squared = corrected * corrected / n;
  result.corrected_p = chi_squared_upper(result.corrected_chi_squared, 1);
  return result;
}

}  // namespace clmnet::survival
