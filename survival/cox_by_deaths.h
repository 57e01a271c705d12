#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "survival/cox_likelihood.h"

namespace clmnet::survival {

/// Cox's partial likelihood without late entry, summed death by death in the order of coxph's C code (survival 3.5-3), to its
/// last bit. A likelihood that has no maximum (separated or wide data) goes flat in some direction; there the information is what
/// rounding leaves of it, and only the same rounding ends where R ends. Costs O(n p^2) per evaluation with nothing saved, so it
/// is for small data; CoxLikelihood is for any.
class CoxByDeaths {
 public:
  /// No late entry, and an evaluation takes milliseconds.
  static bool suits(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome);

  /// As CoxLikelihood, x on the scale of the data.
  CoxByDeaths(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const Groups* strata, CoxTies ties);

  /// At the coefficients `beta` of the scaled columns; those of the data are beta * scale().
  CoxLikelihood::Value evaluate(const Eigen::VectorXd& beta) const;

  /// One over a column's mean distance from its mean; 1 where it has only -1, 0 and 1, or is constant.
  const Eigen::RowVectorXd& scale() const { return scale_; }
  Eigen::Index covariates() const { return x_.cols(); }

 private:
  RowMatrix x_;                       // sorted by stratum and time, centred and scaled
  std::vector<double> time_;
  std::vector<std::uint8_t> event_;
  std::vector<std::uint32_t> stratum_;
  Eigen::RowVectorXd scale_;
  CoxTies ties_;
};

/// A covariate of only -1, 0 and 1, which R's coxph neither centres nor scales.
bool only_signs(const Eigen::Ref<const Eigen::VectorXd>& column);

/// The mean of a column whose values are added one after the other.
double ordered_mean(const Eigen::Ref<const Eigen::VectorXd>& column);

/// Score and information of covariates and of the same times g(time), for cox.zph.
struct TimedScore {
  Eigen::VectorXd gradient;       ///< p, of the covariates times g
  Eigen::MatrixXd information;    ///< 2p x 2p, the covariates first
};

/// Summed in the order of cox.zph's C code, and as CoxByDeaths for small data without late entry. predictor n, at which the hazards
/// are; g n, by subject, 0 on average over the deaths.
TimedScore timed_score(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const Groups* strata, CoxTies ties,
                       const Eigen::VectorXd& predictor, const std::vector<double>& g);

}  // namespace clmnet::survival
