#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "survival/kaplan_meier.h"
#include "survival/test_result.h"

namespace clmnet::survival {

struct LogisticOptions {
  Eigen::VectorXd weights;   ///< empty or n, >= 0: how often a row counts
  Eigen::VectorXd offset;    ///< empty or n: part of the linear predictor with coefficient 1
  int max_iterations = 25;
  /// Relative change of the deviance that ends the iterations, as R's glm; above 1e-12 then polished. A column is a combination of
  /// earlier ones where less than a thousandth of it, at most 1e-7, is left of the column's norm.
  double tolerance = 1e-8;
};

/// Logistic regression without penalty, by iteratively reweighted least squares (McCullagh and Nelder 1989), in the order of R's
/// glm: data without a maximum end at its numbers. A fit that does not converge and has twice the deviance of no fit is done again
/// with steps halved where the deviance rises.
/// Coefficient 0 is the intercept, the covariates follow.
struct LogisticModel {
  Eigen::VectorXd coefficient;  ///< 1 + p; NaN where a covariate is constant or a combination of earlier ones
  Eigen::VectorXd std_err;
  Eigen::MatrixXd covariance;
  Eigen::VectorXd fitted;       ///< n probabilities
  double deviance = 0, null_deviance = 0, log_likelihood = 0;
  TestResult likelihood_ratio;  ///< against the intercept alone
  std::size_t n = 0;
  int iterations = 0;
  bool converged = false;
  bool separated = false;       ///< some fitted probability is 0 or 1 within 1e-8: coefficients run away, errors mean nothing

  int df() const;
  double aic() const { return deviance + 2 * df(); }
  Eigen::VectorXd z() const;
  Eigen::VectorXd p_value() const;
  Interval wald_interval(Eigen::Index coefficient_index, double level) const;
};

/// x n x p (p may be 0), label n of 0 and 1.
/// Throws std::invalid_argument when sizes differ, x is not finite, a label is not 0 or 1 or a weight is negative.
LogisticModel fit_logistic(const Eigen::Ref<const Eigen::MatrixXd>& x, const std::vector<std::uint8_t>& label,
                           const LogisticOptions& options = {});

/// Interval of one coefficient from the profile likelihood: where twice the drop of the log-likelihood is chi-squared's
/// quantile (Venables and Ripley 2002). A limit that is never reached is infinite; NaN for a coefficient that is NaN.
Interval profile_interval(const LogisticModel& model, Eigen::Index coefficient_index, const Eigen::Ref<const Eigen::MatrixXd>& x,
                          const std::vector<std::uint8_t>& label, const LogisticOptions& options, double level);

/// The same limits as R's confint prints them: a cubic spline through the profile at steps of a fifth of its range, read off
/// linearly at three times as many points (MASS, Venables and Ripley 2002). They differ from the exact ones in the fifth digit.
Interval profile_interval_by_spline(const LogisticModel& model, Eigen::Index coefficient_index,
                                    const Eigen::Ref<const Eigen::MatrixXd>& x, const std::vector<std::uint8_t>& label,
                                    const LogisticOptions& options, double level);

/// Goodness of fit by groups of the ranked fitted probabilities (ties by position), equal in width of rank as R's cut does
/// (Hosmer and Lemeshow 1980); df = groups - 2.
TestResult hosmer_lemeshow(const Eigen::VectorXd& fitted, const std::vector<std::uint8_t>& label, int groups = 10);

}  // namespace clmnet::survival
