#include "tools/stats/mean_interval.h"

#include <cmath>
#include <limits>
#include <map>

#include "survival/random.h"
#include "survival/segmentation.h"

namespace clmnet::tools {

double mean_of_defined(const std::vector<double>& values) {
  double sum = 0, count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

std::vector<double> differences(const std::vector<double>& first, const std::vector<double>& second) {
  std::vector<double> list;
  for (std::size_t i = 0; i < first.size(); ++i) list.push_back(first[i] - second[i]);
  return list;
}

MeanInterval mean_interval(const std::vector<double>& values, const std::vector<std::string>& unit, int resamples,
                           std::uint64_t seed, double level) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  struct Sum {
    double total = 0, count = 0;
  };
  std::map<std::string, Sum> by_unit;
  std::vector<double> defined;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    defined.push_back(values[i]);
    by_unit[unit[i]].total += values[i];
    by_unit[unit[i]].count += 1;
  }
  MeanInterval result;
  result.n = defined.size();
  result.median = survival::percentile(defined, 50);
  result.lower_quartile = survival::percentile(defined, 25);
  result.upper_quartile = survival::percentile(defined, 75);
  result.mean = result.sd = result.lower = result.upper = nan;
  if (defined.empty()) return result;
  double sum = 0, squares = 0;
  for (const double value : defined) sum += value;
  result.mean = sum / static_cast<double>(result.n);
  for (const double value : defined) squares += (value - result.mean) * (value - result.mean);
  if (result.n > 1) result.sd = std::sqrt(squares / (static_cast<double>(result.n) - 1));
  if (by_unit.size() < 2) return result;
  std::vector<Sum> units;
  for (const auto& [name, own] : by_unit) units.push_back(own);
  survival::Random random(seed);
  std::vector<double> drawn;
  for (int k = 0; k < resamples; ++k) {
    Sum total;
    for (std::size_t i = 0; i < units.size(); ++i) {
      const Sum& one = units[random.below(static_cast<std::uint32_t>(units.size()))];
      total.total += one.total;
      total.count += one.count;
    }
    drawn.push_back(total.total / total.count);
  }
  result.lower = survival::percentile(drawn, 100 * (0.5 - level / 2));
  result.upper = survival::percentile(drawn, 100 * (0.5 + level / 2));
  return result;
}

}  // namespace clmnet::tools
