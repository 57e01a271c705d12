#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "survival/concordance.h"
#include "survival/cox_likelihood.h"
#include "survival/groups.h"
#include "survival/outcome.h"
#include "survival/test_result.h"

namespace clmnet::survival {

struct CoxOptions {
  CoxTies ties = CoxTies::efron;
  std::optional<Groups> strata;    ///< own baseline hazard each, common coefficients
  std::optional<Groups> clusters;  ///< adds the robust (sandwich) covariance, summed over clusters (Lin and Wei 1989)
  int max_iterations = 20;       ///< as R's coxph; a likelihood without a maximum is left there
  double tolerance = 1e-14;        ///< relative change of the log-likelihood that ends Newton's method
  bool with_concordance = true;
};

/// Cumulative hazard of one stratum, a step at each death time.
struct Baseline {
  std::vector<double> time, cumulative_hazard;   ///< of the mean subject, whose hazard neither overflows nor vanishes
  double mean_predictor = 0;                     ///< x beta of the mean subject
  double reference_predictor = 0;                ///< x beta of R's: covariates of only -1, 0 and 1 at 0, others at their mean
  /// Of a subject with this linear predictor; 0 is x = 0.
  double at(double time, double predictor = 0) const;
};

/// One per stratum, at these coefficients of the likelihood's columns.
std::vector<Baseline> baseline_of(const CoxLikelihood& likelihood, const Eigen::VectorXd& beta, std::size_t strata);

/// Proportional hazards regression (Cox 1972), maximum of the partial likelihood.
struct CoxModel {
  /// p; NaN where a covariate is constant, a combination of earlier ones or without information. Where the iterations ran out, what
  /// they had reached, for all that vary.
  Eigen::VectorXd coefficient;
  /// p: where the iterations were left. Of a coefficient that ran away until nothing of its information was left, `coefficient` is
  /// NaN, but concordance, residuals and the test of proportional hazards are at what it had reached, as R's.
  Eigen::VectorXd reached;
  Eigen::VectorXd std_err;       ///< p, from the information; where the iterations ran out, with the other coefficients held
  Eigen::MatrixXd covariance;    ///< p x p; NaN in rows and columns of coefficients that are NaN
  std::optional<Eigen::MatrixXd> robust_covariance;  ///< with clusters
  Eigen::VectorXd linear_predictor;                  ///< n, x * coefficient, not centred
  double log_likelihood_null = 0, log_likelihood = 0;
  TestResult likelihood_ratio, wald, score;
  std::optional<TestResult> robust_wald;
  std::vector<Baseline> baseline;  ///< one per stratum
  std::optional<Concordance> concordance;
  std::size_t n = 0, events = 0;
  int iterations = 0;
  bool converged = false;
  /// Coefficients that still grow when the likelihood no longer does: the data separate along them (monotone likelihood,
  /// Heinze and Schemper 2001); their error and Wald test mean nothing.
  std::vector<Eigen::Index> diverging;
  CoxTies ties = CoxTies::efron;

  int df() const;                 ///< coefficients that are not NaN
  double aic() const { return 2 * df() - 2 * log_likelihood; }
  Eigen::VectorXd z() const;      ///< by the robust error where there is one
  Eigen::VectorXd p_value() const;
  Eigen::VectorXd used_std_err() const;  ///< robust where there is one
};

/// x n x p, finite. Without events every coefficient is NaN and `converged` false; the tests are 0 on 0 degrees of freedom.
/// Throws std::invalid_argument as require_valid, when sizes differ, x is not finite or p is 0.
CoxModel fit_cox(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const CoxOptions& options = {});

/// Survival of a subject with these covariates, from the baseline of its stratum: that of the reference subject to the power of
/// the relative risk, so that data without a maximum give R's 0 and 1.
double predicted_survival(const CoxModel& model, const Eigen::VectorXd& x, double time, std::size_t stratum = 0);

/// What the fitted model leaves. Rows are the caller's, except for Schoenfeld residuals: one per death, by stratum and time.
struct CoxResiduals {
  Eigen::VectorXd martingale, deviance;          ///< n
  Eigen::MatrixXd score, dfbeta;                 ///< n x p
  Eigen::MatrixXd schoenfeld, scaled_schoenfeld; ///< events x p
  std::vector<double> death_time;                ///< events
};
CoxResiduals cox_residuals(const CoxModel& model, const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome,
                           const CoxOptions& options);

/// Time scale on which an effect could change.
enum class TimeTransform { kaplan_meier, identity, rank, log };

/// Score test for covariates times g(time) added to the model (Grambsch and Therneau 1994, exact form as cox.zph of R's
/// survival since version 3). One test per coefficient that is not NaN, the last is the global one.
struct ProportionalHazards {
  std::vector<Eigen::Index> covariate;  ///< tested coefficients
  std::vector<TestResult> test;         ///< same order, and the global test at the end
};
ProportionalHazards test_proportional_hazards(const CoxModel& model, const Eigen::Ref<const Eigen::MatrixXd>& x,
                                              const Outcome& outcome, const CoxOptions& options, TimeTransform transform);

}  // namespace clmnet::survival
