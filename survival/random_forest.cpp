#include "survival/random_forest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "survival/classification_tree.h"
#include "survival/forest_file.h"
#include "survival/random.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

int majority(const double* fraction, int classes) {
  return static_cast<int>(std::max_element(fraction, fraction + classes) - fraction);
}

int count_classes(std::span<const int> label) {
  int largest = 0;
  for (const int k : label) {
    if (k < 0 || k > 255) throw std::invalid_argument("labels must be 0 … 255, found " + std::to_string(k));
    largest = std::max(largest, k);
  }
  return largest + 1;
}

}  // namespace

void check_forest_options(ForestOptions& options, int features) {
  if (options.trees < 1) throw std::invalid_argument("a forest needs at least one tree");
  if (options.min_leaf < 1 || options.min_split < 2) {
    throw std::invalid_argument("min_leaf must be at least 1 and min_split at least 2");
  }
  if (options.features_per_split == 0) options.features_per_split = static_cast<int>(std::sqrt(features));
  if (options.features_per_split < 1 || options.features_per_split > features) {
    throw std::invalid_argument("features_per_split must be 1 … " + std::to_string(features) + ", found " +
                                std::to_string(options.features_per_split));
  }
}

ClassScores class_scores(const Eigen::MatrixXd& probability, std::span<const int> label, double clip) {
  if (static_cast<std::size_t>(probability.rows()) != label.size()) {
    throw std::invalid_argument("class_scores: probability and label differ in rows");
  }
  ClassScores scores;
  int right = 0;
  for (Eigen::Index i = 0; i < probability.rows(); ++i) {
    if (label[i] < 0 || label[i] >= probability.cols()) throw std::invalid_argument("class_scores: label out of range");
    if (std::isnan(probability(i, 0))) continue;
    ++scores.n;
    Eigen::Index best = 0;
    probability.row(i).maxCoeff(&best);
    right += best == label[i];
    const double p = probability(i, label[i]);
    scores.brier_true += (1 - p) * (1 - p);
    scores.brier += probability.row(i).squaredNorm() - p * p + (1 - p) * (1 - p);
    scores.log_loss -= std::log(std::clamp(p, clip, 1 - clip));
  }
  const double n = scores.n > 0 ? scores.n : kNaN;
  scores.accuracy = right / n;
  scores.brier_true /= n;
  scores.brier /= n;
  scores.log_loss /= n;
  return scores;
}

RandomForest RandomForest::fit(const Eigen::Ref<const Eigen::MatrixXd>& x, std::span<const int> label,
                               const ForestOptions& options) {
  require_finite(x);
  if (static_cast<std::size_t>(x.rows()) != label.size()) {
    throw std::invalid_argument("RandomForest: x has " + std::to_string(x.rows()) + " rows and label " +
                                std::to_string(label.size()));
  }
  RandomForest forest;
  forest.options_ = options;
  check_forest_options(forest.options_, static_cast<int>(x.cols()));
  forest.classes_ = count_classes(label);
  forest.training_rows_ = static_cast<int>(x.rows());
  const auto grower = make_classification_grower(x, label, forest.classes_, forest.options_);
  const int trees = options.trees;
  forest.trees_.resize(trees);
  forest.leaf_fraction_.resize(trees);
  std::vector<std::vector<double>> decrease(trees);
  for_each_index(trees, options.threads, [&](int t) {
    auto grown = grower->grow(t);
    grown.tree.nodes.shrink_to_fit();
    grown.leaf_fraction.shrink_to_fit();
    forest.trees_[t] = std::move(grown.tree);
    forest.leaf_fraction_[t] = std::move(grown.leaf_fraction);
    decrease[t] = std::move(grown.impurity_decrease);
  });
  forest.gini_importance_ = Eigen::VectorXd::Zero(x.cols());
  for (const auto& one : decrease) forest.gini_importance_ += Eigen::Map<const Eigen::VectorXd>(one.data(), x.cols());
  forest.gini_importance_ /= trees;
  return forest;
}

Eigen::MatrixXd RandomForest::predict_probability(const Eigen::Ref<const Eigen::MatrixXd>& x) const {
  if (x.cols() != features()) throw std::invalid_argument("RandomForest: x has another number of features");
  Eigen::MatrixXd result = Eigen::MatrixXd::Zero(x.rows(), classes_);
  for_each_row_block(x, options_.threads, [&](int first, int count, const double* rows) {
    for (std::size_t t = 0; t < trees_.size(); ++t) {
      for (int i = 0; i < count; ++i) {
        const double* fraction =
            leaf_fraction_[t].data() + static_cast<std::size_t>(trees_[t].leaf_of(rows + i * x.cols())) * classes_;
        for (int k = 0; k < classes_; ++k) result(first + i, k) += fraction[k];
      }
    }
  });
  return result / static_cast<double>(trees_.size());
}

Eigen::MatrixXd RandomForest::predict_vote(const Eigen::Ref<const Eigen::MatrixXd>& x) const {
  if (x.cols() != features()) throw std::invalid_argument("RandomForest: x has another number of features");
  Eigen::MatrixXd result = Eigen::MatrixXd::Zero(x.rows(), classes_);
  for_each_row_block(x, options_.threads, [&](int first, int count, const double* rows) {
    for (std::size_t t = 0; t < trees_.size(); ++t) {
      for (int i = 0; i < count; ++i) {
        const auto leaf = static_cast<std::size_t>(trees_[t].leaf_of(rows + i * x.cols()));
        result(first + i, majority(leaf_fraction_[t].data() + leaf * classes_, classes_)) += 1;
      }
    }
  });
  return result / static_cast<double>(trees_.size());
}

ForestOutOfBag RandomForest::out_of_bag(const Eigen::Ref<const Eigen::MatrixXd>& x) const {
  if (x.rows() != training_rows_ || x.cols() != features()) {
    throw std::invalid_argument("RandomForest: out-of-bag error needs the rows that the forest was fitted to");
  }
  const int trees = static_cast<int>(trees_.size());
  std::vector<std::vector<std::uint8_t>> bag(trees);
  for_each_index(trees, options_.threads, [&](int t) { bag[t] = bootstrap_counts(training_rows_, options_.seed, t); });
  ForestOutOfBag out;
  out.probability = Eigen::MatrixXd::Zero(x.rows(), classes_);
  out.vote = Eigen::MatrixXd::Zero(x.rows(), classes_);
  out.trees.assign(training_rows_, 0);
  for_each_row_block(x, options_.threads, [&](int first, int count, const double* rows) {
    for (int t = 0; t < trees; ++t) {
      for (int i = 0; i < count; ++i) {
        if (bag[t][first + i] != 0) continue;
        const auto leaf = static_cast<std::size_t>(trees_[t].leaf_of(rows + i * x.cols()));
        const double* fraction = leaf_fraction_[t].data() + leaf * classes_;
        for (int k = 0; k < classes_; ++k) out.probability(first + i, k) += fraction[k];
        out.vote(first + i, majority(fraction, classes_)) += 1;
        ++out.trees[first + i];
      }
    }
    for (int i = first; i < first + count; ++i) {
      const double seen = out.trees[i] > 0 ? out.trees[i] : kNaN;
      out.probability.row(i) /= seen;
      out.vote.row(i) /= seen;
    }
  });
  return out;
}

namespace {

// Rows of one tree's out-of-bag sample and, for each feature, which of them meet it on their way: only those can end in
// another leaf when the feature is shuffled.
struct OutOfBagPaths {
  std::vector<int> rows;                              // out-of-bag rows
  std::vector<std::pair<std::int32_t, int>> meets;    // (feature, place in `rows`), sorted, each once
};

OutOfBagPaths trace(const DecisionTree& tree, const std::vector<std::uint8_t>& bag,
                    const Eigen::Ref<const Eigen::MatrixXd>& x) {
  OutOfBagPaths paths;
  for (std::size_t row = 0; row < bag.size(); ++row) {
    if (bag[row] != 0) continue;
    const int place = static_cast<int>(paths.rows.size());
    paths.rows.push_back(static_cast<int>(row));
    const auto* node = tree.nodes.data();
    while (node->feature >= 0) {
      paths.meets.emplace_back(node->feature, place);
      node = tree.nodes.data() + node->next + (x(row, node->feature) <= node->threshold ? 0 : 1);
    }
  }
  std::sort(paths.meets.begin(), paths.meets.end());
  paths.meets.erase(std::unique(paths.meets.begin(), paths.meets.end()), paths.meets.end());
  return paths;
}

}  // namespace

std::int32_t leaf_with_value(const DecisionTree& tree, const Eigen::Ref<const Eigen::MatrixXd>& x, int row, int feature,
                             double value) {
  const auto* node = tree.nodes.data();
  while (node->feature >= 0) {
    const double here = node->feature == feature ? value : x(row, node->feature);
    node = tree.nodes.data() + node->next + (here <= node->threshold ? 0 : 1);
  }
  return node->next;
}

PermutationImportance RandomForest::permutation_importance(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                                           std::span<const int> label) const {
  if (x.rows() != training_rows_ || x.cols() != features() || label.size() != static_cast<std::size_t>(x.rows())) {
    throw std::invalid_argument("RandomForest: importance needs the rows that the forest was fitted to");
  }
  const int trees = static_cast<int>(trees_.size());
  std::vector<std::vector<std::pair<std::int32_t, double>>> loss(trees);  // per tree: feature, loss of accuracy
  for_each_index(trees, options_.threads, [&](int t) {
    const auto paths = trace(trees_[t], bootstrap_counts(training_rows_, options_.seed, t), x);
    if (paths.rows.empty()) return;
    const auto hit = [&](std::int32_t leaf, int row) {
      const auto* fraction = leaf_fraction_[t].data() + static_cast<std::size_t>(leaf) * classes_;
      return majority(fraction, classes_) == label[row] ? 1 : 0;
    };
    std::vector<int> shuffled;
    for (std::size_t i = 0; i < paths.meets.size();) {
      const std::int32_t feature = paths.meets[i].first;
      // Seeded by tree and feature, so that neither threads nor other features change a feature's shuffle.
      Random random(options_.seed ^ 0x7065726D75746564ULL, static_cast<std::uint64_t>(t) * features() + feature);
      shuffled = paths.rows;
      for (std::size_t j = shuffled.size(); j > 1; --j) {
        std::swap(shuffled[j - 1], shuffled[random.below(static_cast<std::uint32_t>(j))]);
      }
      int lost = 0;
      for (; i < paths.meets.size() && paths.meets[i].first == feature; ++i) {
        const int place = paths.meets[i].second, row = paths.rows[place];
        lost += hit(leaf_with_value(trees_[t], x, row, feature, x(row, feature)), row);
        lost -= hit(leaf_with_value(trees_[t], x, row, feature, x(shuffled[place], feature)), row);
      }
      loss[t].emplace_back(feature, static_cast<double>(lost) / static_cast<double>(paths.rows.size()));
    }
  });
  return importance_over_trees(loss, features());
}

PermutationImportance importance_over_trees(const std::vector<std::vector<std::pair<std::int32_t, double>>>& loss,
                                            int features) {
  const double trees = static_cast<double>(loss.size());
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(features), squares = Eigen::VectorXd::Zero(features);
  for (const auto& tree : loss) {
    for (const auto& [feature, value] : tree) {
      sum[feature] += value;
      squares[feature] += value * value;
    }
  }
  PermutationImportance result;
  result.mean = sum / trees;
  const Eigen::VectorXd centred = (squares - sum.cwiseAbs2() / trees).cwiseMax(0.0);
  result.std_err = trees > 1 ? Eigen::VectorXd((centred / (trees - 1) / trees).cwiseSqrt())
                             : Eigen::VectorXd::Constant(features, kNaN);
  return result;
}

void RandomForest::save(const std::filesystem::path& path, std::span<const std::string> feature_names) const {
  ForestFile file;
  file.kind = "classification";
  file.options = options_;
  file.training_rows = training_rows_;
  file.features = features();
  file.classes = classes_;
  file.feature_names.assign(feature_names.begin(), feature_names.end());
  file.trees = trees_;
  file.arrays["leaf_fraction"] = leaf_fraction_;
  file.arrays["gini_importance"] = {{gini_importance_.begin(), gini_importance_.end()}};
  write_forest_file(path, file);
}

RandomForest RandomForest::load(const std::filesystem::path& path, std::vector<std::string>* feature_names) {
  ForestFile file = read_forest_file(path, "classification");
  RandomForest forest;
  forest.options_ = file.options;
  forest.classes_ = file.classes;
  forest.training_rows_ = file.training_rows;
  forest.trees_ = std::move(file.trees);
  forest.leaf_fraction_ = file.take_array("leaf_fraction", path);
  const auto importance = file.take_array("gini_importance", path);
  if (importance.size() != 1 || importance[0].size() != static_cast<std::size_t>(file.features) ||
      forest.leaf_fraction_.size() != forest.trees_.size()) {
    throw_damaged(path);
  }
  for (std::size_t t = 0; t < forest.trees_.size(); ++t) {
    if (forest.leaf_fraction_[t].size() != static_cast<std::size_t>(forest.trees_[t].leaves) * file.classes) {
      throw_damaged(path);
    }
  }
  forest.gini_importance_ = Eigen::Map<const Eigen::VectorXd>(importance[0].data(), file.features);
  if (feature_names) *feature_names = std::move(file.feature_names);
  return forest;
}

}  // namespace clmnet::survival
