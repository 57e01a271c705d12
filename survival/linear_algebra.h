#pragma once

#include <Eigen/Core>
#include <vector>

namespace clmnet::survival {

/// L D L' of a symmetric non-negative matrix that leaves out a column whose pivot is below tolerance * largest diagonal: a
/// combination of earlier ones, or one along which a likelihood has gone flat. Tolerance and treatment are those of R's coxph.
class LenientCholesky {
 public:
  explicit LenientCholesky(const Eigen::MatrixXd& matrix, double tolerance = 1.818989e-12);   // 2^-39, R's eps^0.75

  const std::vector<Eigen::Index>& kept() const { return kept_; }
  /// 0 for columns that are left out.
  Eigen::VectorXd solve(const Eigen::VectorXd& right) const;
  /// Rows and columns that are left out are 0.
  Eigen::MatrixXd inverse() const;

 private:
  Eigen::MatrixXd lower_;      // below the diagonal; of a column left out what was there when its turn came
  Eigen::VectorXd diagonal_;   // 0 where left out
  std::vector<Eigen::Index> kept_;
};

/// Gaussian elimination with exchange of rows in the order of LAPACK's dgesv; NaN where the matrix is singular to rounding (its
/// reciprocal condition in the 1-norm is below 2.2e-16), which R's solve refuses. matrix n x n, right n.
Eigen::VectorXd solve_by_elimination(Eigen::MatrixXd matrix, Eigen::VectorXd right);

/// Inverse of a symmetric positive definite matrix; NaN throughout when it is not.
Eigen::MatrixXd symmetric_inverse(const Eigen::MatrixXd& matrix);

/// u' matrix^-1 u.
double quadratic_form_of_inverse(const Eigen::MatrixXd& matrix, const Eigen::VectorXd& u);

}  // namespace clmnet::survival
