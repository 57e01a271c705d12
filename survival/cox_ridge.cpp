#include "survival/cox_ridge.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <cmath>
#include <stdexcept>

#include "survival/standardise.h"

namespace clmnet::survival {
namespace {

constexpr int kMaxIterations = 100;
constexpr double kTolerance = 1e-9;

/// Ridge regression turns with the axes, so with more columns than rows it is done on the principal axes of the rows:
/// x = z v', v with orthonormal columns; a coefficient w has the same likelihood and length as v'w when it lies in v's span,
/// and the penalised maximum does.
struct RowSpace {
  Eigen::MatrixXd z;        ///< n x r
  Eigen::MatrixXd back;     ///< p x r; empty: z is x itself

  explicit RowSpace(const Eigen::MatrixXd& x) {
    if (x.cols() <= x.rows()) {
      z = x;
      return;
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> axes(x * x.transpose());
    const double least = 1e-12 * std::max(axes.eigenvalues().maxCoeff(), 0.0);
    std::vector<Eigen::Index> kept;
    for (Eigen::Index k = 0; k < axes.eigenvalues().size(); ++k) {
      if (axes.eigenvalues()[k] > least) kept.push_back(k);
    }
    const Eigen::VectorXd length = axes.eigenvalues()(kept).cwiseSqrt();
    const Eigen::MatrixXd u = axes.eigenvectors()(Eigen::all, kept);
    z = u * length.asDiagonal();
    back = x.transpose() * u * length.cwiseInverse().asDiagonal();
  }
};

void require_fit(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, double strength) {
  require_valid(outcome);
  if (static_cast<std::size_t>(x.rows()) != outcome.size()) throw std::invalid_argument("fit_ridge_cox: x and outcome differ in size");
  if (x.cols() == 0 || !x.allFinite()) throw std::invalid_argument("fit_ridge_cox: x must have columns and be finite");
  if (!outcome.entry.empty()) throw std::invalid_argument("fit_ridge_cox: late entry is not supported");
  if (outcome.events() == 0) throw std::invalid_argument("fit_ridge_cox: no event");
  if (!(strength > 0) || !std::isfinite(strength)) throw std::invalid_argument("fit_ridge_cox: the strength must be > 0");
}

/// Newton's method with halved steps; the objective is strictly concave.
Eigen::VectorXd maximise(const CoxLikelihood& likelihood, double n, double strength, RidgeCox& model) {
  Eigen::VectorXd w = Eigen::VectorXd::Zero(likelihood.covariates());
  auto value = likelihood.evaluate(w, true);
  const auto objective = [&](const CoxLikelihood::Value& at, const Eigen::VectorXd& v) { return at.log_likelihood / n - strength * v.squaredNorm() / 2; };
  for (int iteration = 0; iteration < kMaxIterations; ++iteration) {
    const Eigen::VectorXd gradient = value.gradient / n - strength * w;
    model.largest_gradient = gradient.size() > 0 ? gradient.cwiseAbs().maxCoeff() : 0;
    model.converged = model.largest_gradient < kTolerance;
    if (model.converged) break;
    Eigen::MatrixXd curvature = value.information / n;
    curvature.diagonal().array() += strength;
    const Eigen::VectorXd step = curvature.llt().solve(gradient);
    double length = 1;
    const double before = objective(value, w);
    Eigen::VectorXd next = w + step;
    while (length > 1e-8 && !(objective(likelihood.evaluate(next, false), next) >= before - 1e-13 * std::abs(before))) {
      length /= 2;
      next = w + length * step;
    }
    w = next;
    value = likelihood.evaluate(w, true);
  }
  model.log_likelihood = value.log_likelihood;
  return w;
}

}  // namespace

Eigen::VectorXd RidgeCox::predict(const Eigen::Ref<const Eigen::MatrixXd>& x) const {
  return ((x.rowwise() - mean).array().rowwise() / deviation.array()).matrix() * coefficient.transpose();
}

Eigen::VectorXd RidgeCox::predict_event(const Eigen::Ref<const Eigen::MatrixXd>& x, double time) const {
  const double hazard = baseline.at(time);
  return predict(x).unaryExpr([hazard](double predictor) { return -std::expm1(-hazard * std::exp(predictor)); });
}

RidgeCox fit_ridge_cox(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, double strength) {
  require_fit(x, outcome, strength);
  Standardised data = standardise(x);
  RidgeCox model;
  model.mean = data.mean;
  model.deviation = data.deviation;
  const RowSpace space(data.x);
  const CoxLikelihood likelihood(space.z, outcome, nullptr, CoxTies::efron);
  const Eigen::VectorXd w = maximise(likelihood, static_cast<double>(x.rows()), strength, model);
  model.coefficient = (space.back.size() > 0 ? Eigen::VectorXd(space.back * w) : w).transpose();
  // Rows of the likelihood are centred; the shift of the predictor is put back.
  const double shift = std::exp(-likelihood.center().dot(w));
  double sum = 0;
  for (const auto& at : likelihood.death_times(likelihood.x() * w, false)) {
    sum += at.hazard * shift;
    model.baseline.time.push_back(at.time);
    model.baseline.cumulative_hazard.push_back(sum);
  }
  return model;
}

double log_partial_likelihood(const Eigen::VectorXd& predictor, const Outcome& outcome) {
  const Eigen::MatrixXd x = predictor;
  return CoxLikelihood(x, outcome, nullptr, CoxTies::efron).evaluate(Eigen::VectorXd::Ones(1), false).log_likelihood;
}

}  // namespace clmnet::survival
