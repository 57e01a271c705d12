#pragma once

#include <Eigen/Core>
#include <functional>
#include <vector>

namespace clmnet::survival {

/// lambda * (mixing |w|_1 + (1 - mixing) / 2 |w|^2).
struct ElasticNet {
  double lambda;
  double mixing;  ///< 1 lasso, 0 ridge
};

/// Gradient of the log-likelihood with respect to the linear predictor and minus its second derivative, both n.
using Reweigh = std::function<void(const Eigen::VectorXd& eta, Eigen::VectorXd& gradient, Eigen::VectorXd& curvature)>;

/// Maximises log-likelihood / n - penalty by cyclic coordinate descent on a quadratic approximation that is renewed until the
/// coefficients stay (Friedman, Hastie and Tibshirani 2010; Simon et al. 2011 for Cox). x is standardised; `w` holds the start
/// and then the result; without `intercept` there is none. Returns whether it converged.
bool coordinate_descent(const Eigen::MatrixXd& x, const Reweigh& reweigh, const ElasticNet& penalty, Eigen::VectorXd& w,
                        double* intercept);

/// `count` values from `largest` down to largest * smallest_ratio, evenly spaced in the logarithm.
std::vector<double> lambda_path(double largest, int count, double smallest_ratio);

}  // namespace clmnet::survival
