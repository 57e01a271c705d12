#include "survival/sorting.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace clmnet::survival {
namespace {

constexpr int kDigitBits = 11;
constexpr int kDigits = 6;  // 6 x 11 bits cover 64
constexpr std::size_t kBuckets = std::size_t{1} << kDigitBits;
constexpr std::size_t kSmall = 512;

struct Record {
  std::uint64_t key;
  std::uint32_t index;
};

/// Unsigned integers in the order of the doubles: positive ones get the sign bit, negative ones are inverted.
/// Adding 0.0 makes the two zeros one.
std::uint64_t ordered_bits(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value + 0.0);
  return (bits >> 63) != 0 ? ~bits : bits | (std::uint64_t{1} << 63);
}

std::size_t digit_of(std::uint64_t key, int digit) { return (key >> (digit * kDigitBits)) & (kBuckets - 1); }

}  // namespace

std::vector<std::uint32_t> ascending_order(std::span<const double> values) {
  const std::size_t n = values.size();
  if (n > 0xFFFFFFFFu) throw std::invalid_argument("ascending_order: more than 2^32 values");
  std::vector<std::uint32_t> order(n);
  if (n <= kSmall) {
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return values[a] < values[b]; });
    return order;
  }
  std::vector<Record> from(n), to(n);
  std::vector<std::array<std::uint32_t, kBuckets>> counts(kDigits);
  for (auto& histogram : counts) histogram.fill(0);
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t key = ordered_bits(values[i]);
    from[i] = {key, static_cast<std::uint32_t>(i)};
    for (int digit = 0; digit < kDigits; ++digit) ++counts[static_cast<std::size_t>(digit)][digit_of(key, digit)];
  }
  for (int digit = 0; digit < kDigits; ++digit) {
    auto& histogram = counts[static_cast<std::size_t>(digit)];
    if (histogram[digit_of(from[0].key, digit)] == n) continue;  // all share this digit
    std::uint32_t start = 0;
    for (auto& count : histogram) start += std::exchange(count, start);
    for (const Record& record : from) to[histogram[digit_of(record.key, digit)]++] = record;
    from.swap(to);
  }
  for (std::size_t i = 0; i < n; ++i) order[i] = from[i].index;
  return order;
}

SortedTimes sort_and_merge(std::span<const double> times) {
  SortedTimes sorted{ascending_order(times), std::vector<double>(times.size())};
  if (times.empty()) return sorted;
  for (std::size_t i = 0; i < times.size(); ++i) sorted.time[i] = times[sorted.order[i]];
  // The mean is over distinct times, as R takes it.
  double sum = 0;
  std::size_t distinct = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (i > 0 && sorted.time[i] == sorted.time[i - 1]) continue;
    sum += std::abs(sorted.time[i]);
    ++distinct;
  }
  const double tolerance = std::ldexp(1.0, -26);
  const double mean = sum / static_cast<double>(distinct);
  double previous = sorted.time[0], kept = sorted.time[0];
  for (double& time : sorted.time) {
    const double gap = time - previous;
    previous = time;
    if (gap > tolerance && !(gap / mean <= tolerance)) kept = time;
    time = kept;
  }
  return sorted;
}

double linear_quantile(const std::vector<double>& sorted, double p) {
  const double position = p * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(position);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (position - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

}  // namespace clmnet::survival
