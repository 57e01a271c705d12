#pragma once

#include <Eigen/Core>
#include <vector>

namespace clmnet::survival {

using RowMatrixF = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct PenalisedOptions {
  double inverse_strength = 1;     ///< C of scikit-learn: 0.5 |w|^2 + C sum(weight * log loss)
  bool balanced = false;           ///< weight n / (classes * size of the class)
  Eigen::VectorXd weights;         ///< empty or n
  int max_iterations = 1000;
  double tolerance = 1e-10;        ///< on the largest entry of the gradient, relative to C * n
};

/// Ridge logistic regression; softmax for three classes and more, one row of coefficients for two. Columns are standardised
/// with the population deviation (constant ones divided by 1), the intercept is not penalised.
struct PenalisedLogistic {
  Eigen::RowVectorXd mean, deviation;   ///< p
  Eigen::MatrixXd coefficient;          ///< rows x p, on the standardised scale; rows = 1 for two classes, else classes
  Eigen::VectorXd intercept;            ///< rows; those of softmax add up to 0
  double objective = 0, largest_gradient = 0;
  int classes = 2, iterations = 0;
  bool converged = false;

  /// n x p on the scale of the data -> n x classes.
  Eigen::MatrixXd predict_probability(const Eigen::Ref<const Eigen::MatrixXd>& x) const;
};

/// x n x p finite, label 0 … classes-1, each class at least once. Newton's method for small problems, L-BFGS for large ones.
/// Throws std::invalid_argument otherwise or when sizes differ or C is not positive.
PenalisedLogistic fit_ridge_logistic(const Eigen::Ref<const Eigen::MatrixXd>& x, const std::vector<int>& label,
                                     const PenalisedOptions& options = {});

/// The same for two classes and a matrix that is standardised already and large: single precision values, double sums.
/// The model's mean is 0 and its deviation 1.
PenalisedLogistic fit_ridge_logistic_large(const RowMatrixF& x, const std::vector<int>& label,
                                           const PenalisedOptions& options = {});

/// Lasso logistic regression for two classes: mean log loss + lambda |w|_1 over a descending path, by coordinate descent
/// (Friedman et al. 2010). Coefficients are on the standardised scale.
struct LassoPath {
  Eigen::RowVectorXd mean, deviation;
  std::vector<double> lambda;
  Eigen::MatrixXd coefficient;   ///< p x lambdas
  Eigen::VectorXd intercept;     ///< lambdas; empty for Cox
  std::vector<bool> converged;
};
LassoPath lasso_logistic_path(const Eigen::Ref<const Eigen::MatrixXd>& x, const std::vector<int>& label, int lambdas = 50,
                              double smallest_ratio = 0.01);

}  // namespace clmnet::survival
