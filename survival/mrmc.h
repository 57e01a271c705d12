#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <Eigen/Core>

namespace clmnet::survival {

/// A reader study in which every reader reads every case under every treatment (modality): "fully crossed".
struct ReaderStudy {
  std::vector<std::string> treatments, readers;  ///< in the order of make_groups: numbers by value, else by bytes
  std::vector<std::string> cases;
  std::vector<std::uint8_t> diseased;            ///< [cases]
  Eigen::MatrixXd rating;                        ///< [cases, treatments * readers], column t * readers + r; larger = diseased

  Eigen::Index column(std::size_t treatment, std::size_t reader) const {
    return static_cast<Eigen::Index>(treatment * readers.size() + reader);
  }
};

/// One row of a table of ratings.
struct Rating {
  std::string treatment, reader, case_id;
  bool diseased = false;
  double rating = 0;
};

/// Throws std::invalid_argument that names the first combination that is missing or stands twice, a case whose truth
/// differs between rows, a rating that is NaN, or an empty table.
ReaderStudy make_reader_study(const std::vector<Rating>& rows);

/// How the covariance of the areas of two readings is estimated. jackknife: over cases, (n - 1)/n times the centred sum of
/// squares; DeLong et al. 1988 (Biometrics 44:837); unbiased: of the two-sample U-statistic (Gallas 2006, Acad Radiol 13:353).
enum class AucCovariance { jackknife, delong, unbiased };

/// Empirical areas under the ROC curve (Wilcoxon, ties 1/2) [treatments, readers]; NaN without cases of both kinds.
Eigen::MatrixXd reader_auc(const ReaderStudy& study);
/// Their covariance [T * R, T * R]; NaN where a kind has fewer than 2 cases.
Eigen::MatrixXd reader_auc_covariance(const ReaderStudy& study, AucCovariance method);
/// Areas with each case left out [cases, T * R].
Eigen::MatrixXd leave_one_out_auc(const ReaderStudy& study);

/// Jackknife covariance of any figures of merit from their leave-one-out values [cases, T * R].
Eigen::MatrixXd jackknife_covariance(const Eigen::MatrixXd& leave_one_out);

/// A difference between treatments, or one treatment's mean; df is infinite where the normal distribution is used.
struct TreatmentEstimate {
  std::size_t first = 0, second = 0;  ///< positions of the treatments; equal for a single one
  double estimate = 0, std_err = 0, df = 0;
  double t = 0, p = 0;                ///< NaN for a single treatment
  double lower = 0, upper = 0;
  double ms_readers = 0, variance = 0, cov2 = 0;  ///< of a single treatment alone
};

/// One of the three analyses.
struct TreatmentTest {
  double statistic = 0;    ///< F with df1 and df2; for fixed readers chi-squared with df1 (df2 infinite)
  double df1 = 0, df2 = 0;
  double p = 0;
  double denominator = 0;  ///< of F, or of chi-squared / df1
  std::vector<TreatmentEstimate> differences, single;
};

/// Obuchowski & Rockette 1995 (Commun Stat Simul 24:285) with the degrees of freedom of Hillis 2007 (Stat Med 26:596).
/// NaN where undefined: F with one treatment, anything over random readers with one reader, 0 / 0.
struct ObuchowskiRockette {
  Eigen::MatrixXd fom;                ///< [T, R]
  Eigen::VectorXd treatment_means;    ///< [T]
  double ms_t = 0, ms_r = 0, ms_tr = 0;
  double var_error = 0, cov1 = 0, cov2 = 0, cov3 = 0;  ///< same reading; other treatment; other reader; both other
  double var_r = 0, var_tr = 0;       ///< variance components; var_r may be negative
  TreatmentTest random_readers_random_cases, fixed_readers_random_cases, random_readers_fixed_cases;
};

/// fom [T, R], covariance [T * R, T * R]. Throws std::invalid_argument when the sizes do not fit.
ObuchowskiRockette obuchowski_rockette(const Eigen::MatrixXd& fom, const Eigen::MatrixXd& covariance, double level = 0.95);

/// Dorfman, Berbaum & Metz 1992 (Invest Radiol 27:723): mixed analysis of variance of jackknife pseudovalues, with the
/// simplification and degrees of freedom of Hillis et al. 2008 (Acad Radiol 15:647). Readers and cases random.
struct DorfmanBerbaumMetz {
  double ms_t = 0, ms_r = 0, ms_c = 0, ms_tr = 0, ms_tc = 0, ms_rc = 0, ms_trc = 0;
  double var_r = 0, var_c = 0, var_tr = 0, var_tc = 0, var_rc = 0, var_error = 0;
  double f = 0, df1 = 0, df2 = 0, p = 0;
  double df2_satterthwaite = 0;  ///< of the original paper, for comparison with older output
};

/// fom [T, R], leave_one_out [cases, T * R]: pseudovalue n fom - (n - 1) leave_one_out.
DorfmanBerbaumMetz dorfman_berbaum_metz(const Eigen::MatrixXd& fom, const Eigen::MatrixXd& leave_one_out);

}  // namespace clmnet::survival
