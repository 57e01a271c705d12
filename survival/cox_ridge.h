#pragma once

#include <Eigen/Core>

#include "survival/cox.h"

namespace clmnet::survival {

/// Ridge Cox regression at one strength: the maximum of l(w) / n - strength |w|^2 / 2, l the log partial likelihood with
/// Efron's ties, covariates standardised with the population deviation (Verweij and van Houwelingen 1994).
struct RidgeCox {
  Eigen::RowVectorXd mean, deviation;   ///< p; constant columns are divided by 1
  Eigen::RowVectorXd coefficient;       ///< p, on the standardised scale
  Baseline baseline;                    ///< cumulative hazard where all standardised covariates are 0
  double log_likelihood = 0;            ///< l(w) of the data it was fitted to
  double largest_gradient = 0;
  bool converged = false;

  /// n x p on the scale of the data -> n: linear predictor on the standardised scale, 0 at the mean of the training data.
  Eigen::VectorXd predict(const Eigen::Ref<const Eigen::MatrixXd>& x) const;
  /// n: probability of an event by `time`.
  Eigen::VectorXd predict_event(const Eigen::Ref<const Eigen::MatrixXd>& x, double time) const;
};

/// x n x p, finite; p may be far above n (the work is then done in the space of the rows: O(n^2 p) once).
/// Throws std::invalid_argument when sizes differ, x is not finite, there is no event or late entry, or strength is not > 0.
RidgeCox fit_ridge_cox(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, double strength);

/// Log partial likelihood (Efron) of any linear predictor.
double log_partial_likelihood(const Eigen::VectorXd& predictor, const Outcome& outcome);

}  // namespace clmnet::survival
