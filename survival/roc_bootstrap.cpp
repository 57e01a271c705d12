#include "survival/roc_bootstrap.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/random.h"
#include "survival/sorting.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

constexpr std::size_t kGrid = 101;

using Weights = std::vector<std::uint32_t>;

/// Draws how often each subject is in a resample.
class Resampler {
 public:
  Resampler(const Scored& data, BootstrapUnit unit, const ResampleOptions& options)
      : random_(options.seed), size_(data.score.size()) {
    require_valid(data);
    normal_z(options.level);  // checks it
    if (options.resamples < 1) throw std::invalid_argument("at least one resample is needed");
    if (unit == BootstrapUnit::cluster) {
      if (!options.clusters || options.clusters->code.size() != size_) {
        throw std::invalid_argument("bootstrap: clusters are missing or differ from the scores in size");
      }
      pools_.emplace_back();
      for (auto& rows : members(*options.clusters)) {
        if (!rows.empty()) pools_[0].push_back(std::move(rows));
      }
      return;
    }
    pools_.resize(unit == BootstrapUnit::subject ? 1 : 2);
    for (std::size_t i = 0; i < size_; ++i) pools_[unit == BootstrapUnit::subject ? 0 : data.positive[i]].push_back({i});
  }

  Resampler(const Scored& data, const ResampleOptions& options)
      : Resampler(data, options.clusters ? BootstrapUnit::cluster : BootstrapUnit::subject_within_class, options) {}

  void draw(Weights& weight) {
    weight.assign(size_, 0);
    for (const auto& pool : pools_) {
      for (std::size_t k = 0; k < pool.size(); ++k) {
        for (const std::size_t row : pool[random_.below(static_cast<std::uint32_t>(pool.size()))]) ++weight[row];
      }
    }
  }

 private:
  Random random_;
  std::size_t size_;
  /// Each is drawn from with replacement, as often as it is large; it holds units, and a unit holds rows.
  std::vector<std::vector<std::vector<std::size_t>>> pools_;
};

/// Subjects by descending score with the ends of runs of equal scores.
struct Descending {
  std::vector<std::size_t> row, run_end;

  explicit Descending(const Scored& data) : row(data.score.size()) {
    std::iota(row.begin(), row.end(), std::size_t{0});
    std::sort(row.begin(), row.end(), [&](std::size_t a, std::size_t b) { return data.score[a] > data.score[b]; });
    for (std::size_t k = 1; k <= row.size(); ++k) {
      if (k == row.size() || data.score[row[k]] != data.score[row[k - 1]]) run_end.push_back(k);
    }
  }
};

/// Positives and negatives at or above each threshold, from (0, 0) on.
struct Counts {
  std::vector<double> positive{0}, negative{0};
};

void count(const Scored& data, const Descending& order, const Weights& weight, Counts& counts) {
  counts.positive.assign(1, 0);
  counts.negative.assign(1, 0);
  std::size_t k = 0;
  for (const std::size_t end : order.run_end) {
    double positive = counts.positive.back(), negative = counts.negative.back();
    for (; k < end; ++k) (data.positive[order.row[k]] != 0 ? positive : negative) += weight[order.row[k]];
    counts.positive.push_back(positive);
    counts.negative.push_back(negative);
  }
}

bool has_both(const Counts& counts) { return counts.positive.back() > 0 && counts.negative.back() > 0; }

double auc_of(const Counts& counts) {
  double area = 0;
  for (std::size_t i = 1; i < counts.positive.size(); ++i) {
    area += (counts.negative[i] - counts.negative[i - 1]) * (counts.positive[i] + counts.positive[i - 1]) / 2;
  }
  return area / (counts.positive.back() * counts.negative.back());
}

void sensitivity_on_grid(const Counts& counts, std::vector<double>& value) {
  const double m = counts.positive.back(), n = counts.negative.back();
  std::size_t i = 0;
  for (std::size_t g = 0; g < kGrid; ++g) {
    const double at = n * static_cast<double>(g) / (kGrid - 1);
    while (i + 1 < counts.negative.size() && counts.negative[i + 1] <= at) ++i;
    double positive = counts.positive[i];
    if (i + 1 < counts.negative.size() && counts.negative[i] < at) {
      positive += (counts.positive[i + 1] - positive) * (at - counts.negative[i]) / (counts.negative[i + 1] - counts.negative[i]);
    }
    value[g] = positive / m;
  }
}

void precision_on_grid(const Counts& counts, std::vector<double>& value) {
  const double m = counts.positive.back();
  std::size_t i = 1;
  for (std::size_t g = 0; g < kGrid; ++g) {
    const double wanted = m * static_cast<double>(g) / (kGrid - 1);
    while (i + 1 < counts.positive.size() &&
           (counts.positive[i] < wanted * (1 - 1e-12) || counts.positive[i] + counts.negative[i] == 0))
      ++i;
    value[g] = counts.positive[i] / (counts.positive[i] + counts.negative[i]);
  }
}

Interval percentile_interval(const std::vector<double>& ascending, double level) {
  if (ascending.empty()) return {kNaN, kNaN};
  return {linear_quantile(ascending, 0.5 - level / 2), linear_quantile(ascending, 0.5 + level / 2)};
}

CurveBand band(const Scored& data, const ResampleOptions& options,
               const std::function<void(const Counts&, std::vector<double>&)>& on_grid) {
  Resampler resampler(data, options);
  const Descending order(data);
  std::vector<std::vector<double>> drawn(kGrid);
  Weights weight;
  Counts counts;
  std::vector<double> value(kGrid);
  for (int k = 0; k < options.resamples; ++k) {
    resampler.draw(weight);
    count(data, order, weight, counts);
    if (!has_both(counts)) continue;
    on_grid(counts, value);
    for (std::size_t g = 0; g < kGrid; ++g) drawn[g].push_back(value[g]);
  }
  CurveBand result;
  for (std::size_t g = 0; g < kGrid; ++g) {
    std::sort(drawn[g].begin(), drawn[g].end());
    result.x.push_back(static_cast<double>(g) / (kGrid - 1));
    const Interval at = percentile_interval(drawn[g], options.level);
    result.lower.push_back(at.lower);
    result.upper.push_back(at.upper);
  }
  return result;
}

}  // namespace

Interval bootstrap_auc(const Scored& data, BootstrapUnit unit, const std::optional<Groups>& clusters, int resamples,
                       std::uint64_t seed, double level) {
  Resampler resampler(data, unit, {clusters, resamples, seed, level});
  const Descending order(data);
  std::vector<double> drawn;
  Weights weight;
  Counts counts;
  for (int k = 0; k < resamples; ++k) {
    resampler.draw(weight);
    count(data, order, weight, counts);
    if (has_both(counts)) drawn.push_back(auc_of(counts));
  }
  std::sort(drawn.begin(), drawn.end());
  return percentile_interval(drawn, level);
}

CurveBand roc_band(const Scored& data, const ResampleOptions& options) { return band(data, options, sensitivity_on_grid); }

CurveBand precision_recall_band(const Scored& data, const ResampleOptions& options) {
  return band(data, options, precision_on_grid);
}

ResampledDifference resampled_auc_difference(const Scored& a, const Scored& b, const ResampleOptions& options) {
  if (a.positive != b.positive) throw std::invalid_argument("resampled_auc_difference: the labels of the two scores differ");
  require_valid(b);
  Resampler resampler(a, options);
  const Descending first(a), second(b);
  std::vector<double> drawn;
  Weights weight;
  Counts counts;
  for (int k = 0; k < options.resamples; ++k) {
    resampler.draw(weight);
    count(a, first, weight, counts);
    if (!has_both(counts)) continue;
    const double auc_a = auc_of(counts);
    count(b, second, weight, counts);
    drawn.push_back(auc_a - auc_of(counts));
  }
  if (drawn.empty()) return {{kNaN, kNaN}, kNaN};
  std::sort(drawn.begin(), drawn.end());
  const auto below = std::count_if(drawn.begin(), drawn.end(), [](double d) { return d <= 0; });
  const auto above = std::count_if(drawn.begin(), drawn.end(), [](double d) { return d >= 0; });
  const double share = static_cast<double>(std::min(below, above) + 1) / (static_cast<double>(drawn.size()) + 1);
  return {percentile_interval(drawn, options.level), std::min(1.0, 2 * share)};
}

}  // namespace clmnet::survival
