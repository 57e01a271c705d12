#pragma once

#include <memory>
#include <span>
#include <vector>

#include "survival/decision_tree.h"
#include "survival/random_forest.h"

namespace clmnet::survival {

/// What growing one tree leaves behind.
struct ClassificationTree {
  DecisionTree tree;
  std::vector<double> leaf_fraction;  ///< [leaves * classes]
  std::vector<double> impurity_decrease;  ///< [p], sum over nodes of rows * (Gini - weighted Gini of the children)
};

/// Grows single trees of one forest. Made once; grow() may be called from any thread.
class ClassificationTreeGrower {
 public:
  virtual ~ClassificationTreeGrower() = default;
  virtual ClassificationTree grow(int tree) const = 0;
};

/// x and label as RandomForest::fit, already checked; they must outlive the grower. features_per_split is > 0 here.
std::unique_ptr<ClassificationTreeGrower> make_classification_grower(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                                                     std::span<const int> label, int classes,
                                                                     const ForestOptions& options);

}  // namespace clmnet::survival
