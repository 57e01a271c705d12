#pragma once

#include <Eigen/Core>
#include <cmath>

namespace clmnet::survival {

/// Columns with mean 0 and population deviation 1; a constant column is divided by 1.
struct Standardised {
  Eigen::MatrixXd x;
  Eigen::RowVectorXd mean, deviation;
};

inline Standardised standardise(const Eigen::Ref<const Eigen::MatrixXd>& x) {
  Standardised result;
  result.mean = x.colwise().mean();
  result.x = x.rowwise() - result.mean;
  result.deviation = (result.x.colwise().squaredNorm() / static_cast<double>(x.rows())).cwiseSqrt();
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    // What rounding leaves of a constant column is not a deviation.
    if (!(result.deviation[j] > 1e-14 * std::abs(result.mean[j]))) result.deviation[j] = 1;
    result.x.col(j) /= result.deviation[j];
  }
  return result;
}

}  // namespace clmnet::survival
