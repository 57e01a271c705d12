#include "survival/linear_algebra.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

namespace clmnet::survival {

LenientCholesky::LenientCholesky(const Eigen::MatrixXd& matrix, double tolerance)
    : lower_(matrix), diagonal_(Eigen::VectorXd::Zero(matrix.rows())) {
  const Eigen::Index p = matrix.rows();
  const double largest = p > 0 ? std::max(0.0, matrix.diagonal().maxCoeff()) : 0;
  const double smallest = largest > 0 ? tolerance * largest : tolerance;
  for (Eigen::Index j = 0; j < p; ++j) {
    const double pivot = lower_(j, j);
    if (!std::isfinite(pivot) || pivot < smallest) continue;
    kept_.push_back(j);
    diagonal_[j] = pivot;
    const Eigen::Index after = p - j - 1;
    const Eigen::VectorXd column = lower_.col(j).tail(after);
    lower_.bottomRightCorner(after, after).noalias() -= column * column.transpose() / pivot;
    lower_.col(j).tail(after) = column / pivot;
  }
}

Eigen::VectorXd LenientCholesky::solve(const Eigen::VectorXd& right) const {
  const Eigen::Index p = diagonal_.size();
  Eigen::VectorXd y = lower_.triangularView<Eigen::UnitLower>().solve(right);
  for (Eigen::Index j = p; j-- > 0;) {
    y[j] = diagonal_[j] > 0 ? y[j] / diagonal_[j] - lower_.col(j).tail(p - j - 1).dot(y.tail(p - j - 1)) : 0;
  }
  return y;
}

Eigen::MatrixXd LenientCholesky::inverse() const {
  const auto rank = static_cast<Eigen::Index>(kept_.size());
  const Eigen::MatrixXd lower = lower_(kept_, kept_);
  const Eigen::MatrixXd root = lower.triangularView<Eigen::UnitLower>().solve(Eigen::MatrixXd::Identity(rank, rank));
  Eigen::MatrixXd inverse = Eigen::MatrixXd::Zero(diagonal_.size(), diagonal_.size());
  inverse(kept_, kept_) = root.transpose() * diagonal_(kept_).cwiseInverse().asDiagonal() * root;
  return inverse;
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
