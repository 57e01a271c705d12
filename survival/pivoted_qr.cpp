#include "survival/pivoted_qr.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace clmnet::survival {
namespace {

constexpr double kSharpFall = 1e-6;   // of a squared norm: then it is summed anew instead of brought up to date

}  // namespace

PivotedQr::PivotedQr(const Eigen::Ref<const Eigen::MatrixXd>& matrix, double tolerance)
    : factor_(matrix), head_(Eigen::VectorXd::Zero(matrix.cols())), columns_(static_cast<std::size_t>(matrix.cols())) {
  const Eigen::Index n = matrix.rows(), p = matrix.cols();
  std::iota(columns_.begin(), columns_.end(), Eigen::Index{0});
  Eigen::RowVectorXd squares = Eigen::RowVectorXd::Zero(p);
  for (Eigen::Index i = 0; i < n; ++i) squares.array() += factor_.row(i).array().square();
  norm_ = squares.cwiseSqrt().transpose();
  given_norm_ = (norm_.array() == 0).select(1, norm_);
  rank_ = p;
  for (Eigen::Index l = 0; l < std::min(n, p); ++l) {
    while (l < rank_ && norm_[l] < given_norm_[l] * tolerance) move_to_the_end(l);
    if (l + 1 < n) reflect(l);
  }
  rank_ = std::min(rank_, n);
}

void PivotedQr::move_to_the_end(Eigen::Index column) {
  const Eigen::Index p = factor_.cols();
  const auto rotate = [&](auto begin, auto end) { std::rotate(begin, begin + 1, end); };
  for (Eigen::Index i = 0; i < factor_.rows(); ++i) rotate(&factor_(i, column), &factor_(i, 0) + p);
  rotate(norm_.data() + column, norm_.data() + p);
  rotate(given_norm_.data() + column, given_norm_.data() + p);
  rotate(columns_.begin() + column, columns_.end());
  --rank_;
}

/// Takes `column` below its diagonal to 0 and brings the columns after it up to date. Rows are added one after the other.
void PivotedQr::reflect(Eigen::Index column) {
  const Eigen::Index n = factor_.rows(), after = factor_.cols() - column - 1;
  double square = 0;
  for (Eigen::Index i = column; i < n; ++i) square += factor_(i, column) * factor_(i, column);
  if (square == 0) return;
  const double first = factor_(column, column);
  const double signed_norm = first < 0 ? -std::sqrt(square) : std::sqrt(square);
  const double scale = 1 / signed_norm;
  for (Eigen::Index i = column; i < n; ++i) factor_(i, column) *= scale;
  factor_(column, column) += 1;
  const double head = factor_(column, column);
  Eigen::RowVectorXd product = Eigen::RowVectorXd::Zero(after);
  for (Eigen::Index i = column; i < n; ++i) product += factor_(i, column) * factor_.row(i).tail(after);
  product = -product / head;
  for (Eigen::Index i = column; i < n; ++i) factor_.row(i).tail(after) += product * factor_(i, column);
  for (Eigen::Index j = column + 1; j < factor_.cols(); ++j) {
    if (norm_[j] == 0) continue;
    const double share = std::abs(factor_(column, j)) / norm_[j], left = std::max(1 - share * share, 0.0);
    if (left >= kSharpFall) {
      norm_[j] *= std::sqrt(left);
      continue;
    }
    double rest = 0;
    for (Eigen::Index i = column + 1; i < n; ++i) rest += factor_(i, j) * factor_(i, j);
    norm_[j] = std::sqrt(rest);
  }
  head_[column] = head;
  factor_(column, column) = -signed_norm;
}

Eigen::VectorXd PivotedQr::solve(const Eigen::Ref<const Eigen::VectorXd>& right) const {
  const Eigen::Index n = factor_.rows();
  Eigen::VectorXd y = right;
  for (Eigen::Index j = 0; j < std::min(rank_, n - 1); ++j) {
    if (head_[j] == 0) continue;
    double product = head_[j] * y[j];
    for (Eigen::Index i = j + 1; i < n; ++i) product += factor_(i, j) * y[i];
    const double step = -product / head_[j];
    y[j] += step * head_[j];
    for (Eigen::Index i = j + 1; i < n; ++i) y[i] += step * factor_(i, j);
  }
  Eigen::VectorXd coefficient = Eigen::VectorXd::Zero(factor_.cols());
  for (Eigen::Index j = rank_; j-- > 0;) {
    y[j] /= factor_(j, j);
    for (Eigen::Index i = 0; i < j; ++i) y[i] -= y[j] * factor_(i, j);
    coefficient[columns_[static_cast<std::size_t>(j)]] = y[j];
  }
  return coefficient;
}

Eigen::MatrixXd PivotedQr::inverse_of_square() const {
  // R^-1 column by column, then its product with its transpose, both in LAPACK's unblocked order.
  Eigen::MatrixXd inverse = factor_.topLeftCorner(rank_, rank_).triangularView<Eigen::Upper>();
  for (Eigen::Index j = 0; j < rank_; ++j) {
    inverse(j, j) = 1 / inverse(j, j);
    for (Eigen::Index k = 0; k < j; ++k) {
      const double value = inverse(k, j);
      for (Eigen::Index i = 0; i < k; ++i) inverse(i, j) += value * inverse(i, k);
      inverse(k, j) *= inverse(k, k);
    }
    inverse.col(j).head(j) *= -inverse(j, j);
  }
  for (Eigen::Index i = 0; i < rank_; ++i) {
    const double diagonal = inverse(i, i);
    double square = 0;
    for (Eigen::Index k = i; k < rank_; ++k) square += inverse(i, k) * inverse(i, k);
    inverse(i, i) = square;
    inverse.col(i).head(i) *= diagonal;
    for (Eigen::Index k = i + 1; k < rank_; ++k) inverse.col(i).head(i) += inverse(i, k) * inverse.col(k).head(i);
  }
  return inverse.selfadjointView<Eigen::Upper>();
}

}  // namespace clmnet::survival
