#include "survival/linear_algebra.h"

#include <Eigen/Dense>
#include <limits>

namespace clmnet::survival {

std::vector<Eigen::Index> independent_columns(const Eigen::MatrixXd& information, double tolerance) {
  const Eigen::Index p = information.rows();
  Eigen::MatrixXd rest = information;
  const double smallest = tolerance * (p > 0 ? information.diagonal().maxCoeff() : 0);
  std::vector<Eigen::Index> kept;
  for (Eigen::Index j = 0; j < p; ++j) {
    const double pivot = rest(j, j);
    if (!(pivot > smallest)) continue;
    kept.push_back(j);
    const Eigen::Index after = p - j - 1;
    const Eigen::VectorXd column = rest.col(j).tail(after);
    rest.bottomRightCorner(after, after).noalias() -= column * column.transpose() / pivot;
  }
  return kept;
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
