#include "survival/rank_tests.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

void require_finite_values(const std::vector<double>& values) {
  if (values.empty() || !std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); })) {
    throw std::invalid_argument("a test of location needs at least one value, and finite ones");
  }
}

std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b) {
  require_finite_values(a);
  require_finite_values(b);
  if (a.size() != b.size()) throw std::invalid_argument("a paired test needs vectors of one length");
  std::vector<double> d(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) d[i] = a[i] - b[i];
  return d;
}

// Sum over groups of equal values of t^3 - t.
double tie_term(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (std::size_t begin = 0; begin < values.size();) {
    std::size_t end = begin;
    while (end < values.size() && values[end] == values[begin]) ++end;
    const double t = static_cast<double>(end - begin);
    sum += t * t * t - t;
    begin = end;
  }
  return sum;
}

// min(1, 2 min(P(S <= s), P(S >= s))) for S = the sum of a random half of the ranks: all 2^n signs alike.
// Mid-ranks are multiples of 1/2, so the doubled ranks are whole.
double signed_rank_exact_p(const std::vector<double>& ranks, double statistic) {
  const auto largest = static_cast<std::size_t>(std::lround(2 * std::accumulate(ranks.begin(), ranks.end(), 0.0)));
  std::vector<double> share(largest + 1, 0.0);
  share[0] = 1;
  std::size_t reach = 0;
  for (const double rank : ranks) {
    const auto step = static_cast<std::size_t>(std::lround(2 * rank));
    reach += step;
    for (std::size_t s = reach + 1; s-- > 0;) share[s] = (share[s] + (s >= step ? share[s - step] : 0.0)) / 2;
  }
  const auto seen = static_cast<std::size_t>(std::lround(2 * statistic));
  const double below = std::accumulate(share.begin(), share.begin() + static_cast<std::ptrdiff_t>(seen) + 1, 0.0);
  const double above = std::accumulate(share.begin() + static_cast<std::ptrdiff_t>(seen), share.end(), 0.0);
  return std::min(1.0, 2 * std::min(below, above));
}

// P(U >= u) without ties: ways[u] counts subsets by the recursion over the larger sample's size.
double mann_whitney_upper(int n1, int n2, double u) {
  std::vector<double> ways(static_cast<std::size_t>(n1) * n2 + 1, 0.0);
  ways[0] = 1;
  // The number of partitions of u into at most n1 parts of at most n2: the Gaussian binomial, factor by factor.
  for (int i = 1; i <= n1; ++i) {
    const auto up = static_cast<std::size_t>(n2 + i), down = static_cast<std::size_t>(i);
    for (std::size_t s = ways.size(); s-- > up;) ways[s] -= ways[s - up];
    for (std::size_t s = down; s < ways.size(); ++s) ways[s] += ways[s - down];
  }
  const double total = std::accumulate(ways.begin(), ways.end(), 0.0);
  return std::accumulate(ways.begin() + static_cast<std::ptrdiff_t>(std::ceil(u)), ways.end(), 0.0) / total;
}

}  // namespace

std::vector<double> mid_ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end + 1) / 2;
    begin = end;
  }
  return ranks;
}

LocationTest paired_t(const std::vector<double>& a, const std::vector<double>& b) {
  const auto d = differences(a, b);
  const double n = static_cast<double>(d.size());
  const double mean = std::accumulate(d.begin(), d.end(), 0.0) / n;
  double squares = 0;
  for (const double value : d) squares += (value - mean) * (value - mean);
  LocationTest result{kNaN, kNaN, n - 1, static_cast<int>(d.size()), "Student's t"};
  if (d.size() < 2) return result;
  const double std_err = std::sqrt(squares / (n - 1) / n);
  result.statistic = mean / std_err;   // 0 / 0 where all pairs agree: undefined
  result.p = student_two_sided_p(result.statistic, n - 1);
  return result;
}

LocationTest wilcoxon_signed_rank(const std::vector<double>& a, const std::vector<double>& b) {
  constexpr std::size_t kExact = 50, kExactTied = 13;
  const auto all = differences(a, b);
  std::vector<double> d, size;
  for (const double value : all) {
    if (value == 0) continue;
    d.push_back(value);
    size.push_back(std::abs(value));
  }
  LocationTest result{kNaN, kNaN, kNaN, static_cast<int>(d.size()), "normal approximation"};
  if (d.empty()) {
    if (all.size() > kExactTied) return result;   // the approximation has no variance
    return {0, 1, kNaN, 0, "exact"};              // one way to put signs to nothing, and it was seen
  }
  const auto ranks = mid_ranks(size);
  const double n = static_cast<double>(d.size());
  double plus = 0;
  for (std::size_t i = 0; i < d.size(); ++i) plus += d[i] > 0 ? ranks[i] : 0;
  const double whole = n * (n + 1) / 2;
  result.statistic = std::min(plus, whole - plus);
  const double ties = tie_term(size);
  const bool simple = ties == 0 && d.size() == all.size();
  if (all.size() <= (simple ? kExact : kExactTied)) {
    result.method = "exact";
    result.p = signed_rank_exact_p(ranks, plus);
    return result;
  }
  const double std_err = std::sqrt((n * (n + 1) * (2 * n + 1) - ties / 2) / 24);
  result.p = normal_two_sided_p((plus - whole / 2) / std_err);
  return result;
}

LocationTest mann_whitney(const std::vector<double>& a, const std::vector<double>& b) {
  constexpr std::size_t kExact = 8;
  require_finite_values(a);
  require_finite_values(b);
  std::vector<double> both = a;
  both.insert(both.end(), b.begin(), b.end());
  const auto ranks = mid_ranks(both);
  const double n1 = static_cast<double>(a.size()), n2 = static_cast<double>(b.size()), n = n1 + n2;
  const double rank_sum = std::accumulate(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(a.size()), 0.0);
  LocationTest result{rank_sum - n1 * (n1 + 1) / 2, kNaN, kNaN, static_cast<int>(both.size()), "normal approximation"};
  const double larger = std::max(result.statistic, n1 * n2 - result.statistic);
  const double ties = tie_term(both);
  if (std::min(a.size(), b.size()) <= kExact && ties == 0) {
    result.method = "exact";
    result.p = std::min(1.0, 2 * mann_whitney_upper(static_cast<int>(std::min(a.size(), b.size())),
                                                    static_cast<int>(std::max(a.size(), b.size())), larger));
    return result;
  }
  const double std_err = std::sqrt(n1 * n2 / 12 * (n + 1 - ties / (n * (n - 1))));
  const double z = (larger - n1 * n2 / 2 - 0.5) / std_err;
  result.p = std::isnan(z) ? kNaN : std::min(1.0, 2 * normal_cdf(-z));
  if (std_err == 0) result.p = 1;   // all values are one: no evidence either way
  return result;
}

}  // namespace clmnet::survival
