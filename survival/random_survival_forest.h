#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "survival/outcome.h"
#include "survival/random_forest.h"
#include "survival/survival_tree.h"

namespace clmnet::survival {

/// What the trees say about rows that they did not see.
struct SurvivalOutOfBag {
  Eigen::VectorXd mortality;  ///< [n]; NaN in rows that were in every tree's bag
  std::vector<int> trees;     ///< [n], trees that did not see the row
  double c_index = 0;         ///< Harrell's C of mortality over rows with at least one such tree; NaN when undefined
};

/// Random survival forest (Ishwaran et al. 2008, Ann Appl Stat 2(3):841-860): trees on bootstrap samples of all rows, each
/// node cut where the log-rank statistic of its two sides is largest; every value is tried. Leaves hold Nelson-Aalen
/// estimates. Defaults of options: min_leaf 1; use 3 for what ranger and scikit-survival do by default.
/// Times that differ only by rounding are merged as everywhere (merge_close_times). Any thread may call the const functions.
class RandomSurvivalForest {
 public:
  /// x [n, p], finite; outcome [n] without late entry.
  /// Throws std::invalid_argument when sizes differ, a value is not finite, there is late entry, or an option is out of
  /// range. Without any event the trees are single leaves and all hazards 0.
  static RandomSurvivalForest fit(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome,
                                  const ForestOptions& options = {});

  /// Distinct event times of the training data, ascending: the grid of all curves.
  const std::vector<double>& event_times() const { return event_times_; }

  /// [m, p] -> [m, times]: cumulative hazard, the mean over trees of the leaf's Nelson-Aalen estimate, right-continuous;
  /// beyond the last event time it stays flat. `times` ascending.
  Eigen::MatrixXd predict_cumulative_hazard(const Eigen::Ref<const Eigen::MatrixXd>& x, std::span<const double> times) const;
  /// [m, p] -> [m, times]: survival, the mean over trees of the leaf's Kaplan-Meier estimate (scikit-survival's definition).
  Eigen::MatrixXd predict_survival(const Eigen::Ref<const Eigen::MatrixXd>& x, std::span<const double> times) const;
  /// [m, p] -> [m]: mortality, the cumulative hazard summed over event_times(): the number of events to be expected were
  /// everyone like this row. The risk score of ranger and scikit-survival.
  Eigen::VectorXd predict_mortality(const Eigen::Ref<const Eigen::MatrixXd>& x) const;

  /// For the x and outcome that the forest was fitted to: the bags are drawn again from the seed.
  /// Throws std::invalid_argument when they have another size than at fitting.
  SurvivalOutOfBag out_of_bag(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome) const;
  /// Loss of Harrell's C among a tree's out-of-bag rows when a feature's values are shuffled there, mean over trees.
  PermutationImportance permutation_importance(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome) const;

  int features() const { return features_; }
  int training_rows() const { return training_rows_; }
  const ForestOptions& options() const { return options_; }
  const std::vector<SurvivalTree>& trees() const { return trees_; }

  /// One file, whole or absent; `feature_names` (empty or p of them) travel with it.
  void save(const std::filesystem::path& path, std::span<const std::string> feature_names = {}) const;
  /// Throws InputError when the file is missing, damaged or not a survival forest.
  static RandomSurvivalForest load(const std::filesystem::path& path, std::vector<std::string>* feature_names = nullptr);

 private:
  RandomSurvivalForest() = default;
  void sum_up_leaves();
  void require_training(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome) const;
  Eigen::MatrixXd predict_curve(const Eigen::Ref<const Eigen::MatrixXd>& x, std::span<const double> times,
                                bool survival) const;

  ForestOptions options_;
  int features_ = 0;
  int training_rows_ = 0;
  std::vector<double> event_times_;
  std::vector<SurvivalTree> trees_;
  std::vector<std::vector<double>> leaf_mortality_;  ///< per tree [leaves]
};

}  // namespace clmnet::survival
