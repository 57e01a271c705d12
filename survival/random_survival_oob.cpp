// Out-of-bag error and permutation importance of the survival forest.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "survival/forest_file.h"
#include "survival/random.h"
#include "survival/random_survival_forest.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

// Harrell's C of one set of rows with many risks: the rows' order in time is worked out once.
// A pair counts when the earlier time is an event; at one time an event comes before those censored there, and two events
// are not compared. Equal risks count half.
class Concordance {
 public:
  Concordance(const Outcome& merged, const std::vector<int>& rows) : rows_(rows), order_(rows.size()) {
    std::iota(order_.begin(), order_.end(), 0);
    const auto later = [&](int a, int b) { return merged.time[rows[a]] > merged.time[rows[b]]; };
    std::stable_sort(order_.begin(), order_.end(), later);
    for (const int place : order_) {
      time_.push_back(merged.time[rows[place]]);
      event_.push_back(merged.event[rows[place]]);
    }
  }

  /// risk[i] belongs to rows[i]; NaN without a pair that counts. O(n log n).
  double operator()(const std::vector<double>& risk) {
    sorted_ = risk;
    std::sort(sorted_.begin(), sorted_.end());
    sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
    tree_.assign(sorted_.size() + 1, 0);
    inserted_ = 0;
    double concordant = 0, pairs = 0;
    for (std::size_t begin = 0; begin < order_.size();) {
      std::size_t end = begin;
      while (end < order_.size() && time_[end] == time_[begin]) ++end;
      for (std::size_t i = begin; i < end; ++i) {
        if (!event_[i]) insert(place_of(risk[order_[i]]));
      }
      for (std::size_t i = begin; i < end; ++i) {
        if (!event_[i]) continue;
        const std::size_t place = place_of(risk[order_[i]]);
        const double below = up_to(place - 1), not_above = up_to(place);
        concordant += below + (not_above - below) / 2;
        pairs += inserted_;
      }
      for (std::size_t i = begin; i < end; ++i) {
        if (event_[i]) insert(place_of(risk[order_[i]]));
      }
      begin = end;
    }
    return pairs > 0 ? concordant / pairs : kNaN;
  }

 private:
  std::size_t place_of(double value) const {
    return static_cast<std::size_t>(std::lower_bound(sorted_.begin(), sorted_.end(), value) - sorted_.begin()) + 1;
  }
  void insert(std::size_t place) {
    ++inserted_;
    for (std::size_t i = place; i < tree_.size(); i += i & (~i + 1)) ++tree_[i];
  }
  double up_to(std::size_t place) const {
    int sum = 0;
    for (std::size_t i = place; i > 0; i -= i & (~i + 1)) sum += tree_[i];
    return sum;
  }

  const std::vector<int>& rows_;
  std::vector<int> order_;   // places in rows_, latest time first
  std::vector<double> time_, sorted_;
  std::vector<std::uint8_t> event_;
  std::vector<int> tree_;
  double inserted_ = 0;
};

}  // namespace

SurvivalOutOfBag RandomSurvivalForest::out_of_bag(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                                  const Outcome& outcome) const {
  require_training(x, outcome);
  const int trees = static_cast<int>(trees_.size());
  std::vector<std::vector<std::uint8_t>> bag(trees);
  for_each_index(trees, options_.threads, [&](int t) { bag[t] = bootstrap_counts(training_rows_, options_.seed, t); });
  SurvivalOutOfBag out;
  out.mortality = Eigen::VectorXd::Zero(x.rows());
  out.trees.assign(training_rows_, 0);
  for_each_row_block(x, options_.threads, [&](int first, int count, const double* rows) {
    for (int t = 0; t < trees; ++t) {
      for (int i = 0; i < count; ++i) {
        if (bag[t][first + i] != 0) continue;
        const auto leaf = trees_[t].tree.leaf_of(rows + static_cast<std::size_t>(i) * x.cols());
        out.mortality[first + i] += leaf_mortality_[t][leaf];
        ++out.trees[first + i];
      }
    }
  });
  std::vector<int> seen;
  std::vector<double> risk;
  for (int i = 0; i < training_rows_; ++i) {
    out.mortality[i] /= out.trees[i] > 0 ? out.trees[i] : kNaN;
    if (out.trees[i] == 0) continue;
    seen.push_back(i);
    risk.push_back(out.mortality[i]);
  }
  out.c_index = Concordance(merge_close_times(outcome), seen)(risk);
  return out;
}

PermutationImportance RandomSurvivalForest::permutation_importance(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                                                   const Outcome& outcome) const {
  require_training(x, outcome);
  const Outcome merged = merge_close_times(outcome);
  const int trees = static_cast<int>(trees_.size());
  std::vector<std::vector<std::pair<std::int32_t, double>>> loss(trees);
  for_each_index(trees, options_.threads, [&](int t) {
    const auto& tree = trees_[t].tree;
    const auto bag = bootstrap_counts(training_rows_, options_.seed, t);
    std::vector<int> rows;
    for (int i = 0; i < training_rows_; ++i) {
      if (bag[i] == 0) rows.push_back(i);
    }
    if (rows.empty()) return;
    std::vector<int> used;
    for (const auto& node : tree.nodes) {
      if (node.feature >= 0) used.push_back(node.feature);
    }
    std::sort(used.begin(), used.end());
    used.erase(std::unique(used.begin(), used.end()), used.end());
    Concordance concordance(merged, rows);
    std::vector<double> risk(rows.size());
    const auto risk_with = [&](int feature, const std::vector<int>& source) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const double value = feature >= 0 ? x(source[i], feature) : 0;
        risk[i] = leaf_mortality_[t][leaf_with_value(tree, x, rows[i], feature, value)];
      }
      return concordance(risk);
    };
    const double whole = risk_with(-1, rows);
    if (std::isnan(whole)) return;
    for (const int feature : used) {
      Random random(options_.seed ^ 0x7065726D75746564ULL, static_cast<std::uint64_t>(t) * features_ + feature);
      std::vector<int> shuffled = rows;
      for (std::size_t j = shuffled.size(); j > 1; --j) {
        std::swap(shuffled[j - 1], shuffled[random.below(static_cast<std::uint32_t>(j))]);
      }
      loss[t].emplace_back(feature, whole - risk_with(feature, shuffled));
    }
  });
  return importance_over_trees(loss, features_);
}

}  // namespace clmnet::survival
