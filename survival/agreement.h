#pragma once

#include <string>
#include <vector>

#include <Eigen/Core>

namespace clmnet::survival {

/// How far apart two categories count: nominal (all the same), linear |i - j|, quadratic (i - j)^2.
enum class KappaWeight { unweighted, linear, quadratic };

/// Chance-corrected agreement of two raters. NaN where undefined: kappa when chance agreement is 1 (both raters always gave
/// the same single category), errors with it.
struct Kappa {
  double kappa = 0;
  double std_err = 0;           ///< asymptotic, for intervals (Fleiss, Cohen & Everitt 1969, Psychol Bull 72:323)
  double std_err_null = 0;      ///< asymptotic when the raters are independent, for the test of kappa = 0 (same paper)
  double lower = 0, upper = 0;  ///< kappa -+ z std_err, not cut at 1
  double z = 0, p = 0;          ///< kappa / std_err_null, two-sided
  double observed = 0;          ///< observed (weighted) agreement, 1 = full
  double expected = 0;          ///< agreement expected by chance
  double n = 0;
};

/// Counts [categories, categories] of pairs: row the first rater's category, column the second's.
/// Throws std::invalid_argument when a code is out of range or the sizes differ.
Eigen::MatrixXd agreement_table(const std::vector<int>& first, const std::vector<int>& second, int categories);

/// Cohen 1960, weighted 1968. table [k, k], counts >= 0. Empty categories change nothing. k = 1 or no pair: NaN.
/// Throws std::invalid_argument when the table is not square or has a negative or non-finite count.
Kappa cohen_kappa(const Eigen::MatrixXd& table, KappaWeight weight = KappaWeight::unweighted, double level = 0.95);

/// Agreement of m raters, the same number for each subject (Fleiss 1971); error when ratings are random (Fleiss, Nee &
/// Landis 1979). For two raters this is Scott's pi, not Cohen's kappa.
struct FleissKappa {
  double kappa = 0;
  double std_err_null = 0;
  double z = 0, p = 0;
  double observed = 0, expected = 0;
  int subjects = 0, raters = 0;
};

/// counts [subjects, categories]: how many raters put the subject there. NaN with fewer than 2 raters or no subject, and
/// when all ratings are one category. Throws std::invalid_argument when subjects have different numbers of ratings.
FleissKappa fleiss_kappa(const Eigen::MatrixXd& counts);

/// The share of pairs in which both raters gave the same category, with its intervals.
struct ConcordanceRate {
  double agreeing = 0, n = 0;
  double rate = 0;                            ///< NaN when n = 0, as the limits
  double wilson_lower = 0, wilson_upper = 0;  ///< Wilson 1927, without continuity correction
  double exact_lower = 0, exact_upper = 0;    ///< Clopper & Pearson 1934
};
/// Throws std::invalid_argument unless 0 <= agreeing <= n.
ConcordanceRate concordance_rate(double agreeing, double n, double level = 0.95);
/// Of a table as for cohen_kappa; throws when it is not square.
ConcordanceRate concordance_rate(const Eigen::MatrixXd& table, double level = 0.95);

}  // namespace clmnet::survival
