#include "survival/logistic.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "survival/distributions.h"
#include "survival/linear_algebra.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

constexpr double kCollinear = 1e-11;   // of a covariate's variance that earlier ones leave
constexpr double kSeparated = 1e-8;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kFurthest = 30;   // beyond it R's binomial family holds the probability: separated data end at its numbers

double log_one_plus_exp(double v) { return v > 0 ? v + std::log1p(std::exp(-v)) : std::log1p(std::exp(v)); }
/// R's formulas, whose rounding decides where separated data end.
double logistic(double v) {
  const double odds = v > kFurthest ? 1 / kEpsilon : v < -kFurthest ? kEpsilon : std::exp(v);
  return odds / (1 + odds);
}
double logistic_slope(double v) {
  const double odds = std::exp(v);
  return std::abs(v) <= kFurthest ? odds / ((1 + odds) * (1 + odds)) : kEpsilon;
}

/// Covariates with mean 0 and deviation 1, and what leads back.
struct Design {
  Eigen::MatrixXd x;  // n x (1 + kept)
  std::vector<Eigen::Index> kept;
  Eigen::VectorXd mean, scale;  // of kept
  Eigen::VectorXd weights, offset;
  Eigen::VectorXd y;
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
  const Eigen::RowVectorXd mean = x.colwise().mean();
  Eigen::MatrixXd scaled = x.rowwise() - mean;
  Eigen::RowVectorXd scale = (scaled.colwise().squaredNorm() / static_cast<double>(n)).cwiseSqrt();
  for (Eigen::Index j = 0; j < p; ++j) {
    if (scale[j] > 1e-12 * std::abs(mean[j])) {
      scaled.col(j) /= scale[j];
    } else {
      scaled.col(j).setZero();
    }
  }
  design.kept = LenientCholesky(scaled.transpose() * scaled / static_cast<double>(n), kCollinear).kept();
  design.x.resize(n, 1 + static_cast<Eigen::Index>(design.kept.size()));
  design.x.col(0).setOnes();
  design.x.rightCols(design.x.cols() - 1) = scaled(Eigen::all, design.kept);
  design.mean = mean(design.kept);
  design.scale = scale(design.kept);
  return design;
}

struct Fit {
  Eigen::VectorXd beta, mu;
  Eigen::MatrixXd root;   // upper triangular; root' root is the information
  double deviance = 0;
  int iterations = 0;
  bool converged = false, separated = false;
};

double deviance_of(const Design& design, const Eigen::VectorXd& eta) {
  double sum = 0;
  for (Eigen::Index i = 0; i < eta.size(); ++i) {
    const double against = design.y[i] > 0 ? -eta[i] : eta[i];
    const double loss = std::abs(eta[i]) <= kFurthest ? log_one_plus_exp(against)
                        : against > 0                 ? -std::log(kEpsilon / (1 + kEpsilon))
                                                      : std::log1p(kEpsilon);
    sum += 2 * design.weights[i] * loss;
  }
  return sum;
}

/// One step from the linear predictor; `beta` solves the weighted least squares of the working response. By QR, as R: where data
/// are separated in one direction, weights there fall to 1e-13 of the others', and normal equations, which square the ratio, keep
/// no digit of that coefficient.
void reweighted_step(const Design& design, const Eigen::VectorXd& eta, Fit& fit) {
  const Eigen::Index n = eta.size();
  const Eigen::Index columns = design.x.cols();
  Eigen::VectorXd root_weight(n), response(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const double mu = logistic(eta[i]), variance = mu * (1 - mu), slope = logistic_slope(eta[i]);
    root_weight[i] = std::sqrt(design.weights[i] * slope * slope / variance);
    response[i] = root_weight[i] * (eta[i] - design.offset[i] + (design.y[i] - mu) / slope);
  }
  const Eigen::HouseholderQR<Eigen::MatrixXd> factor(root_weight.asDiagonal() * design.x);
  fit.root = factor.matrixQR().topRows(columns).triangularView<Eigen::Upper>();
  fit.beta = fit.root.triangularView<Eigen::Upper>().solve((factor.householderQ().adjoint() * response).head(columns));
}

Fit iterate(const Design& design, const LogisticOptions& options, const Eigen::VectorXd* start = nullptr) {
  const Eigen::Index n = design.y.size();
  Fit fit;
  // R's start: each observation as if seen once more as a half.
  Eigen::VectorXd eta(n);
  if (start) {
    eta = design.x * *start + design.offset;
  } else {
    for (Eigen::Index i = 0; i < n; ++i) {
      const double mu = (design.weights[i] * design.y[i] + 0.5) / (design.weights[i] + 1);
      eta[i] = std::log(mu / (1 - mu));
    }
  }
  double deviance = deviance_of(design, eta);
  Eigen::VectorXd beta;
  for (fit.iterations = 1; fit.iterations <= options.max_iterations; ++fit.iterations) {
    reweighted_step(design, eta, fit);
    Eigen::VectorXd next = design.x * fit.beta + design.offset;
    double found = deviance_of(design, next);
    for (int halving = 0; halving < 30 && beta.size() && !(found <= deviance + 1e-12 * (std::abs(deviance) + 1)); ++halving) {
      fit.beta = (fit.beta + beta) / 2;
      next = design.x * fit.beta + design.offset;
      found = deviance_of(design, next);
    }
    const bool same = std::abs(found - deviance) / (std::abs(found) + 0.1) < options.tolerance;
    deviance = found;
    eta = next;
    beta = fit.beta;
    if (same) {
      fit.converged = true;
      break;
    }
  }
  const auto probability = [&] { return Eigen::VectorXd(eta.unaryExpr([](double v) { return logistic(v); })); };
  fit.mu = probability();
  for (Eigen::Index i = 0; i < n; ++i) {
    fit.separated |= design.weights[i] > 0 && (fit.mu[i] < kSeparated || fit.mu[i] > 1 - kSeparated);
  }
  // Where there is a maximum, two more Newton steps reach it to the last digits; where there is none they would run on.
  if (fit.converged && !fit.separated && deviance > 1e-6 * static_cast<double>(n)) {
    for (int polish = 0; polish < 2; ++polish) {
      reweighted_step(design, eta, fit);
      eta = design.x * fit.beta + design.offset;
    }
    deviance = deviance_of(design, eta);
    fit.mu = probability();
  }
  fit.deviance = deviance;
  return fit;
}

double null_deviance(const Design& design, const LogisticOptions& options) {
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
  const auto kept = static_cast<Eigen::Index>(design.kept.size());
  // beta on the given scale is `back` times beta on the standardised one.
  Eigen::MatrixXd back = Eigen::MatrixXd::Zero(1 + kept, 1 + kept);
  back(0, 0) = 1;
  std::vector<Eigen::Index> positions{0};
  for (Eigen::Index k = 0; k < kept; ++k) {
    back(1 + k, 1 + k) = 1 / design.scale[k];
    back(0, 1 + k) = -design.mean[k] / design.scale[k];
    positions.push_back(1 + design.kept[static_cast<std::size_t>(k)]);
  }
  LogisticModel model;
  model.coefficient = model.std_err = Eigen::VectorXd::Constant(1 + x.cols(), kNaN);
  model.covariance = Eigen::MatrixXd::Constant(1 + x.cols(), 1 + x.cols(), kNaN);
  model.coefficient(positions) = back * fit.beta;
  const Eigen::MatrixXd one = Eigen::MatrixXd::Identity(1 + kept, 1 + kept);
  const Eigen::MatrixXd half = back * fit.root.triangularView<Eigen::Upper>().solve(one);
  model.covariance(positions, positions) = half * half.transpose();
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
  model.likelihood_ratio = {drop, static_cast<int>(kept), chi_squared_upper(drop, static_cast<double>(kept))};
  return model;
}

namespace {

/// Signed root of the rise of the deviance when one coefficient is held at a value and the others follow.
class Profile {
 public:
  Profile(const LogisticModel& model, Eigen::Index j, const Eigen::Ref<const Eigen::MatrixXd>& x,
          const std::vector<std::uint8_t>& label, const LogisticOptions& options)
      : rest_(make_design(x, label, options)),
        tested_(Eigen::VectorXd::Ones(x.rows())),
        options_(options),
        estimate_(model.coefficient[j]),
        deviance_(model.deviance) {
    // The tested column leaves the design and enters the offset. Without the intercept the covariates are not centred.
    if (j > 0) tested_ = x.col(j - 1);
    if (j > 0) others_.push_back(0);
    for (std::size_t k = 0; k < rest_.kept.size(); ++k) {
      const auto c = static_cast<Eigen::Index>(k);
      if (rest_.kept[k] + 1 != j) others_.push_back(1 + c);
      if (j == 0) rest_.x.col(1 + c).array() += rest_.mean[c] / rest_.scale[c];
    }
    rest_.x = Eigen::MatrixXd(rest_.x(Eigen::all, others_));
    options_.tolerance = 1e-13;
    options_.max_iterations = 100;
  }

  double operator()(double value) const {
    Design shifted = rest_;
    shifted.offset += value * tested_;
    const double drop =
        (others_.empty() ? deviance_of(shifted, shifted.offset) : iterate(shifted, options_).deviance) - deviance_;
    return std::copysign(std::sqrt(std::max(0.0, drop)), value - estimate_);
  }

 private:
  Design rest_;
  Eigen::VectorXd tested_;
  LogisticOptions options_;
  std::vector<Eigen::Index> others_;
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
    for (int step = 1; step < kMaxSteps && std::abs(z) < furthest; ++step) {
      const double value = estimate + direction * step * (furthest / 5) * error;
      z = profile(value);
      found.emplace_back(value, z);
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<double> value, z;
  for (const auto& [v, root] : found) {
    value.push_back(v);
    z.push_back(root);
  }
  const auto points = spline_points(value, z, 3 * value.size());
  const auto read_off = [&](double wanted) {
    for (std::size_t k = 1; k < points.size(); ++k) {
      const auto& [x0, y0] = points[k - 1];
      const auto& [x1, y1] = points[k];
      if (y0 <= wanted && wanted <= y1) return x0 + (x1 - x0) * (wanted - y0) / (y1 - y0);
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
