#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "survival/decision_tree.h"
#include "survival/random_forest.h"

namespace clmnet::survival {

/// One tree of a survival forest. A leaf keeps its Nelson-Aalen steps only where it has deaths.
struct SurvivalTree {
  DecisionTree tree;
  std::vector<std::uint32_t> leaf_begin;  ///< [leaves + 1], a leaf's steps are leaf_begin[l] … leaf_begin[l + 1] - 1
  std::vector<std::uint32_t> step_time;   ///< position on the forest's grid of event times, ascending in a leaf
  std::vector<double> step_hazard;        ///< deaths / at risk, in the leaf at that time
};

/// Right-censored times as places on a grid of event times; rows in ascending order of `last`.
struct GridOutcome {
  std::vector<std::int32_t> last;    ///< n: number of grid times <= the row's time; at risk at grid times 0 … last - 1
  std::vector<std::uint8_t> event;   ///< n: 1 when the row's event is at grid time last - 1
  int times = 0;                     ///< length of the grid
};

/// Grows single trees of one forest by log-rank splits. Made once; grow() may be called from any thread.
class SurvivalTreeGrower {
 public:
  virtual ~SurvivalTreeGrower() = default;
  virtual SurvivalTree grow(int tree) const = 0;
};

/// x [n, p] as fitted, finite; order[i] is the row of x that stands at place i of `outcome`. Bags are drawn over rows of x.
/// x must outlive the grower.
std::unique_ptr<SurvivalTreeGrower> make_survival_grower(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                                         std::vector<std::int32_t> order, GridOutcome outcome,
                                                         const ForestOptions& options);

}  // namespace clmnet::survival
