#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "survival/groups.h"
#include "survival/outcome.h"

namespace clmnet::survival {

/// How deaths at one time share the risk set. R's coxph takes Efron, scikit-survival Breslow.
enum class CoxTies { efron, breslow };

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Cox's partial likelihood of n subjects and p covariates, sorted once by stratum and time.
/// Rows are those of the sorted data; `order` maps them to the caller's. Used by fitting, residuals and penalised paths.
class CoxLikelihood {
 public:
  struct Value {
    double log_likelihood = 0;
    Eigen::VectorXd gradient;      ///< p
    Eigen::MatrixXd information;   ///< p x p, minus the second derivative; empty unless asked for
  };

  /// x n x p. Merges times that drift. Sizes must agree; nothing is checked here.
  CoxLikelihood(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const Groups* strata, CoxTies ties);

  /// With `weight_of_block` (one per block) every death of a block counts that much, also negative: for tests of
  /// proportional hazards.
  Value evaluate(const Eigen::VectorXd& beta, bool with_information, const std::vector<double>* weight_of_block = nullptr) const;
  /// d l / d eta and -d2 l / d eta_i2 of the linear predictor itself, sorted rows; for coordinate descent. Not with late entry.
  double evaluate_predictor(const Eigen::VectorXd& eta, Eigen::VectorXd* gradient, Eigen::VectorXd* curvature) const;

  /// All deaths of one stratum at one time. Breslow uses the whole risk set for each; Efron takes l/d of the deaths out
  /// before the (l+1)-th.
  struct DeathTime {
    Eigen::Index begin, end;       ///< sorted rows that leave at this time; deaths come first
    Eigen::Index deaths;
    double time;
    std::uint32_t stratum;
    double hazard;                 ///< sum over deaths l of 1 / (S0 - f_l D0)
    double hazard_of_dying;        ///< the same with 1 - f_l: what the dying themselves are exposed to
    Eigen::VectorXd mean;          ///< mean over the deaths of the risk sets' mean covariates
  };
  /// Forwards in time within each stratum; `eta` by sorted row.
  std::vector<DeathTime> death_times(const Eigen::VectorXd& eta, bool with_means) const;

  Eigen::Index size() const { return x_.rows(); }
  Eigen::Index covariates() const { return x_.cols(); }
  const RowMatrix& x() const { return x_; }                           ///< sorted and centred
  const Eigen::RowVectorXd& center() const { return center_; }
  const std::vector<std::uint32_t>& order() const { return order_; }  ///< sorted row -> caller's row
  const std::vector<double>& time() const { return time_; }
  const std::vector<double>& entry() const { return entry_; }         ///< by sorted row; empty without late entry
  const std::vector<std::uint8_t>& event() const { return event_; }
  const std::vector<std::uint32_t>& stratum() const { return stratum_; }
  CoxTies ties() const { return ties_; }
  std::size_t events() const { return events_; }

  /// Rows [begin, end) that share stratum and time, forwards.
  struct Block {
    Eigen::Index begin, end, deaths;
  };
  const std::vector<Block>& blocks() const { return blocks_; }

  /// exp(eta - shift); the shift of a stratum is 0 unless exp(eta) would overflow.
  Eigen::ArrayXd relative_risk(const Eigen::VectorXd& eta, std::vector<double>& shift_of_stratum) const;

  /// Per sorted row what it was exposed to: block by block `hazard`, for the dying less `spared` of their own block.
  Eigen::ArrayXd exposure_to(const std::vector<double>& hazard, const std::vector<double>& spared) const;

 private:
  struct Sweep;  // see cox_likelihood.cpp
  bool starts_stratum(std::size_t block) const;

  RowMatrix x_;
  Eigen::RowVectorXd center_;
  std::vector<std::uint32_t> order_;
  std::vector<double> time_, entry_;
  std::vector<std::uint8_t> event_;
  std::vector<std::uint32_t> stratum_, by_entry_;
  std::vector<Block> blocks_;
  std::size_t strata_ = 1, events_ = 0;
  CoxTies ties_;
};

}  // namespace clmnet::survival
