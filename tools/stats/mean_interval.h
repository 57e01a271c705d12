#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clmnet::tools {

/// Mean of the values that are not NaN; NaN when none is.
double mean_of_defined(const std::vector<double>& values);

/// first less second, value by value; NaN where either is. Both have one length.
std::vector<double> differences(const std::vector<double>& first, const std::vector<double>& second);

/// A measure over images: NaN values are undefined, left out and not counted in n.
struct MeanInterval {
  std::size_t n = 0;
  double mean = 0, sd = 0, median = 0, lower_quartile = 0, upper_quartile = 0;  ///< NaN when n is 0; sd when n is 1
  double lower = 0, upper = 0;   ///< percentile bootstrap of the mean; NaN with fewer than two units
};

/// unit: per value; whole units are drawn. The same result for a seed. Quantiles interpolate linearly.
MeanInterval mean_interval(const std::vector<double>& values, const std::vector<std::string>& unit, int resamples,
                           std::uint64_t seed, double level);

}  // namespace clmnet::tools
