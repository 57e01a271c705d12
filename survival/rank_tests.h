#pragma once

#include <string>
#include <vector>

namespace clmnet::survival {

/// Mid-ranks from 1; equal values share the mean of their ranks.
std::vector<double> mid_ranks(const std::vector<double>& values);

/// A test of location; NaN where undefined. Vectors hold finite numbers, else std::invalid_argument.
struct LocationTest {
  double statistic = 0;
  double p = 0;          ///< two-sided
  double df = 0;         ///< of Student's t, else NaN
  int n = 0;             ///< what counted: pairs, pairs that differ, or both samples together
  std::string method;    ///< "exact" or "normal approximation", "Student's t"
};

/// Student's t of paired differences a - b.
LocationTest paired_t(const std::vector<double>& a, const std::vector<double>& b);

/// Wilcoxon's signed ranks of a - b; pairs without a difference are left out (Wilcoxon 1945), statistic min(R+, R-).
/// Exact for up to 50 pairs without ties and zeros, and with them for up to 13 pairs; else the normal approximation with
/// the variance for ties and without continuity correction (the choices of scipy.stats.wilcoxon).
LocationTest wilcoxon_signed_rank(const std::vector<double>& a, const std::vector<double>& b);

/// Mann-Whitney's U of the first sample. Exact where the smaller sample has up to 8 values and there are no ties; else the
/// normal approximation with the variance for ties and continuity correction (the choices of scipy.stats.mannwhitneyu).
LocationTest mann_whitney(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace clmnet::survival
