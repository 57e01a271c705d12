#include "survival/cox_path.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "survival/coordinate_descent.h"
#include "survival/cox_likelihood.h"
#include "survival/standardise.h"

namespace clmnet::survival {
namespace {

constexpr double kRidgeMixing = 1e-3;     // glmnet's, for the first lambda of ridge
constexpr double kNewtonWork = 2e9;       // n r^2 up to which the information is formed
constexpr double kNewtonTolerance = 1e-12;
constexpr int kNewtonSteps = 50;

void require_valid_path(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const CoxPathOptions& options) {
  require_valid(outcome);
  if (!outcome.entry.empty()) throw std::invalid_argument("cox path: late entry is not supported");
  if (outcome.events() == 0) throw std::invalid_argument("cox path: no events");
  if (x.rows() != static_cast<Eigen::Index>(outcome.size())) throw std::invalid_argument("cox path: rows of x and times differ");
  if (x.cols() == 0) throw std::invalid_argument("cox path: no features");
  if (!x.allFinite()) throw std::invalid_argument("cox path: a feature is not finite");
  if (!(options.mixing >= 0 && options.mixing <= 1)) throw std::invalid_argument("cox path: mixing must be 0 … 1");
  if (options.strata && options.strata->code.size() != outcome.size()) {
    throw std::invalid_argument("cox path: strata and times differ in size");
  }
  for (std::size_t k = 0; k < options.lambda.size(); ++k) {
    if (!(options.lambda[k] > 0) || (k > 0 && !(options.lambda[k] < options.lambda[k - 1]))) {
      throw std::invalid_argument("cox path: lambdas must be positive and descend");
    }
  }
}

const Groups* strata_of(const CoxPathOptions& options) { return options.strata ? &*options.strata : nullptr; }

std::vector<double> lambdas_of(const Eigen::MatrixXd& x, const CoxLikelihood& likelihood, const CoxPathOptions& options) {
  if (!options.lambda.empty()) return options.lambda;
  Eigen::VectorXd gradient, curvature;
  likelihood.evaluate_predictor(Eigen::VectorXd::Zero(x.rows()), &gradient, &curvature);
  const double n = static_cast<double>(x.rows());
  const double pull = (likelihood.x().transpose() * gradient).cwiseAbs().maxCoeff() / n;
  if (!(pull > 0)) throw std::invalid_argument("cox path: no feature has anything to do with the events, name the lambdas");
  const double ratio = options.smallest_ratio > 0 ? options.smallest_ratio : x.rows() < x.cols() ? 0.01 : 1e-4;
  return lambda_path(pull / std::max(options.mixing, kRidgeMixing), options.lambdas, ratio);
}

/// Ridge by Newton's method. A maximum lies in the span of the rows of x, so w = basis' theta with at most n unknowns.
class Ridge {
 public:
  Ridge(const Eigen::MatrixXd& x, const Outcome& outcome, const CoxPathOptions& options)
      : basis_(basis_of(x)),
        likelihood_(basis_.size() ? Eigen::MatrixXd(x * basis_) : x, outcome, strata_of(options), CoxTies::breslow),
        theta_(Eigen::VectorXd::Zero(likelihood_.covariates())),
        n_(static_cast<double>(x.rows())) {}

  static bool pays_off(const Eigen::MatrixXd& x) {
    const double n = static_cast<double>(x.rows()), r = static_cast<double>(std::min(x.rows(), x.cols()));
    return n * r * r <= kNewtonWork;
  }

  /// Moves to the maximum for lambda; true when it is reached.
  bool fit(double lambda) {
    auto value = likelihood_.evaluate(theta_, true);
    for (int step = 0; step < kNewtonSteps; ++step) {
      const Eigen::VectorXd gradient = value.gradient - n_ * lambda * theta_;
      Eigen::MatrixXd curvature = value.information;
      curvature.diagonal().array() += n_ * lambda;
      const Eigen::VectorXd direction = curvature.ldlt().solve(gradient);
      const double objective = value.log_likelihood - n_ * lambda * theta_.squaredNorm() / 2;
      if (gradient.dot(direction) <= kNewtonTolerance * std::max(1.0, std::abs(objective))) return true;
      double length = 1;
      for (int halving = 0; halving < 30; ++halving, length /= 2) {
        const Eigen::VectorXd next = theta_ + length * direction;
        const double reached = likelihood_.evaluate(next, false).log_likelihood - n_ * lambda * next.squaredNorm() / 2;
        if (reached >= objective) break;
      }
      theta_ += length * direction;
      value = likelihood_.evaluate(theta_, true);
    }
    return false;
  }

  Eigen::VectorXd coefficient() const { return basis_.size() ? Eigen::VectorXd(basis_ * theta_) : theta_; }

 private:
  /// p x r with orthonormal columns that span the rows of x; empty where that saves nothing.
  static Eigen::MatrixXd basis_of(const Eigen::MatrixXd& x) {
    if (x.cols() <= x.rows()) return {};
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> products(x * x.transpose());
    const Eigen::VectorXd& value = products.eigenvalues();   // ascending
    Eigen::Index first = 0;
    while (first + 1 < value.size() && !(value[first] > 1e-12 * value[value.size() - 1])) ++first;
    const Eigen::Index r = value.size() - first;
    return x.transpose() * products.eigenvectors().rightCols(r) * value.tail(r).cwiseSqrt().cwiseInverse().asDiagonal();
  }

  Eigen::MatrixXd basis_;
  CoxLikelihood likelihood_;
  Eigen::VectorXd theta_;
  double n_;
};

/// Lasso and elastic net, and ridge where the information would be too large.
class Descent {
 public:
  Descent(const Eigen::MatrixXd& x, const CoxLikelihood& likelihood, double mixing)
      : sorted_(likelihood.x()), likelihood_(likelihood), mixing_(mixing), w_(Eigen::VectorXd::Zero(x.cols())) {}

  bool fit(double lambda) {
    const Reweigh reweigh = [&](const Eigen::VectorXd& eta, Eigen::VectorXd& gradient, Eigen::VectorXd& curvature) {
      likelihood_.evaluate_predictor(eta, &gradient, &curvature);
    };
    return coordinate_descent(sorted_, reweigh, {lambda, mixing_}, w_, nullptr);
  }

  const Eigen::VectorXd& coefficient() const { return w_; }

 private:
  Eigen::MatrixXd sorted_;
  const CoxLikelihood& likelihood_;
  double mixing_;
  Eigen::VectorXd w_;
};

template <typename Fitter>
void walk(CoxPath& path, const CoxLikelihood& likelihood, Fitter fitter) {
  for (std::size_t k = 0; k < path.lambda.size(); ++k) {
    path.converged.push_back(fitter.fit(path.lambda[k]));
    const Eigen::VectorXd w = fitter.coefficient();
    path.log_likelihood.push_back(likelihood.evaluate_predictor(likelihood.x() * w, nullptr, nullptr));
    path.coefficient.col(static_cast<Eigen::Index>(k)) = w.cwiseQuotient(path.deviation.transpose());
  }
}

/// -2 log-likelihood of a predictor, less that of the saturated model, which is 0 but for deaths at one time.
double deviance(const CoxLikelihood& likelihood, const Eigen::VectorXd& w) {
  double saturated = 0;
  for (const auto& block : likelihood.blocks()) {
    const double deaths = static_cast<double>(block.deaths);
    if (block.deaths > 1) saturated -= deaths * std::log(deaths);
  }
  return 2 * (saturated - likelihood.evaluate_predictor(likelihood.x() * w, nullptr, nullptr));
}

std::vector<std::vector<std::size_t>> kept_without(const std::vector<int>& fold, std::size_t n) {
  if (fold.size() != n) throw std::invalid_argument("validate_cox_path: folds and times differ in size");
  const int folds = *std::max_element(fold.begin(), fold.end()) + 1;
  if (folds < 2 || *std::min_element(fold.begin(), fold.end()) < 0) {
    throw std::invalid_argument("validate_cox_path: folds must be 0 … folds-1, two or more");
  }
  std::vector<std::vector<std::size_t>> kept(static_cast<std::size_t>(folds));
  for (std::size_t f = 0; f < kept.size(); ++f) {
    for (std::size_t i = 0; i < n; ++i) {
      if (static_cast<std::size_t>(fold[i]) != f) kept[f].push_back(i);
    }
    if (kept[f].size() == n) throw std::invalid_argument("validate_cox_path: fold " + std::to_string(f) + " is empty");
  }
  return kept;
}

void summarise(CoxPathValidation& result, const std::vector<std::vector<double>>& by_fold, const std::vector<double>& events) {
  double all = 0, used = 0;
  for (const double count : events) {
    all += count;
    used += count > 0;
  }
  for (std::size_t k = 0; k < result.lambda.size(); ++k) {
    double mean = 0, spread = 0;
    for (std::size_t f = 0; f < events.size(); ++f) mean += events[f] > 0 ? by_fold[f][k] / all : 0.0;
    for (std::size_t f = 0; f < events.size(); ++f) {
      if (events[f] > 0) spread += events[f] / all * std::pow(by_fold[f][k] / events[f] - mean, 2);
    }
    result.mean.push_back(mean);
    result.std_err.push_back(used > 1 ? std::sqrt(spread / (used - 1)) : std::numeric_limits<double>::quiet_NaN());
  }
  result.best = static_cast<std::size_t>(std::min_element(result.mean.begin(), result.mean.end()) - result.mean.begin());
  result.one_error = result.best;
  const double limit = result.mean[result.best] + (used > 1 ? result.std_err[result.best] : 0);
  while (result.one_error > 0 && result.mean[result.one_error - 1] <= limit) --result.one_error;
}

}  // namespace

Eigen::Index CoxPath::nonzero(std::size_t k) const {
  return (coefficient.col(static_cast<Eigen::Index>(k)).array() != 0).count();
}

Eigen::VectorXd CoxPath::predict(const Eigen::Ref<const Eigen::MatrixXd>& x, std::size_t k) const {
  if (x.cols() != mean.size()) throw std::invalid_argument("cox path: x has another number of columns than the model");
  if (k >= lambda.size()) throw std::invalid_argument("cox path: no such place on the path");
  const Eigen::VectorXd b = coefficient.col(static_cast<Eigen::Index>(k));
  return (x * b).array() - mean.dot(b);
}

CoxPath fit_cox_path(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const CoxPathOptions& options) {
  require_valid_path(x, outcome, options);
  const Standardised data = standardise(x);
  const CoxLikelihood likelihood(data.x, outcome, strata_of(options), CoxTies::breslow);
  CoxPath path;
  path.mean = data.mean;
  path.deviation = data.deviation;
  path.lambda = lambdas_of(data.x, likelihood, options);
  path.coefficient.resize(x.cols(), static_cast<Eigen::Index>(path.lambda.size()));
  path.log_likelihood_null = likelihood.evaluate_predictor(Eigen::VectorXd::Zero(x.rows()), nullptr, nullptr);
  if (options.mixing == 0 && Ridge::pays_off(data.x)) {
    walk(path, likelihood, Ridge(data.x, outcome, options));
  } else {
    walk(path, likelihood, Descent(data.x, likelihood, options.mixing));
  }
  return path;
}

std::vector<Baseline> path_baseline(const CoxPath& path, std::size_t k, const Eigen::Ref<const Eigen::MatrixXd>& x,
                                    const Outcome& outcome, const std::optional<Groups>& strata) {
  const Eigen::VectorXd predictor = path.predict(x, k);
  const Eigen::MatrixXd column = predictor;
  const CoxLikelihood likelihood(column, outcome, strata ? &*strata : nullptr, CoxTies::breslow);
  return baseline_of(likelihood, Eigen::VectorXd::Ones(1), strata ? strata->size() : 1);
}

CoxPathValidation validate_cox_path(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome,
                                    const std::vector<int>& fold, const CoxPathOptions& options) {
  require_valid_path(x, outcome, options);
  CoxPathOptions common = options;
  if (common.lambda.empty()) {
    const Standardised data = standardise(x);
    common.lambda = lambdas_of(data.x, CoxLikelihood(data.x, outcome, strata_of(options), CoxTies::breslow), options);
  }
  const CoxLikelihood whole(x, outcome, strata_of(options), CoxTies::breslow);
  std::vector<std::vector<double>> by_fold;
  std::vector<double> events;
  for (const auto& kept : kept_without(fold, outcome.size())) {
    CoxPathOptions own = common;
    if (options.strata) own.strata = select(*options.strata, kept);
    const Eigen::MatrixXd part = x(kept, Eigen::all);
    const Outcome part_outcome = select(outcome, kept);
    const CoxPath path = fit_cox_path(part, part_outcome, own);
    const CoxLikelihood inside(part, part_outcome, strata_of(own), CoxTies::breslow);
    by_fold.emplace_back();
    for (Eigen::Index k = 0; k < path.coefficient.cols(); ++k) {
      by_fold.back().push_back(deviance(whole, path.coefficient.col(k)) - deviance(inside, path.coefficient.col(k)));
    }
    events.push_back(static_cast<double>(outcome.events() - part_outcome.events()));
  }
  CoxPathValidation result;
  result.lambda = common.lambda;
  summarise(result, by_fold, events);
  return result;
}

}  // namespace clmnet::survival
