#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "survival/decision_tree.h"

namespace clmnet::survival {

/// Settings that both forests share. Row counts are those of the bootstrap sample: a row drawn twice counts twice.
struct ForestOptions {
  int trees = 500;
  int features_per_split = 0;  ///< "mtry", drawn anew at each node; 0 means floor(sqrt(p))
  int min_leaf = 1;            ///< no leaf has fewer rows (scikit-learn's min_samples_leaf)
  int min_split = 2;           ///< smaller nodes are not split (min_samples_split; ranger's min.node.size + 1)
  /// When every drawn feature is constant in a node: draw on until one is not (scikit-learn), or make it a leaf (ranger).
  bool replace_constant = true;
  std::uint64_t seed = 1;
  int threads = 0;             ///< 0: as many as the machine has. The result does not depend on it.
};

/// How well class probabilities fit known classes. Rows whose probabilities are NaN are left out and not counted.
struct ClassScores {
  int n = 0;                   ///< rows that counted
  double accuracy = 0;         ///< share of rows whose most probable class is theirs; ties go to the lower class
  double brier_true = 0;       ///< mean of (1 - p_true)^2, as ranger's prediction error
  double brier = 0;            ///< mean of sum_k (y_k - p_k)^2 (Brier 1950); twice brier_true for two classes
  double log_loss = 0;         ///< mean of -log p_true, p clipped to [clip, 1 - clip]
};

/// probability [n, classes], label 0 … classes-1. All scores are NaN when no row counts.
/// Throws std::invalid_argument when the sizes differ or a label is out of range.
ClassScores class_scores(const Eigen::MatrixXd& probability, std::span<const int> label, double clip = 1e-15);

/// What the trees say about rows that they did not see; NaN in rows that were in every tree's bag.
struct ForestOutOfBag {
  Eigen::MatrixXd probability;  ///< [n, classes], mean of leaf class fractions
  Eigen::MatrixXd vote;         ///< [n, classes], share of the trees that vote for the class
  std::vector<int> trees;       ///< [n], trees that did not see the row
};

/// Loss of accuracy when a feature's values are shuffled among a tree's out-of-bag rows (Breiman 2001).
struct PermutationImportance {
  Eigen::VectorXd mean;     ///< [p], mean over trees, not divided by its error; negative for noise about half of the time
  Eigen::VectorXd std_err;  ///< [p], standard deviation over trees / sqrt(trees)
};

/// Random forest for classes (Breiman 2001, Machine Learning 45:5-32): trees on bootstrap samples of all rows, split by
/// Gini impurity at midpoints between neighbouring values; every value is tried (no histogram).
/// Any thread may call the const functions.
class RandomForest {
 public:
  /// x [n, p], finite; label 0 … classes-1 (classes = largest label + 1, at most 256).
  /// Throws std::invalid_argument when the sizes differ, n or p is 0, a value is not finite or an option is out of range.
  /// Memory: 2 bytes for each value of x (4 when there are over 65,536 rows) and the trees.
  static RandomForest fit(const Eigen::Ref<const Eigen::MatrixXd>& x, std::span<const int> label,
                          const ForestOptions& options = {});

  /// [n, p] -> [n, classes]: mean over trees of the class fractions in the leaf (scikit-learn; ranger's probability forest).
  Eigen::MatrixXd predict_probability(const Eigen::Ref<const Eigen::MatrixXd>& x) const;
  /// [n, p] -> [n, classes]: share of trees whose leaf has its majority in the class, ties to the lower class (Breiman).
  Eigen::MatrixXd predict_vote(const Eigen::Ref<const Eigen::MatrixXd>& x) const;

  /// For the x that the forest was fitted to: the bags are drawn again from the seed.
  /// Throws std::invalid_argument when x has another size than at fitting.
  ForestOutOfBag out_of_bag(const Eigen::Ref<const Eigen::MatrixXd>& x) const;
  /// For the x and label that the forest was fitted to; throws as out_of_bag.
  PermutationImportance permutation_importance(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                               std::span<const int> label) const;
  /// [p]: decrease of Gini impurity, weighted by rows, summed over all nodes, divided by the number of trees.
  const Eigen::VectorXd& gini_importance() const { return gini_importance_; }

  int classes() const { return classes_; }
  int features() const { return static_cast<int>(gini_importance_.size()); }
  int training_rows() const { return training_rows_; }
  const ForestOptions& options() const { return options_; }
  const std::vector<DecisionTree>& trees() const { return trees_; }

  /// One file, whole or absent; `feature_names` (empty or p of them) travel with it.
  void save(const std::filesystem::path& path, std::span<const std::string> feature_names = {}) const;
  /// Throws InputError when the file is missing, damaged or not a forest for classes.
  static RandomForest load(const std::filesystem::path& path, std::vector<std::string>* feature_names = nullptr);

 private:
  RandomForest() = default;
  ForestOptions options_;
  int classes_ = 0;
  int training_rows_ = 0;
  std::vector<DecisionTree> trees_;
  std::vector<std::vector<double>> leaf_fraction_;  ///< per tree [leaves * classes]
  Eigen::VectorXd gini_importance_;
};

}  // namespace clmnet::survival
