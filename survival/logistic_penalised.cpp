#include "survival/logistic_penalised.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <deque>
#include <stdexcept>

#include "survival/coordinate_descent.h"
#include "survival/standardise.h"

namespace clmnet::survival {
namespace {

constexpr Eigen::Index kNewtonLimit = 400;  // unknowns up to which the Hessian is formed
constexpr Eigen::Index kRowsPerBlock = 512;

/// 0.5 |W|^2 + sum_i weight_i * log loss_i for softmax (or one logit), X with a leading column of ones left implicit.
/// Unknowns are stacked: row r has its intercept, then its p coefficients.
class Objective {
 public:
  Objective(const Eigen::MatrixXd& x, const std::vector<int>& label, Eigen::VectorXd weight, Eigen::Index rows)
      : x_(x), label_(label), weight_(std::move(weight)), rows_(rows) {}

  Eigen::Index unknowns() const { return rows_ * (x_.cols() + 1); }

  double evaluate(const Eigen::VectorXd& unknown, Eigen::VectorXd& gradient, Eigen::MatrixXd* hessian) const {
    const Eigen::Index p = x_.cols(), n = x_.rows();
    const Eigen::MatrixXd probability = probabilities(unknown);
    double value = 0;
    Eigen::MatrixXd residual(n, rows_);
    for (Eigen::Index i = 0; i < n; ++i) {
      const int own = label_[static_cast<std::size_t>(i)];
      value -= weight_[i] * std::log(std::max(probability(i, own), std::numeric_limits<double>::min()));
      for (Eigen::Index r = 0; r < rows_; ++r) {
        const Eigen::Index class_of_row = rows_ == 1 ? 1 : r;
        residual(i, r) = weight_[i] * (probability(i, class_of_row) - (own == class_of_row ? 1.0 : 0.0));
      }
    }
    gradient.resize(unknowns());
    for (Eigen::Index r = 0; r < rows_; ++r) {
      const auto w = unknown.segment(r * (p + 1) + 1, p);
      value += 0.5 * w.squaredNorm();
      gradient[r * (p + 1)] = residual.col(r).sum();
      gradient.segment(r * (p + 1) + 1, p) = x_.transpose() * residual.col(r) + w;
    }
    if (hessian) add_hessian(probability, *hessian);
    return value;
  }

  /// n x classes.
  Eigen::MatrixXd probabilities(const Eigen::VectorXd& unknown) const {
    const Eigen::Index p = x_.cols();
    Eigen::MatrixXd logit(x_.rows(), rows_);
    for (Eigen::Index r = 0; r < rows_; ++r) {
      logit.col(r) = (x_ * unknown.segment(r * (p + 1) + 1, p)).array() + unknown[r * (p + 1)];
    }
    return softmax(logit);
  }

  static Eigen::MatrixXd softmax(const Eigen::MatrixXd& logit) {
    if (logit.cols() == 1) {
      Eigen::MatrixXd two(logit.rows(), 2);
      for (Eigen::Index i = 0; i < logit.rows(); ++i) {
        const double v = logit(i, 0), small = std::exp(-std::abs(v)) / (1 + std::exp(-std::abs(v)));
        two(i, v >= 0 ? 0 : 1) = small;
        two(i, v >= 0 ? 1 : 0) = 1 / (1 + std::exp(-std::abs(v)));
      }
      return two;
    }
    Eigen::MatrixXd result = (logit.colwise() - logit.rowwise().maxCoeff()).array().exp();
    result.array().colwise() /= result.rowwise().sum().array().eval();
    return result;
  }

 private:
  void add_hessian(const Eigen::MatrixXd& probability, Eigen::MatrixXd& hessian) const {
    const Eigen::Index p = x_.cols();
    hessian.setZero(unknowns(), unknowns());
    Eigen::MatrixXd full(x_.rows(), p + 1);
    full.col(0).setOnes();
    full.rightCols(p) = x_;
    for (Eigen::Index r = 0; r < rows_; ++r) {
      for (Eigen::Index s = 0; s <= r; ++s) {
        const auto pr = probability.col(rows_ == 1 ? 1 : r).array(), ps = probability.col(rows_ == 1 ? 1 : s).array();
        const Eigen::VectorXd weight = weight_.array() * (r == s ? (pr * (1 - ps)).eval() : (-pr * ps).eval());
        const Eigen::MatrixXd block = full.transpose() * weight.asDiagonal() * full;
        hessian.block(r * (p + 1), s * (p + 1), p + 1, p + 1) = block;
        if (r != s) hessian.block(s * (p + 1), r * (p + 1), p + 1, p + 1) = block.transpose();
      }
      hessian.diagonal().segment(r * (p + 1) + 1, p).array() += 1;
    }
    if (rows_ == 1) return;
    // A common shift of all intercepts changes nothing; this fixes their sum at 0 without moving the optimum.
    for (Eigen::Index r = 0; r < rows_; ++r) {
      for (Eigen::Index s = 0; s < rows_; ++s) hessian(r * (p + 1), s * (p + 1)) += 1;
    }
  }

  const Eigen::MatrixXd& x_;
  const std::vector<int>& label_;
  Eigen::VectorXd weight_;
  Eigen::Index rows_;
};

struct Minimum {
  Eigen::VectorXd unknown;
  double value = 0, largest_gradient = 0;
  int iterations = 0;
  bool converged = false;
};

Minimum newton(const Objective& objective, double tolerance, int max_iterations) {
  Minimum found{Eigen::VectorXd::Zero(objective.unknowns())};
  Eigen::VectorXd gradient, trial_gradient;
  Eigen::MatrixXd hessian;
  found.value = objective.evaluate(found.unknown, gradient, &hessian);
  for (; found.iterations < max_iterations; ++found.iterations) {
    if (gradient.cwiseAbs().maxCoeff() <= tolerance) found.converged = true;
    const Eigen::VectorXd step = hessian.ldlt().solve(gradient);
    double length = 1;
    double trial = 0;
    for (int halving = 0; halving < 40; ++halving, length /= 2) {
      trial = objective.evaluate(found.unknown - length * step, trial_gradient, nullptr);
      if (trial <= found.value - 1e-4 * length * gradient.dot(step)) break;
    }
    if (!(trial < found.value)) {
      // No descent is left within rounding; a full step that shrinks the gradient is still taken once.
      trial = objective.evaluate(found.unknown - step, trial_gradient, nullptr);
      if (trial_gradient.cwiseAbs().maxCoeff() >= gradient.cwiseAbs().maxCoeff()) break;
      length = 1;
    }
    found.unknown -= length * step;
    found.value = objective.evaluate(found.unknown, gradient, &hessian);
    if (found.converged) break;
  }
  found.largest_gradient = gradient.cwiseAbs().maxCoeff();
  found.converged = found.converged || found.largest_gradient <= 1e3 * tolerance;
  return found;
}

/// Limited-memory BFGS (Liu and Nocedal 1989) with a diagonal first guess of the inverse Hessian.
template <typename Evaluate>
Minimum lbfgs(Evaluate evaluate, const Eigen::VectorXd& inverse_diagonal, double tolerance, int max_iterations) {
  constexpr std::size_t kMemory = 12;
  struct Pair {
    Eigen::VectorXd step, change;
    double curvature;
  };
  std::deque<Pair> memory;
  Minimum found{Eigen::VectorXd::Zero(inverse_diagonal.size())};
  Eigen::VectorXd gradient, next_gradient;
  found.value = evaluate(found.unknown, gradient);
  for (; found.iterations < max_iterations; ++found.iterations) {
    if (gradient.cwiseAbs().maxCoeff() <= tolerance) {
      found.converged = true;
      break;
    }
    Eigen::VectorXd direction = gradient;
    std::vector<double> alpha(memory.size());
    for (std::size_t k = memory.size(); k-- > 0;) {
      alpha[k] = memory[k].step.dot(direction) / memory[k].curvature;
      direction -= alpha[k] * memory[k].change;
    }
    direction = direction.cwiseProduct(inverse_diagonal);
    for (std::size_t k = 0; k < memory.size(); ++k) {
      const double beta = memory[k].change.dot(direction) / memory[k].curvature;
      direction += (alpha[k] - beta) * memory[k].step;
    }
    const double slope = gradient.dot(direction);
    double length = 1, next = 0;
    Eigen::VectorXd candidate;
    bool descended = false;
    for (int halving = 0; halving < 30; ++halving, length /= 2) {
      candidate = found.unknown - length * direction;
      next = evaluate(candidate, next_gradient);
      if (next <= found.value - 1e-4 * length * slope) {
        descended = true;
        break;
      }
    }
    if (!descended) break;
    Pair pair{candidate - found.unknown, next_gradient - gradient, 0};
    pair.curvature = pair.step.dot(pair.change);
    if (pair.curvature > 0) memory.push_back(std::move(pair));
    if (memory.size() > kMemory) memory.pop_front();
    found.unknown = std::move(candidate);
    found.value = next;
    gradient.swap(next_gradient);
  }
  found.largest_gradient = gradient.cwiseAbs().maxCoeff();
  return found;
}

Eigen::VectorXd weights_of(const std::vector<int>& label, int classes, const PenalisedOptions& options) {
  const auto n = static_cast<Eigen::Index>(label.size());
  Eigen::VectorXd weight = options.weights.size() ? options.weights : Eigen::VectorXd::Ones(n);
  if (options.balanced) {
    std::vector<double> size(static_cast<std::size_t>(classes), 0.0);
    for (const int y : label) size[static_cast<std::size_t>(y)] += 1;
    for (Eigen::Index i = 0; i < n; ++i) {
      weight[i] *= static_cast<double>(n) / (classes * size[static_cast<std::size_t>(label[static_cast<std::size_t>(i)])]);
    }
  }
  return weight * options.inverse_strength;
}

int count_classes(Eigen::Index rows, const std::vector<int>& label, const PenalisedOptions& options) {
  if (rows == 0 || static_cast<std::size_t>(rows) != label.size()) {
    throw std::invalid_argument("ridge logistic: rows of x and labels differ, or there are none");
  }
  if (!(options.inverse_strength > 0)) throw std::invalid_argument("ridge logistic: C must be positive");
  if (options.weights.size() != 0 && (options.weights.size() != rows || !(options.weights.minCoeff() >= 0))) {
    throw std::invalid_argument("ridge logistic: weights must be one per row and not negative");
  }
  const int classes = *std::max_element(label.begin(), label.end()) + 1;
  std::vector<bool> seen(static_cast<std::size_t>(std::max(classes, 0)), false);
  for (const int y : label) {
    if (y < 0) throw std::invalid_argument("ridge logistic: a label is negative");
    seen[static_cast<std::size_t>(y)] = true;
  }
  if (classes < 2 || !std::all_of(seen.begin(), seen.end(), [](bool s) { return s; })) {
    throw std::invalid_argument("ridge logistic: labels must be 0 … classes-1 with at least two classes, each present");
  }
  return classes;
}

PenalisedLogistic unpack(const Minimum& minimum, Eigen::Index rows, Eigen::Index p, int classes) {
  PenalisedLogistic model;
  model.classes = classes;
  model.coefficient.resize(rows, p);
  model.intercept.resize(rows);
  for (Eigen::Index r = 0; r < rows; ++r) {
    model.intercept[r] = minimum.unknown[r * (p + 1)];
    model.coefficient.row(r) = minimum.unknown.segment(r * (p + 1) + 1, p).transpose();
  }
  if (rows > 1) model.intercept.array() -= model.intercept.mean();
  model.objective = minimum.value;
  model.largest_gradient = minimum.largest_gradient;
  model.iterations = minimum.iterations;
  model.converged = minimum.converged;
  return model;
}

}  // namespace

PenalisedLogistic fit_ridge_logistic(const Eigen::Ref<const Eigen::MatrixXd>& x, const std::vector<int>& label,
                                     const PenalisedOptions& options) {
  const int classes = count_classes(x.rows(), label, options);
  if (!x.allFinite()) throw std::invalid_argument("ridge logistic: a covariate is not finite");
  const Standardised data = standardise(x);
  const Eigen::Index rows = classes == 2 ? 1 : classes;
  const Eigen::VectorXd weight = weights_of(label, classes, options);
  const Objective objective(data.x, label, weight, rows);
  const double tolerance = options.tolerance * weight.sum();
  Minimum minimum;
  if (objective.unknowns() <= kNewtonLimit) {
    minimum = newton(objective, tolerance, options.max_iterations);
  } else {
    // Curvature at zero of a standardised column: sum of weights times p (1 - p), plus the penalty.
    const double share = 1.0 / classes;
    Eigen::VectorXd inverse = Eigen::VectorXd::Constant(objective.unknowns(), 1 / (1 + share * (1 - share) * weight.sum()));
    minimum =
        lbfgs([&](const Eigen::VectorXd& at, Eigen::VectorXd& gradient) { return objective.evaluate(at, gradient, nullptr); },
              inverse, tolerance, options.max_iterations);
  }
  PenalisedLogistic model = unpack(minimum, rows, x.cols(), classes);
  model.mean = data.mean;
  model.deviation = data.deviation;
  return model;
}

PenalisedLogistic fit_ridge_logistic_large(const RowMatrixF& x, const std::vector<int>& label, const PenalisedOptions& options) {
  if (count_classes(x.rows(), label, options) != 2) {
    throw std::invalid_argument("fit_ridge_logistic_large: two classes are wanted");
  }
  const Eigen::VectorXd weight = weights_of(label, 2, options);
  const Eigen::Index n = x.rows(), p = x.cols(), blocks = (n + kRowsPerBlock - 1) / kRowsPerBlock;
  Eigen::MatrixXd part(p + 1, blocks);
  Eigen::VectorXd part_value(blocks);
  // Rows are read once: logits and their share of the gradient from the same block while it is in cache. Parts are added in
  // order, so digits do not depend on threads.
  const auto evaluate = [&](const Eigen::VectorXd& at, Eigen::VectorXd& gradient) {
    const Eigen::VectorXf w = at.tail(p).cast<float>();
    tbb::parallel_for(tbb::blocked_range<Eigen::Index>(0, blocks, 1), [&](const tbb::blocked_range<Eigen::Index>& range) {
      Eigen::VectorXf logit, residual;
      for (Eigen::Index b = range.begin(); b < range.end(); ++b) {
        const Eigen::Index first = b * kRowsPerBlock, count = std::min(kRowsPerBlock, n - first);
        logit.noalias() = x.middleRows(first, count) * w;
        residual.resize(count);
        double value = 0, sum = 0;
        for (Eigen::Index i = 0; i < count; ++i) {
          const double v = static_cast<double>(logit[i]) + at[0], y = label[static_cast<std::size_t>(first + i)],
                       e = std::exp(-std::abs(v));
          const double probability = v >= 0 ? 1 / (1 + e) : e / (1 + e), scaled = weight[first + i] * (probability - y);
          value += weight[first + i] * (std::log1p(e) + std::max(v, 0.0) - y * v);
          sum += scaled;
          residual[i] = static_cast<float>(scaled);
        }
        part_value[b] = value;
        part(0, b) = sum;
        part.col(b).tail(p) = (x.middleRows(first, count).transpose() * residual).cast<double>();
      }
    });
    gradient = part.rowwise().sum();
    gradient.tail(p) += at.tail(p);
    return part_value.sum() + 0.5 * at.tail(p).squaredNorm();
  };
  const Eigen::VectorXd inverse = Eigen::VectorXd::Constant(p + 1, 1 / (1 + 0.25 * weight.sum()));
  const Minimum minimum = lbfgs(evaluate, inverse, std::max(options.tolerance, 1e-8) * weight.sum(), options.max_iterations);
  PenalisedLogistic model = unpack(minimum, 1, p, 2);
  model.mean = Eigen::RowVectorXd::Zero(p);
  model.deviation = Eigen::RowVectorXd::Ones(p);
  return model;
}

Eigen::MatrixXd PenalisedLogistic::predict_probability(const Eigen::Ref<const Eigen::MatrixXd>& x) const {
  if (x.cols() != mean.size()) throw std::invalid_argument("ridge logistic: x has another number of columns than the model");
  const Eigen::MatrixXd scaled = (x.rowwise() - mean).array().rowwise() / deviation.array();
  return Objective::softmax((scaled * coefficient.transpose()).rowwise() + intercept.transpose());
}

LassoPath lasso_logistic_path(const Eigen::Ref<const Eigen::MatrixXd>& x, const std::vector<int>& label, int lambdas,
                              double smallest_ratio) {
  if (count_classes(x.rows(), label, {}) != 2) throw std::invalid_argument("lasso_logistic_path: two classes are wanted");
  const Standardised data = standardise(x);
  const Eigen::Index n = x.rows();
  Eigen::VectorXd y(n);
  for (Eigen::Index i = 0; i < n; ++i) y[i] = label[static_cast<std::size_t>(i)];
  const double rate = y.mean();
  const Eigen::VectorXd start = y.array() - rate;
  LassoPath path;
  path.mean = data.mean;
  path.deviation = data.deviation;
  path.lambda = lambda_path((data.x.transpose() * start).cwiseAbs().maxCoeff() / static_cast<double>(n), lambdas, smallest_ratio);
  path.coefficient.resize(x.cols(), lambdas);
  path.intercept.resize(lambdas);
  Eigen::VectorXd w = Eigen::VectorXd::Zero(x.cols());
  double intercept = std::log(rate / (1 - rate));
  for (int k = 0; k < lambdas; ++k) {
    const Reweigh logistic = [&](const Eigen::VectorXd& eta, Eigen::VectorXd& gradient, Eigen::VectorXd& curvature) {
      for (Eigen::Index i = 0; i < n; ++i) {
        const double p = 1 / (1 + std::exp(-eta[i]));
        gradient[i] = y[i] - p;
        curvature[i] = std::max(p * (1 - p), 1e-5);
      }
    };
    const ElasticNet penalty{path.lambda[static_cast<std::size_t>(k)], 1};
    path.converged.push_back(coordinate_descent(data.x, logistic, penalty, w, &intercept));
    path.coefficient.col(k) = w;
    path.intercept[k] = intercept;
  }
  return path;
}

}  // namespace clmnet::survival
