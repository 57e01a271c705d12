#pragma once

#include <Eigen/Core>
#include <vector>

namespace clmnet::survival {

/// Columns that are not (within tolerance) a combination of earlier ones, found by a Cholesky factorisation that skips a
/// pivot below tolerance * largest diagonal, as R's coxph does.
std::vector<Eigen::Index> independent_columns(const Eigen::MatrixXd& information, double tolerance = 1.818989e-12);

/// Inverse of a symmetric positive definite matrix; NaN throughout when it is not.
Eigen::MatrixXd symmetric_inverse(const Eigen::MatrixXd& matrix);

/// u' matrix^-1 u.
double quadratic_form_of_inverse(const Eigen::MatrixXd& matrix, const Eigen::VectorXd& u);

}  // namespace clmnet::survival
