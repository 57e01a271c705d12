#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace clmnet::survival {

/// Positions that put finite `values` in ascending order; equal values keep their order. Fewer than 2^32 values.
/// A radix sort on the bits: linear in n, about ten times as fast as a comparison sort of a million doubles.
std::vector<std::uint32_t> ascending_order(std::span<const double> values);

/// Times in ascending order with rounding differences closed (see merge_close_times), and where each came from.
struct SortedTimes {
  std::vector<std::uint32_t> order;  ///< n positions in the input
  std::vector<double> time;          ///< n merged times, ascending
};
SortedTimes sort_and_merge(std::span<const double> times);

/// Quantile of ascending values, at least one, interpolated between neighbours (numpy's linear, R's type 7). p in [0,1].
double linear_quantile(const std::vector<double>& sorted, double p);

}  // namespace clmnet::survival
