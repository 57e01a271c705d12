#pragma once

#include <vector>

#include <Eigen/Core>

namespace clmnet::survival {

// Agreement and comparison of measurements. Pairs of vectors have equal length >= 1 and hold finite numbers, else
// std::invalid_argument. Where a measure is undefined (a constant column, too few pairs) it is NaN.

/// A correlation with its two-sided p; n is the number of pairs.
struct Correlation {
  double r = 0, p = 0;
  int n = 0;
};
/// Pearson's; p by Student's t with n - 2 degrees of freedom.
Correlation pearson(const std::vector<double>& a, const std::vector<double>& b);
/// Spearman's: Pearson's of mid-ranks, p as there.
Correlation spearman(const std::vector<double>& a, const std::vector<double>& b);
/// Kendall's tau-b; p by the normal approximation with the variance for ties. O(n^2).
Correlation kendall_tau_b(const std::vector<double>& a, const std::vector<double>& b);

/// Lin's concordance correlation 2 s_ab / (s_a^2 + s_b^2 + (mean_a - mean_b)^2) (Biometrics 1989;45:255).
struct ConcordanceCorrelation {
  double moments_n = 0;          ///< with moments divided by n, as Lin
  double moments_n1 = 0;         ///< with moments divided by n - 1
  double lower = 0, upper = 0;   ///< of moments_n, by Fisher's z with Lin's variance (corrected 2000)
  int n = 0;
};
ConcordanceCorrelation lin_ccc(const std::vector<double>& a, const std::vector<double>& b, double level = 0.95);

/// Bland & Altman 1986 (Lancet 1:307): differences a - b.
struct BlandAltman {
  double bias = 0, sd = 0;       ///< mean and standard deviation (n - 1) of the differences
  double loa_lower = 0, loa_upper = 0;   ///< limits of agreement: bias -+ multiplier sd
  double bias_lower = 0, bias_upper = 0; ///< interval of the bias, Student's t
  double loa_std_err = 0;        ///< of either limit: sd sqrt(1/n + multiplier^2 / (2 (n - 1)))
  int n = 0;
};
/// multiplier 1.96 as in the paper (not the quantile 1.959964); level is that of the bias's interval.
BlandAltman bland_altman(const std::vector<double>& a, const std::vector<double>& b, double level = 0.95,
                         double multiplier = 1.96);

/// An intraclass correlation with its interval (F distribution) and the test that it is 0.
struct Icc {
  double value = 0, lower = 0, upper = 0;
  double f = 0, df1 = 0, df2 = 0, p = 0;
};
/// The six forms of Shrout & Fleiss 1979 (Psychol Bull 86:420): ICC(1,1) one-way; ICC(2,1) two-way random, absolute
/// agreement; ICC(3,1) two-way mixed, consistency; (·,k) for the mean of k raters. Intervals as McGraw & Wong 1996.
struct IccTable {
  Icc icc1, icc2, icc3, icc1k, icc2k, icc3k;
  double ms_rows = 0, ms_columns = 0, ms_error = 0, ms_within = 0;
  int subjects = 0, raters = 0;
};
/// values [subjects, raters], complete. Needs 2 of each, else all NaN.
IccTable icc(const Eigen::MatrixXd& values, double level = 0.95);

}  // namespace clmnet::survival
