#include "survival/linear_algebra.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

namespace clmnet::survival {

// The order of the operations below is that of coxph's C code: where a likelihood has no maximum, their rounding decides where
// Newton's method is left.
LenientCholesky::LenientCholesky(const Eigen::MatrixXd& matrix, double tolerance)
    : lower_(matrix), diagonal_(Eigen::VectorXd::Zero(matrix.rows())) {
  const Eigen::Index p = matrix.rows();
  double largest = 0;
  for (Eigen::Index j = 0; j < p; ++j) {
    if (matrix(j, j) > largest) largest = matrix(j, j);
  }
  const double smallest = largest > 0 ? tolerance * largest : tolerance;
  for (Eigen::Index i = 0; i < p; ++i) {
    const double pivot = lower_(i, i);
    if (!std::isfinite(pivot) || pivot < smallest) continue;
    kept_.push_back(i);
    diagonal_[i] = pivot;
    for (Eigen::Index j = i + 1; j < p; ++j) {
      const double factor = lower_(j, i) / pivot;
      lower_(j, i) = factor;
      lower_(j, j) -= factor * factor * pivot;
      const Eigen::Index after = p - j - 1;
      lower_.col(j).tail(after) -= factor * lower_.col(i).tail(after);
    }
  }
}

Eigen::VectorXd LenientCholesky::solve(const Eigen::VectorXd& right) const {
  const Eigen::Index p = diagonal_.size();
  Eigen::VectorXd y = right;
  for (Eigen::Index j = 0; j < p; ++j) y.tail(p - j - 1) -= y[j] * lower_.col(j).tail(p - j - 1);
  for (Eigen::Index j = p; j-- > 0;) {
    if (diagonal_[j] > 0) {
      y[j] /= diagonal_[j];
      for (Eigen::Index k = j + 1; k < p; ++k) y[j] -= y[k] * lower_(k, j);
    } else {
      y[j] = 0;
    }
  }
  return y;
}

Eigen::MatrixXd LenientCholesky::inverse() const {
  const Eigen::Index p = diagonal_.size();
  Eigen::MatrixXd root = lower_;   // becomes the inverse of the lower factor
  for (Eigen::Index i = 0; i < p; ++i) {
    if (!(diagonal_[i] > 0)) continue;
    for (Eigen::Index j = i + 1; j < p; ++j) {
      root(j, i) = -root(j, i);
      for (Eigen::Index k = 0; k < i; ++k) root(j, k) += root(j, i) * root(i, k);
    }
  }
  Eigen::MatrixXd inverse = Eigen::MatrixXd::Zero(p, p);
  for (const Eigen::Index i : kept_) {
    inverse(i, i) = 1 / diagonal_[i];
    for (Eigen::Index j = i + 1; j < p; ++j) {
      if (!(diagonal_[j] > 0)) continue;
      const double product = root(j, i) * (1 / diagonal_[j]);
      inverse(i, j) = product;
      for (Eigen::Index k = i; k < j; ++k) inverse(i, k) += product * root(j, k);
    }
  }
  return inverse.selfadjointView<Eigen::Upper>();
}

Eigen::VectorXd solve_by_elimination(Eigen::MatrixXd matrix, Eigen::VectorXd right) {
  const Eigen::Index n = matrix.rows();
  const double norm = matrix.cwiseAbs().colwise().sum().maxCoeff();
  Eigen::MatrixXd inverse = Eigen::MatrixXd::Identity(n, n);   // beside `right`, for the condition
  for (Eigen::Index k = 0; k < n; ++k) {
    Eigen::Index pivot = k;
    for (Eigen::Index i = k + 1; i < n; ++i) {
      if (std::abs(matrix(i, k)) > std::abs(matrix(pivot, k))) pivot = i;
    }
    matrix.row(k).swap(matrix.row(pivot));
    inverse.row(k).swap(inverse.row(pivot));
    std::swap(right[k], right[pivot]);
    const Eigen::Index below = n - k - 1;
    matrix.col(k).tail(below) *= 1 / matrix(k, k);
    for (Eigen::Index j = k + 1; j < n; ++j) matrix.col(j).tail(below) -= matrix(k, j) * matrix.col(k).tail(below);
    for (Eigen::Index j = 0; j < n; ++j) inverse.col(j).tail(below) -= inverse(k, j) * matrix.col(k).tail(below);
    right.tail(below) -= right[k] * matrix.col(k).tail(below);
  }
  const auto substitute = [&](auto&& column) {
    for (Eigen::Index k = n; k-- > 0;) {
      column[k] /= matrix(k, k);
      column.head(k) -= column[k] * matrix.col(k).head(k);
    }
  };
  substitute(right);
  for (Eigen::Index j = 0; j < n; ++j) substitute(inverse.col(j));
  const double condition = norm * inverse.cwiseAbs().colwise().sum().maxCoeff();
  if (!(condition * std::numeric_limits<double>::epsilon() <= 1)) right.setConstant(std::numeric_limits<double>::quiet_NaN());
  return right;
}

Eigen::MatrixXd symmetric_inverse(const Eigen::MatrixXd& matrix) {
  const Eigen::LDLT<Eigen::MatrixXd> factor(matrix);
  if (factor.info() != Eigen::Success || !(factor.vectorD().minCoeff() > 0)) {
    return Eigen::MatrixXd::Constant(matrix.rows(), matrix.cols(), std::numeric_limits<double>::quiet_NaN());
  }
  const Eigen::MatrixXd inverse = factor.solve(Eigen::MatrixXd::Identity(matrix.rows(), matrix.cols()));
  return 0.5 * (inverse + inverse.transpose());
}

double quadratic_form_of_inverse(const Eigen::MatrixXd& matrix, const Eigen::VectorXd& u) {
  if (u.size() == 0) return std::numeric_limits<double>::quiet_NaN();
  const Eigen::LDLT<Eigen::MatrixXd> factor(matrix);
  if (factor.info() != Eigen::Success) return std::numeric_limits<double>::quiet_NaN();
  return u.dot(factor.solve(u));
}

}  // namespace clmnet::survival
