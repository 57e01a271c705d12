#include "survival/roc.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "survival/distributions.h"
#include "survival/sorting.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

/// Positives and negatives of each run of equal scores, from the highest or the lowest score.
struct Run {
  double score, positives, negatives;
};
std::vector<Run> runs_ascending(const Scored& data) {
  std::vector<Run> runs;
  for (const auto row : ascending_order(data.score)) {
    if (runs.empty() || data.score[row] != runs.back().score) runs.push_back({data.score[row], 0, 0});
    (data.positive[row] != 0 ? runs.back().positives : runs.back().negatives) += 1;
  }
  return runs;
}

double positives_of(const Scored& data) {
  return static_cast<double>(std::count(data.positive.begin(), data.positive.end(), std::uint8_t{1}));
}

double variance_of(const std::vector<double>& values) {
  const double n = static_cast<double>(values.size());
  if (n < 2) return kNaN;
  double mean = 0, sum = 0;
  for (const double value : values) mean += value / n;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum / (n - 1);
}

double covariance_of(const std::vector<double>& a, const std::vector<double>& b) {
  const double n = static_cast<double>(a.size());
  if (n < 2) return kNaN;
  double mean_a = 0, mean_b = 0, sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    mean_a += a[i] / n;
    mean_b += b[i] / n;
  }
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  return sum / (n - 1);
}

}  // namespace

void require_valid(const Scored& data) {
  if (data.positive.size() != data.score.size()) throw std::invalid_argument("scores and labels differ in size");
  if (data.score.empty()) throw std::invalid_argument("no scores");
  for (std::size_t i = 0; i < data.score.size(); ++i) {
    if (!std::isfinite(data.score[i])) throw std::invalid_argument("score " + std::to_string(i) + " is not finite");
    if (data.positive[i] > 1) throw std::invalid_argument("label " + std::to_string(i) + " is not 0 or 1");
  }
}

double auc(const Scored& data) {
  require_valid(data);
  double pairs = 0, negatives = 0, positives = 0;
  const auto order = ascending_order(data.score);
  for (std::size_t begin = 0; begin < order.size();) {
    const double score = data.score[order[begin]];
    double run = 0;
    std::size_t end = begin;
    for (; end < order.size() && data.score[order[end]] == score; ++end) run += data.positive[order[end]];
    const double run_negatives = static_cast<double>(end - begin) - run;
    pairs += run * (negatives + run_negatives / 2);
    negatives += run_negatives;
    positives += run;
    begin = end;
  }
  return positives > 0 && negatives > 0 ? pairs / (positives * negatives) : kNaN;
}

DelongAuc delong(const Scored& data) {
  require_valid(data);
  DelongAuc result;
  result.positives = static_cast<std::size_t>(positives_of(data));
  result.negatives = data.score.size() - result.positives;
  result.auc = result.variance = kNaN;
  if (result.positives == 0 || result.negatives == 0) return result;
  const double m = static_cast<double>(result.positives), n = static_cast<double>(result.negatives);
  std::vector<double> part(data.score.size());
  const auto order = ascending_order(data.score);
  double negatives = 0, positives = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double run_positives = 0;
    for (; end < order.size() && data.score[order[end]] == data.score[order[begin]]; ++end) {
      run_positives += data.positive[order[end]];
    }
    const double run_negatives = static_cast<double>(end - begin) - run_positives;
    for (std::size_t k = begin; k < end; ++k) {
      part[order[k]] =
          data.positive[order[k]] != 0 ? (negatives + run_negatives / 2) / n : (m - positives - run_positives / 2) / m;
    }
    negatives += run_negatives;
    positives += run_positives;
    begin = end;
  }
  double sum = 0;
  for (std::size_t i = 0; i < part.size(); ++i) {
    (data.positive[i] != 0 ? result.positive_part : result.negative_part).push_back(part[i]);
    if (data.positive[i] != 0) sum += part[i];
  }
  result.auc = sum / m;
  result.variance = variance_of(result.positive_part) / m + variance_of(result.negative_part) / n;
  return result;
}

Interval DelongAuc::interval(double level) const {
  const double half = normal_z(level) * std::sqrt(variance);
  if (std::isnan(half)) return {kNaN, kNaN};
  return {std::max(0.0, auc - half), std::min(1.0, auc + half)};
}

AucComparison compare_paired(const Scored& a, const Scored& b, double level) {
  if (a.positive != b.positive) throw std::invalid_argument("compare_paired: the labels of the two scores differ");
  const DelongAuc first = delong(a), second = delong(b);
  AucComparison result;
  result.df = std::numeric_limits<double>::infinity();
  result.difference = first.auc - second.auc;
  result.covariance = covariance_of(first.positive_part, second.positive_part) / static_cast<double>(first.positives) +
                      covariance_of(first.negative_part, second.negative_part) / static_cast<double>(first.negatives);
  const double variance = std::max(0.0, first.variance + second.variance - 2 * result.covariance),
               half = normal_z(level) * std::sqrt(variance);
  result.statistic = result.difference == 0 && variance == 0 ? 0 : result.difference / std::sqrt(variance);
  result.p = normal_two_sided_p(result.statistic);
  result.interval = {result.difference - half, result.difference + half};
  return result;
}

AucComparison compare_unpaired(const Scored& a, const Scored& b, double level) {
  const DelongAuc first = delong(a), second = delong(b);
  AucComparison result;
  result.difference = first.auc - second.auc;
  const double variance = first.variance + second.variance;
  result.df = variance * variance / (first.variance * first.variance / (static_cast<double>(a.score.size()) - 1) +
                                     second.variance * second.variance / (static_cast<double>(b.score.size()) - 1));
  result.statistic = result.difference == 0 && variance == 0 ? 0 : result.difference / std::sqrt(variance);
  result.p = student_two_sided_p(result.statistic, result.df);
  const double half =
      variance > 0 ? student_quantile(0.5 + level / 2, result.df) * std::sqrt(variance) : (std::isnan(variance) ? kNaN : 0);
  result.interval = {result.difference - half, result.difference + half};
  return result;
}

RocCurve roc_curve(const Scored& data) {
  require_valid(data);
  const auto runs = runs_ascending(data);
  const double m = positives_of(data), n = static_cast<double>(data.score.size()) - m;
  RocCurve curve{{0}, {0}, {std::numeric_limits<double>::infinity()}};
  double positives = 0, negatives = 0;
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    positives += run->positives;
    negatives += run->negatives;
    curve.false_positive_rate.push_back(n > 0 ? negatives / n : kNaN);
    curve.true_positive_rate.push_back(m > 0 ? positives / m : kNaN);
    curve.threshold.push_back(run->score);
  }
  return curve;
}

PartialAuc partial_auc(const Scored& data, double limit) {
  if (!(limit > 0 && limit <= 1)) throw std::invalid_argument("partial_auc: the limit must lie in (0, 1]");
  const RocCurve curve = roc_curve(data);
  double area = 0;
  for (std::size_t i = 1; i < curve.threshold.size(); ++i) {
    const double x0 = curve.false_positive_rate[i - 1], x1 = curve.false_positive_rate[i];
    const double y0 = curve.true_positive_rate[i - 1], y1 = curve.true_positive_rate[i];
    if (x0 >= limit) break;
    if (std::isnan(x1) || std::isnan(y1)) return {kNaN, kNaN};
    const double end = std::min(x1, limit);
    const double y_end = x1 > x0 ? y0 + (y1 - y0) * (end - x0) / (x1 - x0) : y1;
    area += (end - x0) * (y0 + y_end) / 2;
  }
  const double least = limit * limit / 2;
  return {area, (1 + (area - least) / (limit - least)) / 2};
}

PrecisionRecall precision_recall(const Scored& data) {
  require_valid(data);
  const auto runs = runs_ascending(data);
  const double m = positives_of(data);
  double positives = m, all = static_cast<double>(data.score.size());
  PrecisionRecall curve;
  for (const Run& run : runs) {
    curve.precision.push_back(positives / all);
    curve.recall.push_back(m > 0 ? positives / m : kNaN);
    curve.threshold.push_back(run.score);
    positives -= run.positives;
    all -= run.positives + run.negatives;
  }
  curve.precision.push_back(1);
  curve.recall.push_back(0);
  for (std::size_t i = 0; i + 1 < curve.precision.size(); ++i) {
    const double step = curve.recall[i] - curve.recall[i + 1];
    curve.average_precision += step * curve.precision[i];
    curve.trapezoid += step * (curve.precision[i] + curve.precision[i + 1]) / 2;
  }
  return curve;
}

std::vector<DelongAuc> delong_by_group(const Scored& data, const Groups& groups) {
  require_valid(data);
  if (groups.code.size() != data.score.size()) throw std::invalid_argument("delong_by_group: groups and scores differ in size");
  std::vector<DelongAuc> result;
  for (const auto& rows : members(groups)) {
    Scored part;
    for (const std::size_t row : rows) {
      part.positive.push_back(data.positive[row]);
      part.score.push_back(data.score[row]);
    }
    if (rows.empty()) {
      result.emplace_back();
      result.back().auc = result.back().variance = kNaN;
    } else {
      result.push_back(delong(part));
    }
  }
  return result;
}

}  // namespace clmnet::survival
