#pragma once

#include <Eigen/Core>
#include <optional>
#include <vector>

#include "survival/cox.h"
#include "survival/groups.h"
#include "survival/outcome.h"

namespace clmnet::survival {

struct CoxPathOptions {
  double mixing = 0;                ///< 0 ridge, 1 lasso, between them the elastic net
  int lambdas = 50;                 ///< length of the path, when `lambda` is empty
  double smallest_ratio = 0;        ///< last lambda over the first; 0: 0.01 with fewer subjects than features, else 0.0001
  std::vector<double> lambda = {};  ///< own path, positive and descending
  std::optional<Groups> strata;     ///< own baseline hazard each
};

/// Penalised Cox regression along a path of penalties, as glmnet defines it (Simon et al. 2011, J Stat Softw 39:5):
/// maximises log-likelihood / n - lambda (mixing |w|_1 + (1 - mixing) / 2 |w|^2) with Breslow's ties, w on columns with mean 0
/// and population deviation 1 (constant columns divided by 1). Each fit starts from the one before.
struct CoxPath {
  Eigen::RowVectorXd mean, deviation;   ///< p, of the columns
  std::vector<double> lambda;           ///< descending
  Eigen::MatrixXd coefficient;          ///< p x lambdas, on the scale of the data
  std::vector<double> log_likelihood;   ///< lambdas
  double log_likelihood_null = 0;
  std::vector<bool> converged;          ///< lambdas

  /// Features with a coefficient other than 0 at place k of the path.
  Eigen::Index nonzero(std::size_t k) const;
  /// m x p on the scale of the data -> m: log relative hazard at place k, 0 for the mean subject.
  Eigen::VectorXd predict(const Eigen::Ref<const Eigen::MatrixXd>& x, std::size_t k) const;
};

/// x n x p, finite; with ridge and p > n the work is that of n features. lambda[0] of an own path is the smallest that leaves
/// every coefficient 0 (for ridge, as in glmnet, that of mixing 0.001).
/// Throws std::invalid_argument as require_valid, on late entry, without events, when sizes differ, x is not finite, p is 0, or
/// an option is out of range.
CoxPath fit_cox_path(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const CoxPathOptions& options = {});

/// Cumulative hazard (Breslow) of the mean subject at place k, one per stratum, from the data that the path was fitted to; it
/// takes what `predict` returns as predictor. Throws as predict and fit_cox_path.
std::vector<Baseline> path_baseline(const CoxPath& path, std::size_t k, const Eigen::Ref<const Eigen::MatrixXd>& x,
                                    const Outcome& outcome, const std::optional<Groups>& strata = {});

/// Cross-validated deviance an event: what a fold adds to the partial likelihood of those that the model was fitted to
/// (Verweij and van Houwelingen 1993; glmnet's grouped = TRUE).
struct CoxPathValidation {
  std::vector<double> lambda, mean, std_err;   ///< mean over folds weighed by their events; error between folds
  std::size_t best = 0;       ///< place of the smallest mean
  std::size_t one_error = 0;  ///< first place whose mean is within one error of it
};

/// fold: n, 0 … folds-1, at least two and each present; subjects of one patient belong into one fold. Every fold is fitted at the
/// lambdas of the whole (or of the options). A fold without events adds nothing.
/// Throws as fit_cox_path, also for the part that a fold leaves.
CoxPathValidation validate_cox_path(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome,
                                    const std::vector<int>& fold, const CoxPathOptions& options = {});

}  // namespace clmnet::survival
