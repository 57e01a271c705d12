// The analyses of variance of reader studies, from figures of merit and their covariance or leave-one-out values.
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/mrmc.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

double positive_part(double value) { return std::isnan(value) ? value : std::max(value, 0.0); }

// `times` covariances between readers; with a single reader there are none.
double reader_covariances(double times, double covariance) { return times > 0 ? times * positive_part(covariance) : 0.0; }

void fill_limits(TreatmentEstimate& estimate, double level) {
  const double quantile = student_quantile(1 - (1 - level) / 2, estimate.df);
  estimate.lower = estimate.estimate - quantile * estimate.std_err;
  estimate.upper = estimate.estimate + quantile * estimate.std_err;
}

std::vector<TreatmentEstimate> all_differences(const Eigen::VectorXd& means, double std_err, double df, double level) {
  std::vector<TreatmentEstimate> result;
  for (Eigen::Index a = 0; a < means.size(); ++a) {
    for (Eigen::Index b = a + 1; b < means.size(); ++b) {
      TreatmentEstimate one;
      one.first = static_cast<std::size_t>(a);
      one.second = static_cast<std::size_t>(b);
      one.estimate = means[a] - means[b];
      one.std_err = std_err;
      one.df = df;
      one.t = one.estimate / std_err;
      one.p = student_two_sided_p(one.t, df);
      one.ms_readers = one.variance = one.cov2 = kNaN;
      fill_limits(one, level);
      result.push_back(one);
    }
  }
  return result;
}

// Mean of the covariances between columns (t, r) and (t', r') of one kind.
class CovarianceMeans {
 public:
  CovarianceMeans(const Eigen::MatrixXd& covariance, Eigen::Index treatments, Eigen::Index readers)
      : covariance_(covariance), treatments_(treatments), readers_(readers) {}

  double mean(bool same_treatment, bool same_reader) const {
    double sum = 0, count = 0;
    for (Eigen::Index t = 0; t < treatments_; ++t) {
      for (Eigen::Index u = 0; u < treatments_; ++u) {
        if ((t == u) == same_treatment) add(t, u, same_reader, sum, count);
      }
    }
    return count > 0 ? sum / count : kNaN;
  }
  double within(Eigen::Index treatment, bool same_reader) const {
    double sum = 0, count = 0;
    add(treatment, treatment, same_reader, sum, count);
    return count > 0 ? sum / count : kNaN;
  }

 private:
  void add(Eigen::Index t, Eigen::Index u, bool same_reader, double& sum, double& count) const {
    for (Eigen::Index r = 0; r < readers_; ++r) {
      for (Eigen::Index s = 0; s < readers_; ++s) {
        if ((r == s) != same_reader) continue;
        sum += covariance_(t * readers_ + r, u * readers_ + s);
        ++count;
      }
    }
  }
  const Eigen::MatrixXd& covariance_;
  Eigen::Index treatments_, readers_;
};

struct MeanSquares {
  Eigen::VectorXd treatment_means;
  double t = kNaN, r = kNaN, tr = kNaN;
};

MeanSquares mean_squares(const Eigen::MatrixXd& fom) {
  const double treatments = static_cast<double>(fom.rows()), readers = static_cast<double>(fom.cols());
  MeanSquares ms;
  ms.treatment_means = fom.rowwise().mean();
  const Eigen::RowVectorXd reader_means = fom.colwise().mean();
  const double grand = fom.mean();
  if (treatments > 1) ms.t = readers * (ms.treatment_means.array() - grand).square().sum() / (treatments - 1);
  if (readers > 1) ms.r = treatments * (reader_means.array() - grand).square().sum() / (readers - 1);
  if (treatments > 1 && readers > 1) {
    const Eigen::MatrixXd rest = ((fom.colwise() - ms.treatment_means).rowwise() - reader_means).array() + grand;
    ms.tr = rest.squaredNorm() / ((treatments - 1) * (readers - 1));
  }
  return ms;
}

// Fills the three analyses' single-treatment estimates.
void single_treatments(ObuchowskiRockette& result, const CovarianceMeans& covariance, double level) {
  const Eigen::Index readers = result.fom.cols();
  const double n = static_cast<double>(readers);
  for (Eigen::Index t = 0; t < result.fom.rows(); ++t) {
    TreatmentEstimate one;
    one.first = one.second = static_cast<std::size_t>(t);
    one.estimate = result.treatment_means[t];
    one.t = one.p = kNaN;
    one.ms_readers = readers > 1 ? (result.fom.row(t).array() - one.estimate).square().sum() / (n - 1) : kNaN;
    one.variance = covariance.within(t, true);
    one.cov2 = covariance.within(t, false);
    TreatmentEstimate random = one, fixed_readers = one, fixed_cases = one;
    const double spread = one.ms_readers + reader_covariances(n, one.cov2);
    random.std_err = std::sqrt(spread / n);
    random.df = spread * spread / (one.ms_readers * one.ms_readers / (n - 1));
    fixed_readers.std_err = std::sqrt((one.variance + reader_covariances(n - 1, one.cov2)) / n);
    fixed_readers.df = kInfinity;
    fixed_cases.std_err = std::sqrt(one.ms_readers / n);
    fixed_cases.df = n - 1;
    for (auto* estimate : {&random, &fixed_readers, &fixed_cases}) fill_limits(*estimate, level);
    result.random_readers_random_cases.single.push_back(random);
    result.fixed_readers_random_cases.single.push_back(fixed_readers);
    result.random_readers_fixed_cases.single.push_back(fixed_cases);
  }
}

}  // namespace

ObuchowskiRockette obuchowski_rockette(const Eigen::MatrixXd& fom, const Eigen::MatrixXd& covariance, double level) {
  if (fom.size() == 0 || covariance.rows() != fom.size() || covariance.cols() != fom.size()) {
    throw std::invalid_argument("obuchowski_rockette: the covariance does not fit the figures of merit");
  }
  normal_z(level);   // checks
  const double treatments = static_cast<double>(fom.rows()), readers = static_cast<double>(fom.cols());
  const CovarianceMeans means(covariance, fom.rows(), fom.cols());
  const MeanSquares ms = mean_squares(fom);
  ObuchowskiRockette result;
  result.fom = fom;
  result.treatment_means = ms.treatment_means;
  result.ms_t = ms.t;
  result.ms_r = ms.r;
  result.ms_tr = ms.tr;
  result.var_error = means.mean(true, true);
  result.cov1 = means.mean(false, true);
  result.cov2 = means.mean(true, false);
  result.cov3 = means.mean(false, false);
  const double between = result.cov2 - result.cov3;
  result.var_r = (ms.r - ms.tr) / treatments - result.cov1 + result.cov3;
  result.var_tr = ms.tr - result.var_error + result.cov1 + positive_part(between);

  const double tr_df = (treatments - 1) * (readers - 1);
  auto& random = result.random_readers_random_cases;
  random.denominator = ms.tr + reader_covariances(readers, between);
  random.df1 = treatments - 1;
  random.df2 = random.denominator * random.denominator / (ms.tr * ms.tr / tr_df);
  random.statistic = ms.t / random.denominator;
  random.p = fisher_upper(random.statistic, random.df1, random.df2);
  random.differences = all_differences(ms.treatment_means, std::sqrt(2 / readers * random.denominator), random.df2, level);

  auto& fixed_readers = result.fixed_readers_random_cases;
  fixed_readers.denominator = result.var_error - result.cov1 + reader_covariances(readers - 1, between);
  fixed_readers.df1 = treatments - 1;
  fixed_readers.df2 = kInfinity;
  fixed_readers.statistic = (treatments - 1) * ms.t / fixed_readers.denominator;
  fixed_readers.p = chi_squared_upper(fixed_readers.statistic, fixed_readers.df1);
  fixed_readers.differences =
      all_differences(ms.treatment_means, std::sqrt(2 / readers * fixed_readers.denominator), kInfinity, level);

  auto& fixed_cases = result.random_readers_fixed_cases;
  fixed_cases.denominator = ms.tr;
  fixed_cases.df1 = treatments - 1;
  fixed_cases.df2 = tr_df;
  fixed_cases.statistic = ms.t / ms.tr;
  fixed_cases.p = fisher_upper(fixed_cases.statistic, fixed_cases.df1, tr_df);
  fixed_cases.differences = all_differences(ms.treatment_means, std::sqrt(2 / readers * ms.tr), tr_df, level);

  single_treatments(result, means, level);
  return result;
}

DorfmanBerbaumMetz dorfman_berbaum_metz(const Eigen::MatrixXd& fom, const Eigen::MatrixXd& leave_one_out) {
  if (fom.size() == 0 || leave_one_out.cols() != fom.size() || leave_one_out.rows() == 0) {
    throw std::invalid_argument("dorfman_berbaum_metz: leave-one-out values do not fit the figures of merit");
  }
  const Eigen::Index treatments = fom.rows(), readers = fom.cols(), cases = leave_one_out.rows();
  const double t = static_cast<double>(treatments), r = static_cast<double>(readers), c = static_cast<double>(cases);
  Eigen::MatrixXd pseudo(cases, fom.size());
  for (Eigen::Index i = 0; i < treatments; ++i) {
    for (Eigen::Index j = 0; j < readers; ++j) {
      const Eigen::Index column = i * readers + j;
      pseudo.col(column) = c * fom(i, j) - (c - 1) * leave_one_out.col(column).array();
    }
  }
  const double grand = pseudo.mean();
  Eigen::MatrixXd by_tc = Eigen::MatrixXd::Zero(cases, treatments), by_rc = Eigen::MatrixXd::Zero(cases, readers);
  for (Eigen::Index i = 0; i < treatments; ++i) by_tc.col(i) = pseudo.middleCols(i * readers, readers).rowwise().mean();
  for (Eigen::Index j = 0; j < readers; ++j) {
    for (Eigen::Index i = 0; i < treatments; ++i) by_rc.col(j) += pseudo.col(i * readers + j) / t;
  }
  const Eigen::RowVectorXd by_tr = pseudo.colwise().mean(), by_t = by_tc.colwise().mean(), by_r = by_rc.colwise().mean();
  const Eigen::VectorXd by_c = pseudo.rowwise().mean();
  DorfmanBerbaumMetz result;
  result.ms_t = r * c * (by_t.array() - grand).square().sum() / (t - 1);
  result.ms_r = t * c * (by_r.array() - grand).square().sum() / (r - 1);
  result.ms_c = t * r * (by_c.array() - grand).square().sum() / (c - 1);
  double tr = 0, trc = 0;
  for (Eigen::Index i = 0; i < treatments; ++i) {
    for (Eigen::Index j = 0; j < readers; ++j) {
      const Eigen::Index column = i * readers + j;
      tr += std::pow(by_tr[column] - by_t[i] - by_r[j] + grand, 2);
      const double level_of_reading = by_tr[column] - by_t[i] - by_r[j] + grand;
      trc += ((pseudo.col(column) - by_tc.col(i) - by_rc.col(j) + by_c).array() - level_of_reading).square().sum();
    }
  }
  result.ms_tr = c * tr / ((t - 1) * (r - 1));
  result.ms_tc = r * (((by_tc.colwise() - by_c).rowwise() - by_t).array() + grand).square().sum() / ((t - 1) * (c - 1));
  result.ms_rc = t * (((by_rc.colwise() - by_c).rowwise() - by_r).array() + grand).square().sum() / ((r - 1) * (c - 1));
  result.ms_trc = trc / ((t - 1) * (r - 1) * (c - 1));
  result.var_r = (result.ms_r - result.ms_tr - result.ms_rc + result.ms_trc) / (t * c);
  result.var_c = (result.ms_c - result.ms_tc - result.ms_rc + result.ms_trc) / (t * r);
  result.var_tr = (result.ms_tr - result.ms_trc) / c;
  result.var_tc = (result.ms_tc - result.ms_trc) / r;
  result.var_rc = (result.ms_rc - result.ms_trc) / t;
  result.var_error = result.ms_trc;
  const double denominator = result.ms_tr + positive_part(result.ms_tc - result.ms_trc);
  const double tr_df = (t - 1) * (r - 1);
  result.f = result.ms_t / denominator;
  result.df1 = t - 1;
  result.df2 = denominator * denominator / (result.ms_tr * result.ms_tr / tr_df);
  result.p = fisher_upper(result.f, result.df1, result.df2);
  const double original = result.ms_tr + result.ms_tc - result.ms_trc;
  result.df2_satterthwaite =
      original * original / (result.ms_tr * result.ms_tr / tr_df + result.ms_tc * result.ms_tc / ((t - 1) * (c - 1)) +
                             result.ms_trc * result.ms_trc / (tr_df * (c - 1)));
  return result;
}

}  // namespace clmnet::survival
