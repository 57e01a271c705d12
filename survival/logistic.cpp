#include "survival/logistic.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include "survival/distributions.h"
#include "survival/pivoted_qr.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

constexpr double kSeparated = 1e-8;
constexpr double kExplained = 1e-7;   // of a column's norm that earlier ones leave: R's glm takes this or a thousandth of epsilon

constexpr double kLastDigits = 1e-12;  // a tolerance below it has reached them

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kFurthest = 30;   // beyond it R's binomial family holds the probability: separated data end at its numbers

/// R's formulas, whose rounding decides where separated data end.
double logistic(double v) {
  const double odds = v > kFurthest ? 1 / kEpsilon : v < -kFurthest ? kEpsilon : std::exp(v);
  return odds / (1 + odds);
}
double logistic_slope(double v) {
  const double odds = std::exp(v);
  return std::abs(v) <= kFurthest ? odds / ((1 + odds) * (1 + odds)) : kEpsilon;
}

struct Design {
  Eigen::MatrixXd x;   // n x columns, with the intercept where there is one
  Eigen::VectorXd y, weights, offset;
};

Design make_design(const Eigen::Ref<const Eigen::MatrixXd>& x, const std::vector<std::uint8_t>& label,
                   const LogisticOptions& options) {
  const Eigen::Index n = x.rows(), p = x.cols();
  if (n == 0 || static_cast<std::size_t>(n) != label.size()) {
    throw std::invalid_argument("logistic: rows of x and labels differ, or there are none");
  }
  if (!x.allFinite()) throw std::invalid_argument("logistic: a covariate is not finite");
  if (std::any_of(label.begin(), label.end(), [](std::uint8_t y) { return y > 1; })) {
    throw std::invalid_argument("logistic: a label is not 0 or 1");
  }
  if (options.weights.size() != 0 && options.weights.size() != n) {
    throw std::invalid_argument("logistic: weights and labels differ in size");
  }
  if (options.offset.size() != 0 && options.offset.size() != n) {
    throw std::invalid_argument("logistic: offset and labels differ in size");
  }
  Design design;
  design.weights = options.weights.size() ? options.weights : Eigen::VectorXd::Ones(n);
  if (!(design.weights.minCoeff() >= 0)) throw std::invalid_argument("logistic: a weight is negative");
  design.offset = options.offset.size() ? options.offset : Eigen::VectorXd::Zero(n);
  design.y.resize(n);
  for (Eigen::Index i = 0; i < n; ++i) design.y[i] = label[static_cast<std::size_t>(i)];
  design.x.resize(n, 1 + p);
  design.x << Eigen::VectorXd::Ones(n), x;
  return design;
}

struct Fit {
  Eigen::VectorXd beta, eta, mu;
  std::optional<PivotedQr> factor;   // of the last step; none without columns
  double deviance = 0;
  int iterations = 0;
  bool converged = false, separated = false;
};

Eigen::VectorXd probabilities(const Eigen::VectorXd& eta) {
  return eta.unaryExpr([](double v) { return logistic(v); });
}

double deviance_of(const Design& design, const Eigen::VectorXd& mu) {
  long double sum = 0;   // as R's sum()
  for (Eigen::Index i = 0; i < mu.size(); ++i) {
    sum += 2 * design.weights[i] * (design.y[i] > 0 ? std::log(1 / mu[i]) : std::log(1 / (1 - mu[i])));
  }
  return static_cast<double>(sum);
}

Eigen::VectorXd predictor(const Design& design, const Eigen::VectorXd& beta) {
  Eigen::VectorXd eta = Eigen::VectorXd::Zero(design.y.size());
  for (Eigen::Index j = 0; j < design.x.cols(); ++j) eta += beta[j] * design.x.col(j);   // column by column, as R's BLAS
  return eta + design.offset;
}

/// One step from the linear predictor: weighted least squares of the working response.
void reweighted_step(const Design& design, double tolerance, Fit& fit) {
  const Eigen::Index n = design.y.size();
  Eigen::VectorXd root_weight(n), response(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const double slope = logistic_slope(fit.eta[i]), variance = fit.mu[i] * (1 - fit.mu[i]);
    root_weight[i] = std::sqrt(design.weights[i] * (slope * slope) / variance);
    response[i] = (fit.eta[i] - design.offset[i] + (design.y[i] - fit.mu[i]) / slope) * root_weight[i];
  }
  fit.factor.emplace(root_weight.asDiagonal() * design.x, std::min(kExplained, tolerance / 1000));
  fit.beta = fit.factor->solve(response);
}

void move_to(const Design& design, const Eigen::VectorXd& beta, Fit& fit) {
  fit.beta = beta;
  fit.eta = predictor(design, beta);
  fit.mu = probabilities(fit.eta);
  fit.deviance = deviance_of(design, fit.mu);
}

/// R's glm.fit from a linear predictor: a step is halved only where the deviance is not finite, with `careful` also where it rises.
Fit iterate_from(Eigen::VectorXd eta, const Design& design, const LogisticOptions& options, bool careful) {
  Fit fit;
  fit.eta = std::move(eta);
  fit.mu = probabilities(fit.eta);
  double deviance = deviance_of(design, fit.mu);
  Eigen::VectorXd beta;
  for (fit.iterations = 1; fit.iterations <= options.max_iterations && !fit.converged; ++fit.iterations) {
    reweighted_step(design, options.tolerance, fit);
    move_to(design, fit.beta, fit);
    const auto too_far = [&] {
      return !std::isfinite(fit.deviance) || (careful && fit.deviance > deviance + 1e-12 * (std::abs(deviance) + 1));
    };
    for (int halving = 0; halving < 30 && beta.size() && too_far(); ++halving) move_to(design, (fit.beta + beta) / 2, fit);
    fit.converged = std::abs(fit.deviance - deviance) / (std::abs(fit.deviance) + 0.1) < options.tolerance;
    deviance = fit.deviance;
    beta = fit.beta;
  }
  fit.iterations -= 1;
  for (Eigen::Index i = 0; i < fit.mu.size(); ++i) {
    fit.separated |= design.weights[i] > 0 && (fit.mu[i] < kSeparated || fit.mu[i] > 1 - kSeparated);
  }
  // Where there is a maximum, two more Newton steps reach it to the last digits; where there is none they would run on.
  if (options.tolerance > kLastDigits && fit.converged && !fit.separated && deviance > 1e-6 * static_cast<double>(fit.mu.size())) {
    for (int polish = 0; polish < 2; ++polish) {
      reweighted_step(design, options.tolerance, fit);
      move_to(design, fit.beta, fit);
    }
  }
  return fit;
}

Fit iterate(const Design& design, const LogisticOptions& options, const Eigen::VectorXd* start = nullptr) {
  // R's start: each observation as if seen once more as a half.
  Eigen::VectorXd eta(design.y.size());
  if (start) {
    eta = *start;
  } else {
    for (Eigen::Index i = 0; i < eta.size(); ++i) {
      const double mu = (design.weights[i] * design.y[i] + 0.5) / (design.weights[i] + 1);
      eta[i] = std::log(mu / (1 - mu));
    }
  }
  if (design.x.cols() == 0) {
    Fit fit;
    move_to(design, Eigen::VectorXd(0), fit);
    fit.converged = true;
    return fit;
  }
  Fit fit = iterate_from(eta, design, options, false);
  if (start || fit.converged) return fit;   // who gives a start follows R's path wherever it leads
  const double without_coefficients = deviance_of(design, probabilities(design.offset));
  if (!(fit.deviance <= 2 * without_coefficients)) fit = iterate_from(eta, design, options, true);
  return fit;
}

double null_deviance(const Design& design, const LogisticOptions& options) {
  if (design.offset.isZero(0)) {
    const double share = design.weights.dot(design.y) / design.weights.sum();
    return deviance_of(design, Eigen::VectorXd::Constant(design.y.size(), share));
  }
  Design empty = design;
  empty.x = design.x.leftCols(1);
  return iterate(empty, options).deviance;
}

}  // namespace

int LogisticModel::df() const {
  return static_cast<int>(std::count_if(coefficient.begin(), coefficient.end(), [](double b) { return !std::isnan(b); }));
}

Eigen::VectorXd LogisticModel::z() const { return coefficient.array() / std_err.array(); }

Eigen::VectorXd LogisticModel::p_value() const { return z().unaryExpr([](double value) { return normal_two_sided_p(value); }); }

Interval LogisticModel::wald_interval(Eigen::Index j, double level) const {
  const double half = normal_z(level) * std_err[j];
  return {coefficient[j] - half, coefficient[j] + half};
}

LogisticModel fit_logistic(const Eigen::Ref<const Eigen::MatrixXd>& x, const std::vector<std::uint8_t>& label,
                           const LogisticOptions& options) {
  const Design design = make_design(x, label, options);
  const Fit fit = iterate(design, options);
  const auto& columns = fit.factor->columns();
  const std::vector<Eigen::Index> kept(columns.begin(), columns.begin() + fit.factor->rank());
  LogisticModel model;
  model.coefficient = model.std_err = Eigen::VectorXd::Constant(1 + x.cols(), kNaN);
  model.covariance = Eigen::MatrixXd::Constant(1 + x.cols(), 1 + x.cols(), kNaN);
  const Eigen::MatrixXd covariance = fit.factor->inverse_of_square();
  for (std::size_t j = 0; j < kept.size(); ++j) {
    model.coefficient[kept[j]] = fit.beta[kept[j]];
    for (std::size_t k = 0; k < kept.size(); ++k) {
      model.covariance(kept[j], kept[k]) = covariance(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(k));
    }
  }
  model.std_err = model.covariance.diagonal().cwiseSqrt();
  model.fitted = fit.mu;
  model.deviance = fit.deviance;
  model.null_deviance = null_deviance(design, options);
  model.log_likelihood = -fit.deviance / 2;
  model.n = label.size();
  model.iterations = fit.iterations;
  model.converged = fit.converged;
  model.separated = fit.separated;
  const double drop = model.null_deviance - model.deviance;
  const auto tested = static_cast<int>(kept.size()) - 1;
  model.likelihood_ratio = {drop, tested, chi_squared_upper(drop, tested)};
  return model;
}

namespace {

/// Signed root of the rise of the deviance when one coefficient is held at a value and the others follow.
class Profile {
 public:
  Profile(const LogisticModel& model, Eigen::Index j, const Eigen::Ref<const Eigen::MatrixXd>& x,
          const std::vector<std::uint8_t>& label, const LogisticOptions& options)
      : rest_(make_design(x, label, options)),
        tested_(rest_.x.col(j)),
        options_(options),
        estimate_(model.coefficient[j]),
        deviance_(model.deviance) {
    // The tested column leaves the design and enters the offset.
    std::vector<Eigen::Index> kept, others;
    for (Eigen::Index k = 0; k < model.coefficient.size(); ++k) {
      if (std::isnan(model.coefficient[k])) continue;
      kept.push_back(k);
      if (k != j) others.push_back(k);
    }
    Design full = rest_;
    full.x = rest_.x(Eigen::all, kept);
    at_estimate_ = predictor(full, model.coefficient(kept));
    rest_.x = Eigen::MatrixXd(rest_.x(Eigen::all, others));
  }

  /// `follow` starts at that linear predictor and is left at the one reached.
  double operator()(double value, Eigen::VectorXd* follow = nullptr) const {
    Design shifted = rest_;
    shifted.offset += value * tested_;
    const Fit fit = iterate(shifted, options_, follow);
    if (follow) *follow = fit.eta;
    return std::copysign(std::sqrt(std::max(0.0, fit.deviance - deviance_)), value - estimate_);
  }

  const Eigen::VectorXd& at_estimate() const { return at_estimate_; }

 private:
  Design rest_;
  Eigen::VectorXd tested_, at_estimate_;
  LogisticOptions options_;
  double estimate_, deviance_;
};

/// Natural-looking cubic spline whose end slopes come from cubics through the first and last four points (Forsythe, Malcolm
/// and Moler 1977), evaluated at `count` even steps. x ascends.
std::vector<std::pair<double, double>> spline_points(const std::vector<double>& x, const std::vector<double>& y,
                                                     std::size_t count) {
  const auto n = static_cast<Eigen::Index>(x.size());
  const auto at = [](const std::vector<double>& v, Eigen::Index i) { return v[static_cast<std::size_t>(i)]; };
  const auto step = [&](Eigen::Index i) { return at(x, i + 1) - at(x, i); };
  const auto slope = [&](Eigen::Index i) { return (at(y, i + 1) - at(y, i)) / step(i); };
  // Unknown: a sixth of the second derivative at each point.
  Eigen::MatrixXd system = Eigen::MatrixXd::Zero(n, n);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(n);
  for (Eigen::Index i = 1; i + 1 < n; ++i) {
    system(i, i - 1) = step(i - 1);
    system(i, i) = 2 * (step(i - 1) + step(i));
    system(i, i + 1) = step(i);
    right[i] = slope(i) - slope(i - 1);
  }
  system(0, 0) = -step(0);
  system(0, 1) = step(0);
  system(n - 1, n - 1) = -step(n - 2);
  system(n - 1, n - 2) = step(n - 2);
  if (n > 3) {
    const auto second = [&](Eigen::Index i) { return (slope(i) - slope(i - 1)) / (at(x, i + 1) - at(x, i - 1)); };
    right[0] = (second(2) - second(1)) / (at(x, 3) - at(x, 0)) * step(0) * step(0);
    right[n - 1] = -(second(n - 2) - second(n - 3)) / (at(x, n - 1) - at(x, n - 4)) * step(n - 2) * step(n - 2);
  }
  const Eigen::VectorXd bend = system.partialPivLu().solve(right);
  std::vector<std::pair<double, double>> points;
  Eigen::Index i = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const double v = x.front() + (x.back() - x.front()) * static_cast<double>(k) / static_cast<double>(count - 1);
    while (i + 2 < n && v >= at(x, i + 1)) ++i;
    const double d = v - at(x, i), b = slope(i) - step(i) * (bend[i + 1] + 2 * bend[i]), c = 3 * bend[i],
                 e = (bend[i + 1] - bend[i]) / step(i);
    points.emplace_back(v, at(y, i) + d * (b + d * (c + d * e)));
  }
  return points;
}

}  // namespace

Interval profile_interval_by_spline(const LogisticModel& model, Eigen::Index j, const Eigen::Ref<const Eigen::MatrixXd>& x,
                                    const std::vector<std::uint8_t>& label, const LogisticOptions& options, double level) {
  constexpr int kMaxSteps = 10;
  const double estimate = model.coefficient[j], error = model.std_err[j], target = normal_z(level);
  if (std::isnan(estimate) || !(error > 0)) return {kNaN, kNaN};
  const Profile profile(model, j, x, label, options);
  const double furthest = std::sqrt(chi_squared_quantile(1 - (1 - level) / 4, 1));
  std::vector<std::pair<double, double>> found{{estimate, 0.0}};
  for (const double direction : {-1.0, 1.0}) {
    double z = 0;
    Eigen::VectorXd reached = profile.at_estimate();
    for (int step = 1; step < kMaxSteps && std::abs(z) < furthest; ++step) {
      const double value = estimate + direction * step * (furthest / 5) * error;
      z = profile(value, &reached);
      found.emplace_back(value, z);
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<double> value, z;
  for (const auto& [v, root] : found) {
    value.push_back(v);
    z.push_back(root);
  }
  auto points = spline_points(value, z, 3 * value.size());
  // Read off as R's approx: by ascending root, equal ones at their mean. A flat profile is not monotone.
  std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  std::vector<std::pair<double, double>> by_root;
  for (std::size_t begin = 0, end = 0; begin < points.size(); begin = end) {
    double sum = 0;
    for (; end < points.size() && points[end].second == points[begin].second; ++end) sum += points[end].first;
    by_root.emplace_back(points[begin].second, sum / static_cast<double>(end - begin));
  }
  const auto read_off = [&](double wanted) {
    for (std::size_t k = 1; k < by_root.size(); ++k) {
      const auto& [z0, v0] = by_root[k - 1];
      const auto& [z1, v1] = by_root[k];
      if (z0 <= wanted && wanted <= z1) return v0 + (v1 - v0) * ((wanted - z0) / (z1 - z0));
    }
    return kNaN;
  };
  return {read_off(-target), read_off(target)};
}

Interval profile_interval(const LogisticModel& model, Eigen::Index j, const Eigen::Ref<const Eigen::MatrixXd>& x,
                          const std::vector<std::uint8_t>& label, const LogisticOptions& options, double level) {
  const double estimate = model.coefficient[j], error = model.std_err[j], target = normal_z(level);
  if (std::isnan(estimate) || !(error > 0)) return {kNaN, kNaN};
  const Profile signed_root(model, j, x, label, options);
  const auto limit = [&](double direction) {
    double inside = estimate, outside = estimate + direction * target * error, z_inside = 0, z_outside = signed_root(outside);
    for (int widen = 0; std::abs(z_outside) < target; ++widen) {
      if (widen == 40) return direction * kInfinity;
      inside = outside;
      z_inside = z_outside;
      outside = estimate + (outside - estimate) * 1.5;
      z_outside = signed_root(outside);
    }
    // Regula falsi with halving of the end that stays (Illinois); the root is nearly linear in the value.
    double f_inside = std::abs(z_inside) - target, f_outside = std::abs(z_outside) - target;
    int side = 0;
    for (int step = 0; step < 100 && std::abs(outside - inside) > 1e-13 * std::max(std::abs(outside), error); ++step) {
      const double middle = (inside * f_outside - outside * f_inside) / (f_outside - f_inside);
      const double f = std::abs(signed_root(middle)) - target;
      if (std::abs(f) < 1e-12) return middle;
      if (f > 0) {
        outside = middle;
        f_outside = f;
        if (side == 1) f_inside /= 2;
        side = 1;
      } else {
        inside = middle;
        f_inside = f;
        if (side == -1) f_outside /= 2;
        side = -1;
      }
    }
    return (inside + outside) / 2;
  };
  return {limit(-1), limit(1)};
}

}  // namespace clmnet::survival
