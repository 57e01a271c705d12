#include "survival/coordinate_descent.h"

#include <cmath>
#include <stdexcept>

namespace clmnet::survival {
namespace {

constexpr int kMaxRenewals = 100, kMaxSweeps = 1000;
constexpr double kTolerance = 1e-8;

double soft_threshold(double value, double limit) { return value > limit ? value - limit : value < -limit ? value + limit : 0; }

/// Weighted least squares of the current approximation.
class QuadraticStep {
 public:
  QuadraticStep(const Eigen::MatrixXd& x, const Eigen::VectorXd& gradient, const Eigen::VectorXd& curvature,
                const ElasticNet& penalty)
      : x_(x),
        weight_(curvature / static_cast<double>(x.rows())),
        penalty_(penalty),
        residual_(gradient / static_cast<double>(x.rows())) {
    square_ = (x.array().square().colwise() * weight_.array()).colwise().sum();
  }

  /// One pass over the columns (all, or those that are not 0); the largest weighted change.
  double sweep(Eigen::VectorXd& w, double* intercept, bool active_only) {
    double largest = 0;
    for (Eigen::Index j = 0; j < w.size(); ++j) {
      if ((active_only && w[j] == 0) || square_[j] == 0) continue;
      const double old = w[j], pull = x_.col(j).dot(residual_) + square_[j] * old;
      w[j] = soft_threshold(pull, penalty_.lambda * penalty_.mixing) / (square_[j] + penalty_.lambda * (1 - penalty_.mixing));
      const double change = w[j] - old;
      if (change == 0) continue;
      residual_.array() -= change * weight_.array() * x_.col(j).array();
      largest = std::max(largest, square_[j] * change * change);
    }
    if (intercept) {
      const double total = weight_.sum(), change = residual_.sum() / total;
      *intercept += change;
      residual_ -= change * weight_;
      largest = std::max(largest, total * change * change);
    }
    return largest;
  }

 private:
  const Eigen::MatrixXd& x_;
  Eigen::VectorXd weight_;
  ElasticNet penalty_;
  Eigen::VectorXd residual_;  // weight times (working response - fit), of the mean
  Eigen::RowVectorXd square_;
};

}  // namespace

std::vector<double> lambda_path(double largest, int count, double smallest_ratio) {
  if (count < 1 || !(smallest_ratio > 0 && smallest_ratio < 1)) throw std::invalid_argument("lambda_path: bad count or ratio");
  std::vector<double> path;
  for (int k = 0; k < count; ++k) {
    path.push_back(largest * std::pow(smallest_ratio, count > 1 ? static_cast<double>(k) / (count - 1) : 0));
  }
  return path;
}

bool coordinate_descent(const Eigen::MatrixXd& x, const Reweigh& reweigh, const ElasticNet& penalty, Eigen::VectorXd& w,
                        double* intercept) {
  Eigen::VectorXd gradient(x.rows()), curvature(x.rows());
  for (int renewal = 0; renewal < kMaxRenewals; ++renewal) {
    const Eigen::VectorXd eta = (x * w).array() + (intercept ? *intercept : 0.0);
    reweigh(eta, gradient, curvature);
    QuadraticStep step(x, gradient, curvature, penalty);
    const Eigen::VectorXd before = w;
    const double intercept_before = intercept ? *intercept : 0;
    for (int pass = 0; pass < kMaxSweeps; ++pass) {
      if (step.sweep(w, intercept, false) < kTolerance * kTolerance) break;
      for (int inner = 0; inner < kMaxSweeps && step.sweep(w, intercept, true) >= kTolerance * kTolerance; ++inner) {
      }
    }
    const double moved = std::max((w - before).cwiseAbs().maxCoeff(), intercept ? std::abs(*intercept - intercept_before) : 0.0);
    if (!std::isfinite(moved)) return false;
    if (moved < kTolerance) return true;
  }
  return false;
}

}  // namespace clmnet::survival
