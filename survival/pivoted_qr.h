#pragma once

#include <Eigen/Core>
#include <vector>

namespace clmnet::survival {

/// Householder QR of n x p, columns from left to right; a column that the earlier ones explain goes to the end (Golub 1965;
/// LINPACK's dqrdc with the pivoting of R's lm and glm). Sums run in their order: where data are separated or columns are
/// combinations of others, rounding decides what remains, and it is that of R with its reference BLAS.
class PivotedQr {
 public:
  /// A column is explained where less than `tolerance` of its norm is left.
  PivotedQr(const Eigen::Ref<const Eigen::MatrixXd>& matrix, double tolerance);

  Eigen::Index rank() const { return rank_; }
  /// The caller's columns in the order of the factor; the first rank() have a coefficient.
  const std::vector<Eigen::Index>& columns() const { return columns_; }
  /// Least squares: p coefficients in the caller's order, 0 beyond the rank. right n.
  Eigen::VectorXd solve(const Eigen::Ref<const Eigen::VectorXd>& right) const;
  /// (R'R)^-1, rank x rank, in the order of columns().
  Eigen::MatrixXd inverse_of_square() const;

 private:
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  void move_to_the_end(Eigen::Index column);
  void reflect(Eigen::Index column);

  RowMajor factor_;               // R above the diagonal and on it, reflections below
  Eigen::VectorXd head_;          // p: first element of each reflection
  Eigen::VectorXd norm_, given_norm_;   // p: what is left of each column, and what it was
  std::vector<Eigen::Index> columns_;
  Eigen::Index rank_ = 0;
};

}  // namespace clmnet::survival
