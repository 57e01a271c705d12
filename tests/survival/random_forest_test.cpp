#include "survival/random_forest.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "survival/random.h"
#include "tests/survival/forest_data.h"

namespace clmnet::survival {
namespace {

using Data = ForestData;

using Counts = std::vector<double>;

double impurity_sum(const Counts& counts) {  // rows * Gini
  double n = 0, squares = 0;
  for (const double c : counts) n += c, squares += c * c;
  return n > 0 ? n - squares / n : 0;
}

// Follows the bag down a tree and, at each node, tries every feature and every value from scratch.
class SlowCheck {
 public:
  SlowCheck(const Data& data, int classes, const ForestOptions& options, int tree_number, const DecisionTree& tree)
      : data_(data), classes_(classes), options_(options), tree_(tree),
        bag_(bootstrap_counts(static_cast<int>(data.label.size()), options.seed, tree_number)) {}

  void run() {
    std::vector<int> rows;
    for (std::size_t i = 0; i < bag_.size(); ++i) {
      if (bag_[i]) rows.push_back(static_cast<int>(i));
    }
    check(0, rows);
  }
  std::map<int, Counts> leaf_counts;

 private:
  Counts count(const std::vector<int>& rows) const {
    Counts counts(classes_, 0.0);
    for (const int row : rows) counts[data_.label[row]] += bag_[row];
    return counts;
  }
  static double total(const Counts& counts) { return std::accumulate(counts.begin(), counts.end(), 0.0); }

  void check(int node, const std::vector<int>& rows) {
    const Counts here = count(rows);
    double best = -1;
    for (int j = 0; j < data_.x.cols(); ++j) {
      for (const int cut : rows) {
        std::vector<int> left, right;
        for (const int row : rows) (data_.x(row, j) <= data_.x(cut, j) ? left : right).push_back(row);
        const Counts l = count(left), r = count(right);
        if (total(l) < options_.min_leaf || total(r) < options_.min_leaf) continue;
        best = std::max(best, impurity_sum(here) - impurity_sum(l) - impurity_sum(r));
      }
    }
    const auto& made = tree_.nodes[node];
    if (made.feature < 0) {
      leaf_counts[made.next] = here;
      const bool may_split = impurity_sum(here) > 0 && total(here) >= options_.min_split;
      EXPECT_TRUE(!may_split || best < 0) << "a node was left unsplit that has a cut worth " << best;
      return;
    }
    EXPECT_GE(total(here), options_.min_split);
    std::vector<int> left, right;
    for (const int row : rows) (data_.x(row, made.feature) <= made.threshold ? left : right).push_back(row);
    const double reached = impurity_sum(here) - impurity_sum(count(left)) - impurity_sum(count(right));
    EXPECT_NEAR(reached, best, 1e-9 * (1 + best));
    EXPECT_GE(total(count(left)), options_.min_leaf);
    EXPECT_GE(total(count(right)), options_.min_leaf);
    check(made.next, left);
    check(made.next + 1, right);
  }

  const Data& data_;
  int classes_;
  ForestOptions options_;
  const DecisionTree& tree_;
  std::vector<std::uint8_t> bag_;
};

class EveryCut : public ::testing::TestWithParam<std::tuple<int, int, int>> {};

// With all features drawn at every node, each node must hold the best cut there is.
TEST_P(EveryCut, IsTriedAndTheBestTaken) {
  const auto [classes, min_leaf, min_split] = GetParam();
  const Data data = mixed_data(90, 6, classes, 7);
  ForestOptions options;
  options.trees = 5;
  options.features_per_split = 6;
  options.min_leaf = min_leaf;
  options.min_split = min_split;
  const auto forest = RandomForest::fit(data.x, data.label, options);
  for (int t = 0; t < options.trees; ++t) {
    SlowCheck slow(data, classes, options, t, forest.trees()[t]);
    slow.run();
    EXPECT_EQ(static_cast<int>(slow.leaf_counts.size()), forest.trees()[t].leaves);
  }
}
INSTANTIATE_TEST_SUITE_P(Settings, EveryCut,
                         ::testing::Values(std::tuple(2, 1, 2), std::tuple(2, 4, 2), std::tuple(2, 1, 20),
                                           std::tuple(3, 1, 2), std::tuple(4, 3, 10)));

// The bag has more rows than fit the insertion sort, so that the radix sort is what is tested.
TEST(RandomForest, BestCutOfALargeNode) {
  const Data data = mixed_data(700, 3, 2, 3);
  ForestOptions options;
  options.trees = 1;
  options.features_per_split = 3;
  options.min_split = 300;
  const auto forest = RandomForest::fit(data.x, data.label, options);
  SlowCheck(data, 2, options, 0, forest.trees()[0]).run();
  EXPECT_GT(forest.trees()[0].leaves, 1);
}

// Rows 0…9 with the class changing between 4 and 5: a tree whose bag holds both neighbours cuts at 4.5.
TEST(RandomForest, CutsHalfwayByHand) {
  const Eigen::MatrixXd x = Eigen::VectorXd::LinSpaced(10, 0, 9);
  const std::vector<int> label{0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
  ForestOptions options;
  options.trees = 200;
  const auto forest = RandomForest::fit(x, label, options);
  int both = 0;
  for (int t = 0; t < options.trees; ++t) {
    const auto bag = bootstrap_counts(10, options.seed, t);
    if (!bag[4] || !bag[5]) continue;
    ++both;
    EXPECT_DOUBLE_EQ(forest.trees()[t].nodes[0].threshold, 4.5);
    EXPECT_EQ(forest.trees()[t].leaves, 2);
  }
  EXPECT_GT(both, 50);
  EXPECT_EQ(forest.predict_probability(x)(0, 0), 1.0);
}

// Root of n rows, a zeros and b ones, split purely: the decrease is n * 2 (a/n)(b/n) = 2 a b / n.
TEST(RandomForest, GiniImportanceByHand) {
  const Eigen::MatrixXd x = Eigen::VectorXd::LinSpaced(10, 0, 9);
  const std::vector<int> label{0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
  ForestOptions options;
  options.trees = 1;
  const auto forest = RandomForest::fit(x, label, options);
  const auto bag = bootstrap_counts(10, options.seed, 0);
  const double zeros = std::accumulate(bag.begin(), bag.begin() + 5, 0.0);
  EXPECT_NEAR(forest.gini_importance()[0], 2 * zeros * (10 - zeros) / 10, 1e-12);
}

TEST(RandomForest, SameAtAnyNumberOfThreads) {
  const Data data = mixed_data(300, 8, 3, 5);
  ForestOptions options;
  options.trees = 40;
  options.threads = 1;
  const auto one = RandomForest::fit(data.x, data.label, options);
  const auto one_importance = one.permutation_importance(data.x, data.label);
  for (const int threads : {0, 2, 3, 8}) {
    options.threads = threads;
    const auto more = RandomForest::fit(data.x, data.label, options);
    EXPECT_EQ(one.predict_probability(data.x), more.predict_probability(data.x));
    EXPECT_EQ(one.out_of_bag(data.x).probability, more.out_of_bag(data.x).probability);
    EXPECT_EQ(one.gini_importance(), more.gini_importance());
    EXPECT_EQ(one_importance.mean, more.permutation_importance(data.x, data.label).mean);
  }
}

TEST(RandomForest, AnotherSeedIsAnotherForest) {
  const Data data = mixed_data(200, 5, 2, 5);
  ForestOptions options;
  options.trees = 10;
  const auto one = RandomForest::fit(data.x, data.label, options);
  options.seed = 2;
  EXPECT_NE(one.predict_probability(data.x), RandomForest::fit(data.x, data.label, options).predict_probability(data.x));
}

TEST(RandomForest, OutOfBagIsTheTreesThatDidNotSeeTheRow) {
  const Data data = mixed_data(60, 4, 3, 9);
  ForestOptions options;
  options.trees = 7;
  options.min_leaf = 4;
  const auto forest = RandomForest::fit(data.x, data.label, options);
  const auto out = forest.out_of_bag(data.x);
  int never = 0;
  for (int row = 0; row < 60; ++row) {
    Counts sum(3, 0.0), votes(3, 0.0);
    int seen = 0;
    for (int t = 0; t < options.trees; ++t) {
      const auto bag = bootstrap_counts(60, options.seed, t);
      if (bag[row]) continue;
      ++seen;
      Counts in_leaf(3, 0.0);
      const Eigen::RowVectorXd here = data.x.row(row);
      const int leaf = forest.trees()[t].leaf_of(here.data());
      for (int other = 0; other < 60; ++other) {
        const Eigen::RowVectorXd there = data.x.row(other);
        if (forest.trees()[t].leaf_of(there.data()) == leaf) in_leaf[data.label[other]] += bag[other];
      }
      const double rows_in_leaf = std::accumulate(in_leaf.begin(), in_leaf.end(), 0.0);
      for (int k = 0; k < 3; ++k) sum[k] += in_leaf[k] / rows_in_leaf;
      votes[std::max_element(in_leaf.begin(), in_leaf.end()) - in_leaf.begin()] += 1;
    }
    ASSERT_EQ(out.trees[row], seen);
    if (seen == 0) {
      ++never;
      EXPECT_TRUE(std::isnan(out.probability(row, 0)));
      continue;
    }
    for (int k = 0; k < 3; ++k) {
      EXPECT_NEAR(out.probability(row, k), sum[k] / seen, 1e-12);
      EXPECT_DOUBLE_EQ(out.vote(row, k), votes[k] / seen);
    }
  }
  EXPECT_EQ(class_scores(out.probability, data.label).n, 60 - never);
}

TEST(RandomForest, PermutationImportanceSeparatesSignalFromNoise) {
  Data data = mixed_data(400, 6, 2, 11, 0.1);
  data.x.col(5).setConstant(3);
  const auto forest = RandomForest::fit(data.x, data.label);
  const auto importance = forest.permutation_importance(data.x, data.label);
  EXPECT_GT(importance.mean[1], 0.2);
  for (const int noise : {0, 2, 3, 4}) EXPECT_LT(std::abs(importance.mean[noise]), 0.03);
  EXPECT_EQ(importance.mean[5], 0);
  EXPECT_EQ(importance.std_err[5], 0);
}

// Labels without any relation to the features: no skill in a second cohort, on average over many.
TEST(RandomForest, NoSignalNoSkill) {
  double sum = 0;
  constexpr int kCohorts = 40;
  for (int cohort = 0; cohort < kCohorts; ++cohort) {
    const Data data = mixed_data(80, 10, 2, 100 + cohort, 1.0), other = mixed_data(80, 10, 2, 500 + cohort, 1.0);
    ForestOptions options;
    options.trees = 60;
    options.min_leaf = 5;
    options.seed = cohort;
    const auto p = RandomForest::fit(data.x, data.label, options).predict_probability(other.x);
    double above = 0, pairs = 0;
    for (int i = 0; i < 80; ++i) {
      for (int j = 0; j < 80; ++j) {
        if (other.label[i] != 1 || other.label[j] != 0) continue;
        ++pairs;
        above += p(i, 1) > p(j, 1) ? 1 : p(i, 1) == p(j, 1) ? 0.5 : 0;
      }
    }
    sum += above / pairs;
  }
  EXPECT_NEAR(sum / kCohorts, 0.5, 0.03);   // one cohort's AUC has a standard deviation near 0.065
}

TEST(RandomForest, OneClassAndConstantColumnsGiveSingleLeaves) {
  const Eigen::MatrixXd constant = Eigen::MatrixXd::Constant(20, 3, 1.5);
  std::vector<int> label(20, 0);
  auto forest = RandomForest::fit(constant, label);
  EXPECT_EQ(forest.classes(), 1);
  EXPECT_EQ(forest.predict_probability(constant), Eigen::MatrixXd::Ones(20, 1));
  label[3] = 1;
  forest = RandomForest::fit(constant, label);
  EXPECT_EQ(forest.trees()[0].nodes.size(), 1u);
  EXPECT_NEAR(forest.predict_probability(constant)(0, 1), 0.05, 0.02);
}

// 1 + 2^-52 is the next number after 1: their midpoint is not between them, and the cut must still part them.
TEST(RandomForest, NeighbouringNumbersArePartedToo) {
  Eigen::MatrixXd x(40, 1);
  std::vector<int> label(40);
  for (int i = 0; i < 40; ++i) x(i, 0) = (label[i] = i % 2) ? std::nextafter(1.0, 2.0) : 1.0;
  const auto forest = RandomForest::fit(x, label);
  EXPECT_EQ(class_scores(forest.predict_probability(x), label).accuracy, 1.0);
}

TEST(RandomForest, ConstantColumnsDoNotUseUpTheDraw) {
  Data data = mixed_data(100, 40, 2, 1, 0.0);
  for (int j = 0; j < 40; ++j) {
    if (j != 1) data.x.col(j).setZero();
  }
  ForestOptions options;
  options.features_per_split = 1;
  const auto forest = RandomForest::fit(data.x, data.label, options);
  EXPECT_GT(class_scores(forest.out_of_bag(data.x).probability, data.label).accuracy, 0.95);
}

// As ranger: a node whose drawn features are all constant is a leaf. One of 40 columns varies, so most roots are leaves.
TEST(RandomForest, ConstantColumnsMayEndTheTree) {
  Data data = mixed_data(100, 40, 2, 1, 0.0);
  for (int j = 0; j < 40; ++j) {
    if (j != 1) data.x.col(j).setZero();
  }
  ForestOptions options;
  options.features_per_split = 1;
  options.replace_constant = false;
  const auto forest = RandomForest::fit(data.x, data.label, options);
  const auto stumps =
      std::count_if(forest.trees().begin(), forest.trees().end(), [](const auto& tree) { return tree.leaves == 1; });
  EXPECT_GT(stumps, 0.95 * 500);   // 39 of 40 expected
  EXPECT_LT(stumps, 500);
}

TEST(RandomForest, ScoresByHand) {
  Eigen::MatrixXd p(3, 2);
  p << 0.8, 0.2, 0.5, 0.5, 0.0, 1.0;
  const std::vector<int> label{0, 1, 0};
  const auto scores = class_scores(p, label, 1e-3);
  EXPECT_DOUBLE_EQ(scores.accuracy, 1.0 / 3);   // the tie goes to class 0
  EXPECT_DOUBLE_EQ(scores.brier_true, (0.04 + 0.25 + 1) / 3);
  EXPECT_DOUBLE_EQ(scores.brier, 2 * (0.04 + 0.25 + 1) / 3);
  EXPECT_NEAR(scores.log_loss, -(std::log(0.8) + std::log(0.5) + std::log(1e-3)) / 3, 1e-12);
  p.setConstant(std::nan(""));
  EXPECT_EQ(class_scores(p, label).n, 0);
  EXPECT_TRUE(std::isnan(class_scores(p, label).accuracy));
}

TEST(RandomForest, RefusesWhatItCannotFit) {
  const Data data = mixed_data(20, 3, 2, 1);
  auto with_nan = data.x;
  with_nan(4, 2) = std::nan("");
  EXPECT_THROW(RandomForest::fit(with_nan, data.label), std::invalid_argument);
  with_nan(4, 2) = INFINITY;
  EXPECT_THROW(RandomForest::fit(with_nan, data.label), std::invalid_argument);
  EXPECT_THROW(RandomForest::fit(data.x.topRows(19), data.label), std::invalid_argument);
  EXPECT_THROW(RandomForest::fit(Eigen::MatrixXd(0, 3), std::vector<int>{}), std::invalid_argument);
  EXPECT_THROW(RandomForest::fit(Eigen::MatrixXd(20, 0), data.label), std::invalid_argument);
  auto label = data.label;
  label[0] = -1;
  EXPECT_THROW(RandomForest::fit(data.x, label), std::invalid_argument);
  label[0] = 256;
  EXPECT_THROW(RandomForest::fit(data.x, label), std::invalid_argument);
  const auto refuse = [&](auto change) {
    ForestOptions options;
    change(options);
    EXPECT_THROW(RandomForest::fit(data.x, data.label, options), std::invalid_argument);
  };
  refuse([](auto& o) { o.trees = 0; });
  refuse([](auto& o) { o.min_leaf = 0; });
  refuse([](auto& o) { o.min_split = 1; });
  refuse([](auto& o) { o.features_per_split = 4; });
  refuse([](auto& o) { o.features_per_split = -1; });
}

TEST(RandomForest, RefusesOtherRowsThanItWasFittedTo) {
  const Data data = mixed_data(20, 3, 2, 1);
  ForestOptions options;
  options.trees = 3;
  const auto forest = RandomForest::fit(data.x, data.label, options);
  EXPECT_THROW(forest.predict_probability(data.x.leftCols(2)), std::invalid_argument);
  EXPECT_THROW(forest.predict_vote(data.x.leftCols(2)), std::invalid_argument);
  EXPECT_THROW(forest.out_of_bag(data.x.topRows(10)), std::invalid_argument);
  EXPECT_THROW(forest.permutation_importance(data.x.topRows(10), data.label), std::invalid_argument);
  EXPECT_THROW(class_scores(forest.predict_probability(data.x), std::vector<int>(19, 0)), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
