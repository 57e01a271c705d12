#include "survival/cox.h"

#include <Eigen/Dense>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "survival/cox_by_deaths.h"
#include "survival/distributions.h"
#include "survival/linear_algebra.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

constexpr double kOverflow = 709.78;             // exp of it: R's coxph halves the step there
constexpr double kFlatness = 1e6;               // variance at the end over 1 / information at 0: the likelihood has gone flat
constexpr double kDivergenceTolerance = 1e-7;  // of the coefficient, as sqrt of R's usual eps
constexpr double kConstant = 1e-9;             // information of a covariate that does not vary, over the largest

void require_valid_model(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const CoxOptions& options) {
  require_valid(outcome);
  const auto n = static_cast<Eigen::Index>(outcome.size());
  if (x.rows() != n) throw std::invalid_argument("cox: rows of x and times differ");
  if (x.cols() == 0) throw std::invalid_argument("cox: no covariates");
  if (!x.allFinite()) throw std::invalid_argument("cox: a covariate is not finite");
  if (options.strata && options.strata->code.size() != outcome.size()) {
    throw std::invalid_argument("cox: strata and times differ in size");
  }
  if (options.clusters && options.clusters->code.size() != outcome.size()) {
    throw std::invalid_argument("cox: clusters and times differ in size");
  }
}

TestResult test_of(double chi_squared, int df) { return {chi_squared, df, chi_squared_upper(chi_squared, df)}; }

/// Newton's method from 0 with step halving. Where it stops decides the digits of a likelihood without a maximum, so steps,
/// tolerance and the order of the checks are those of R's coxph (survival 3.5-3). `evaluate` gives value, gradient and
/// information at p coefficients; a likelihood that is not finite is taken for a step too far.
struct Newton {
  template <typename Evaluate>
  Newton(Evaluate evaluate, Eigen::Index p, const CoxOptions& options) {
    beta.setZero(p);
    current = evaluate(beta);
    log_likelihood_null = current.log_likelihood;
    start_information = current.information.diagonal();
    LenientCholesky factor(current.information);
    kept = factor.kept();
    const Eigen::VectorXd first = factor.solve(current.gradient);
    score_test = current.gradient.dot(first);
    Eigen::VectorXd next = beta + first;
    int halvings = 0;
    for (iterations = 1; iterations <= options.max_iterations; ++iterations) {
      const CoxLikelihood::Value candidate = evaluate(next);
      const bool usable = std::isfinite(candidate.log_likelihood) && candidate.gradient.allFinite() &&
                          candidate.information.allFinite();
      if (usable && std::abs(1 - current.log_likelihood / candidate.log_likelihood) <= options.tolerance) {
        current = candidate;
        beta = next;
        converged = true;
        break;
      }
      if (!usable || candidate.log_likelihood < current.log_likelihood) {
        ++halvings;
        next = (next + halvings * beta) / (halvings + 1.0);
        continue;
      }
      halvings = 0;
      current = candidate;
      beta = next;
      next = beta + LenientCholesky(candidate.information).solve(candidate.gradient);
    }
    finish();
  }

  Eigen::VectorXd beta, last_step, start_information;
  Eigen::MatrixXd covariance;          ///< 0 where nothing was estimated
  std::vector<Eigen::Index> kept;      ///< coefficients that were estimated
  CoxLikelihood::Value current;
  double log_likelihood_null = 0, score_test = 0;
  int iterations = 0;
  bool converged = false;

 private:
  void finish() {
    const LenientCholesky factor(current.information);
    last_step = factor.solve(current.gradient);
    if (converged) {
      kept = factor.kept();
      covariance = factor.inverse();
      return;
    }
    // No maximum was reached, and the information is no covariance: errors are those with the other coefficients held.
    covariance.setZero(beta.size(), beta.size());
    kept.clear();
    for (Eigen::Index j = 0; j < beta.size(); ++j) {
      if (start_information[j] > kConstant * start_information.maxCoeff()) kept.push_back(j);
      // Rounding may leave less than nothing; R then keeps that.
      const double left = current.information(j, j);
      covariance(j, j) = left > 0 ? 1 / left : left;
    }
  }
};

/// What R's coxph divides a covariate by: 1 where it has only -1, 0 and 1 or is constant, else the mean distance from its mean.
Eigen::RowVectorXd column_scale(const Eigen::Ref<const Eigen::MatrixXd>& x) {
  const Eigen::RowVectorXd mean = x.colwise().mean();
  Eigen::RowVectorXd scale = (x.rowwise() - mean).cwiseAbs().colwise().mean();
  for (Eigen::Index j = 0; j < scale.size(); ++j) {
    const bool constant = !(scale[j] > 1e-12 * std::abs(mean[j]));
    if (constant || only_signs(x.col(j))) scale[j] = 1;
  }
  return scale;
}

/// A maximum and what turns its coefficients into those of the data.
struct Maximum {
  Newton newton;
  Eigen::VectorXd multiplier;   ///< p
};

/// `likelihood` is that of x divided by `scale`. Small data are summed in R's own order instead.
Maximum maximise(const CoxLikelihood& likelihood, const Eigen::RowVectorXd& scale, const Eigen::Ref<const Eigen::MatrixXd>& x,
                 const Outcome& outcome, const Groups* strata, const CoxOptions& options) {
  const Eigen::Index p = x.cols();
  if (CoxByDeaths::suits(x, outcome)) {
    const CoxByDeaths by_deaths(x, outcome, strata, options.ties);
    return {Newton([&](const Eigen::VectorXd& beta) { return by_deaths.evaluate(beta); }, p, options), by_deaths.scale()};
  }
  const auto evaluate = [&](const Eigen::VectorXd& beta) {
    CoxLikelihood::Value value = likelihood.evaluate(beta, true);
    if (!((likelihood.x() * beta).maxCoeff() < kOverflow)) value.log_likelihood = -kInfinity;
    return value;
  };
  return {Newton(evaluate, p, options), scale.cwiseInverse()};
}

Eigen::MatrixXd spread(const Eigen::MatrixXd& part, const std::vector<Eigen::Index>& kept, Eigen::Index p) {
  Eigen::MatrixXd full = Eigen::MatrixXd::Constant(p, p, kNaN);
  full(kept, kept) = part;
  return full;
}

void add_robust(CoxModel& model, const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const CoxOptions& options) {
  const CoxResiduals residuals = cox_residuals(model, x, outcome, options);
  Eigen::MatrixXd sums = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(options.clusters->size()), x.cols());
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    sums.row(options.clusters->code[static_cast<std::size_t>(i)]) += residuals.dfbeta.row(i);
  }
  model.robust_covariance = sums.transpose() * sums;
  std::vector<Eigen::Index> kept;
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    if (!std::isnan(model.coefficient[j])) kept.push_back(j);
  }
  const Eigen::MatrixXd part = (*model.robust_covariance)(kept, kept);
  model.robust_wald = test_of(quadratic_form_of_inverse(part, model.coefficient(kept)), model.df());
}

void add_concordance(CoxModel& model, const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome,
                     const CoxOptions& options) {
  ConcordanceOptions pairs;
  pairs.strata = options.strata;
  pairs.clusters = options.clusters;
  Eigen::VectorXd predictor = model.linear_predictor;
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    if (std::isnan(model.coefficient[j]) && model.reached[j] != 0) predictor += x.col(j) * model.reached[j];
  }
  model.concordance = concordance(outcome, {predictor.begin(), predictor.end()}, pairs);
}

}  // namespace

std::vector<Baseline> baseline_of(const CoxLikelihood& likelihood, const Eigen::VectorXd& beta, std::size_t strata) {
  std::vector<Baseline> baseline(strata);
  for (auto& stratum : baseline) stratum.mean_predictor = likelihood.center().dot(beta);   // rows of the likelihood are centred
  for (const auto& at : likelihood.death_times(likelihood.x() * beta, false)) {
    Baseline& stratum = baseline[at.stratum];
    const double before = stratum.cumulative_hazard.empty() ? 0 : stratum.cumulative_hazard.back();
    stratum.time.push_back(at.time);
    stratum.cumulative_hazard.push_back(before + at.hazard);
  }
  return baseline;
}

double Baseline::at(double when, double predictor) const {
  const double slack = std::ldexp(std::max(1.0, time.empty() ? 0.0 : time.back()), -26) * 0.5;
  const auto after = std::upper_bound(time.begin(), time.end(), when + slack);
  if (after == time.begin()) return 0;
  return cumulative_hazard[static_cast<std::size_t>(after - time.begin()) - 1] * std::exp(predictor - mean_predictor);
}

int CoxModel::df() const {
  return static_cast<int>(std::count_if(coefficient.begin(), coefficient.end(), [](double b) { return !std::isnan(b); }));
}

Eigen::VectorXd CoxModel::used_std_err() const {
  return robust_covariance ? Eigen::VectorXd(robust_covariance->diagonal().cwiseSqrt()) : std_err;
}

Eigen::VectorXd CoxModel::z() const { return coefficient.array() / used_std_err().array(); }

Eigen::VectorXd CoxModel::p_value() const { return z().unaryExpr([](double value) { return normal_two_sided_p(value); }); }

CoxModel fit_cox(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const CoxOptions& options) {
  require_valid_model(x, outcome, options);
  const Eigen::Index p = x.cols();
  CoxModel model;
  model.ties = options.ties;
  model.n = outcome.size();
  model.events = outcome.events();
  model.coefficient = model.std_err = Eigen::VectorXd::Constant(p, kNaN);
  model.covariance = Eigen::MatrixXd::Constant(p, p, kNaN);
  model.reached = Eigen::VectorXd::Zero(p);
  model.linear_predictor = Eigen::VectorXd::Zero(x.rows());
  const Groups* strata = options.strata ? &*options.strata : nullptr;
  const Eigen::RowVectorXd scale = column_scale(x);
  Eigen::MatrixXd scaled = x * scale.cwiseInverse().asDiagonal();
  const CoxLikelihood likelihood(scaled, outcome, strata, options.ties);
  scaled.resize(0, 0);
  const auto [newton, multiplier] = maximise(likelihood, scale, x, outcome, strata, options);
  model.log_likelihood_null = model.log_likelihood = newton.log_likelihood_null;
  const auto& kept = newton.kept;
  if (model.events == 0 || kept.empty()) {
    // Nothing was estimated and nothing is tested: the likelihood did not move, on no degrees of freedom.
    model.likelihood_ratio = model.wald = model.score = {0, 0, 1};
    model.baseline = baseline_of(likelihood, Eigen::VectorXd::Zero(p), strata ? strata->size() : 1);
    if (options.with_concordance) add_concordance(model, x, outcome, options);
    return model;
  }
  const Eigen::VectorXd kept_multiplier = multiplier(kept);
  model.coefficient(kept) = newton.beta(kept).cwiseProduct(kept_multiplier);
  model.reached = newton.beta.cwiseProduct(multiplier);
  const Eigen::MatrixXd covariance = newton.covariance(kept, kept);
  model.covariance = spread(covariance.cwiseProduct(kept_multiplier * kept_multiplier.transpose()), kept, p);
  model.std_err = model.covariance.diagonal().cwiseSqrt();
  model.log_likelihood = newton.current.log_likelihood;
  model.iterations = newton.iterations;
  model.converged = newton.converged;
  const int df = static_cast<int>(kept.size());
  model.likelihood_ratio = test_of(2 * (model.log_likelihood - model.log_likelihood_null), df);
  const Eigen::VectorXd kept_beta = newton.beta(kept);
  model.wald = test_of(kept_beta.dot(LenientCholesky(covariance).solve(kept_beta)), df);
  model.score = test_of(newton.score_test, df);
  for (Eigen::Index j = 0; j < p; ++j) {
    const double left = std::abs(newton.last_step[j]);
    const bool moves = left > 1e-9 && left > kDivergenceTolerance * std::abs(newton.beta[j]);
    const bool flat = newton.beta[j] != 0 && !(newton.covariance(j, j) * newton.start_information[j] < kFlatness);
    const bool gone = newton.beta[j] != 0 && std::isnan(model.coefficient[j]);
    if (moves || flat || gone) model.diverging.push_back(j);
  }
  for (const Eigen::Index j : kept) model.linear_predictor += x.col(j) * model.coefficient[j];
  Eigen::VectorXd scaled_coefficient = Eigen::VectorXd::Zero(p);
  scaled_coefficient(kept) = model.coefficient(kept).cwiseProduct(scale(kept).transpose());
  model.baseline = baseline_of(likelihood, scaled_coefficient, strata ? strata->size() : 1);
  double reference = 0;
  for (const Eigen::Index j : kept) {
    if (!only_signs(x.col(j))) reference += x.col(j).mean() * model.coefficient[j];
  }
  for (auto& stratum : model.baseline) stratum.reference_predictor = reference;
  if (options.clusters) add_robust(model, x, outcome, options);
  if (options.with_concordance) add_concordance(model, x, outcome, options);
  return model;
}

double predicted_survival(const CoxModel& model, const Eigen::VectorXd& x, double time, std::size_t stratum) {
  double predictor = 0;
  for (Eigen::Index j = 0; j < x.size(); ++j) {
    if (!std::isnan(model.coefficient[j])) predictor += x[j] * model.coefficient[j];
  }
  const Baseline& baseline = model.baseline.at(stratum);
  return std::pow(std::exp(-baseline.at(time, baseline.reference_predictor)), std::exp(predictor - baseline.reference_predictor));
}

}  // namespace clmnet::survival
