#include "survival/random_survival_forest.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>

#include <gtest/gtest.h>

#include "survival/log_rank_scan.h"
#include "survival/random.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::survival {
namespace {

struct Cohort {
  Eigen::MatrixXd x;
  Outcome outcome;
};

/// Exponential times whose rate follows feature 1 with log hazard ratio `effect` per unit; whole days where `ties`.
Cohort simulate(int n, int features, double effect, std::uint64_t seed, bool ties = false) {
  Random random(seed);
  Cohort cohort{Eigen::MatrixXd(n, features), {}};
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < features; ++j) cohort.x(i, j) = j % 2 == 0 ? random.below(4) : random.uniform();
    const double death = -std::log(1 - random.uniform()) * std::exp(-effect * (cohort.x(i, 1) - 0.5));
    const double censoring = -1.5 * std::log(1 - random.uniform());
    const double time = std::min(death, censoring);
    cohort.outcome.time.push_back(ties ? std::ceil(time * 10) : time);
    cohort.outcome.event.push_back(death <= censoring);
  }
  return cohort;
}

/// U^2 / V as it is defined; rows with multiplicities.
double slow_log_rank(const Outcome& outcome, const std::vector<double>& weight, const std::vector<bool>& left) {
  std::vector<double> times;
  for (std::size_t i = 0; i < weight.size(); ++i) {
    if (outcome.event[i] && weight[i] > 0) times.push_back(outcome.time[i]);
  }
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  double u = 0, v = 0;
  for (const double t : times) {
    double y = 0, y_left = 0, d = 0, d_left = 0;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      if (outcome.time[i] < t) continue;
      const double dies = outcome.event[i] && outcome.time[i] == t ? weight[i] : 0;
      y += weight[i];
      d += dies;
      if (left[i]) y_left += weight[i], d_left += dies;
    }
    u += d_left - d * y_left / y;
    if (y > 1) v += d * (y - d) / (y - 1) * y_left / y * (1 - y_left / y);
  }
  return v > 1e-9 ? u * u / v : 0;
}

double slow_c(const Outcome& outcome, const Eigen::VectorXd& risk) {
  double concordant = 0, pairs = 0;
  for (std::size_t i = 0; i < outcome.size(); ++i) {
    for (std::size_t j = 0; j < outcome.size(); ++j) {
      const bool before = outcome.time[i] < outcome.time[j] || (outcome.time[i] == outcome.time[j] && !outcome.event[j]);
      if (!outcome.event[i] || !before) continue;
      ++pairs;
      concordant += risk[i] > risk[j] ? 1 : risk[i] == risk[j] ? 0.5 : 0;
    }
  }
  return concordant / pairs;
}

TEST(RandomSurvivalForest, OutOfBagConcordanceAgreesWithCountingPairs) {
  for (const bool ties : {false, true}) {
    const Cohort cohort = simulate(150, 3, 2, 77, ties);
    ForestOptions options;
    options.trees = 50;
    options.min_leaf = 20;   // few leaves, so that risks tie
    const auto forest = RandomSurvivalForest::fit(cohort.x, cohort.outcome, options);
    const auto out = forest.out_of_bag(cohort.x, cohort.outcome);
    EXPECT_NEAR(out.c_index, slow_c(cohort.outcome, out.mortality), 1e-12);
  }
}

// Two deaths in one group before two in the other: U = 1 - 1/2 + 1 - 1/3, V = 1/4 + 2/9 (times 1 … 4, left first).
TEST(LogRankScan, FourPatientsByHand) {
  LogRankScan scan;
  scan.start_node({{1, 1, 1}, {2, 1, 1}, {3, 1, 1}, {4, 1, 1}});
  scan.start_feature();
  scan.move_left(0);
  scan.move_left(1);
  const double u = 0.5 + 2.0 / 3;
  EXPECT_NEAR(scan.chi_squared(), u * u / (0.25 + 2.0 / 9), 1e-12);
}

TEST(LogRankScan, AgreesWithTheDefinitionAtEveryStep) {
  for (const bool ties : {false, true}) {
    Cohort cohort = simulate(80, 2, 1, 5, ties);
    auto& outcome = cohort.outcome;
    std::vector<int> order(80);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int a, int b) { return outcome.time[a] < outcome.time[b]; });
    outcome = select(outcome, {order.begin(), order.end()});
    std::vector<double> grid;
    for (std::size_t i = 0; i < 80; ++i) {
      if (outcome.event[i] && (grid.empty() || grid.back() < outcome.time[i])) grid.push_back(outcome.time[i]);
    }
    Random random(3);
    std::vector<LogRankScan::Row> rows;
    std::vector<double> weight;
    for (std::size_t i = 0; i < 80; ++i) {
      const auto last = std::upper_bound(grid.begin(), grid.end(), outcome.time[i]) - grid.begin();
      weight.push_back(1 + random.below(3));
      rows.push_back({static_cast<std::int32_t>(last), outcome.event[i], static_cast<std::uint8_t>(weight.back())});
    }
    LogRankScan scan;
    scan.start_node(rows);
    for (int feature = 0; feature < 3; ++feature) {
      scan.start_feature();
      std::vector<bool> left(80, false);
      std::vector<int> moves(80);
      std::iota(moves.begin(), moves.end(), 0);
      for (int i = 79; i > 0; --i) std::swap(moves[i], moves[random.below(i + 1)]);
      for (int i = 0; i < 79; ++i) {
        left[moves[i]] = true;
        scan.move_left(moves[i]);
        ASSERT_NEAR(scan.chi_squared(), slow_log_rank(outcome, weight, left), 1e-8) << "after " << i;
      }
    }
  }
}

TEST(LogRankScan, NothingToCompare) {
  LogRankScan scan;
  scan.start_node({{0, 0, 1}, {0, 0, 2}});
  EXPECT_EQ(scan.event_times(), 0);
  scan.start_feature();
  scan.move_left(0);
  EXPECT_EQ(scan.chi_squared(), 0);
  scan.start_node({{1, 1, 1}, {1, 1, 1}});   // both die at once: no variance
  scan.start_feature();
  scan.move_left(1);
  EXPECT_EQ(scan.chi_squared(), 0);
}

// Each node of the trees is tried again from scratch: all features, all values.
TEST(RandomSurvivalForest, EveryCutIsTriedAndTheBestTaken) {
  for (const bool ties : {false, true}) {
    const Cohort cohort = simulate(100, 4, 2, 21, ties);
    ForestOptions options;
    options.trees = 4;
    options.features_per_split = 4;
    options.min_leaf = 5;
    const auto forest = RandomSurvivalForest::fit(cohort.x, cohort.outcome, options);
    for (int t = 0; t < options.trees; ++t) {
      const auto bag = bootstrap_counts(100, options.seed, t);
      const auto& tree = forest.trees()[t].tree;
      std::vector<std::vector<double>> in_node(tree.nodes.size(), std::vector<double>(100, 0.0));
      in_node[0].assign(bag.begin(), bag.end());
      for (std::size_t node = 0; node < tree.nodes.size(); ++node) {
        const auto& weight = in_node[node];
        const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
        const auto cut_at = [&](int feature, double value) {
          std::vector<bool> left(100);
          double left_total = 0;
          for (int i = 0; i < 100; ++i) left_total += (left[i] = cohort.x(i, feature) <= value) ? weight[i] : 0;
          const bool allowed = left_total >= options.min_leaf && total - left_total >= options.min_leaf;
          return allowed ? slow_log_rank(cohort.outcome, weight, left) : 0.0;
        };
        double best = 0;
        for (int j = 0; j < 4; ++j) {
          for (int i = 0; i < 100; ++i) {
            if (weight[i] > 0) best = std::max(best, cut_at(j, cohort.x(i, j)));
          }
        }
        const auto& made = tree.nodes[node];
        if (made.feature < 0) {
          EXPECT_LT(best, 1e-9) << "a node was left unsplit";
          continue;
        }
        EXPECT_NEAR(cut_at(made.feature, made.threshold), best, 1e-8 * (1 + best));
        for (int i = 0; i < 100; ++i) {
          in_node[made.next + (cohort.x(i, made.feature) <= made.threshold ? 0 : 1)][i] = weight[i];
        }
      }
    }
  }
}

// A forest that may not split is the Nelson-Aalen and Kaplan-Meier estimate of its bags.
TEST(RandomSurvivalForest, UnsplitTreesByHand) {
  const Eigen::MatrixXd x = Eigen::MatrixXd::Zero(6, 1);
  const Outcome outcome{{1, 1, 6, 6, 8, 9}, {1, 0, 1, 1, 0, 1}};
  ForestOptions options;
  options.trees = 1;
  const auto forest = RandomSurvivalForest::fit(x, outcome, options);
  const auto bag = bootstrap_counts(6, options.seed, 0);
  const double at_1 = bag[0] / 6.0;
  const double still = 6.0 - bag[0] - bag[1];
  const double at_6 = still > 0 ? (bag[2] + bag[3]) / still : 0;
  const std::vector<double> times{0.5, 1, 5, 6};
  const auto hazard = forest.predict_cumulative_hazard(x.topRows(1), times);
  const auto alive = forest.predict_survival(x.topRows(1), times);
  EXPECT_EQ(forest.event_times(), (std::vector<double>{1, 6, 9}));
  EXPECT_DOUBLE_EQ(hazard(0, 0), 0);
  EXPECT_DOUBLE_EQ(alive(0, 0), 1);
  EXPECT_NEAR(hazard(0, 1), at_1, 1e-14);
  EXPECT_NEAR(hazard(0, 2), at_1, 1e-14);
  EXPECT_NEAR(hazard(0, 3), at_1 + at_6, 1e-14);
  EXPECT_NEAR(alive(0, 3), (1 - at_1) * (1 - at_6), 1e-14);
}

TEST(RandomSurvivalForest, MortalityIsTheSumOfTheHazardOverEventTimes) {
  const Cohort cohort = simulate(120, 3, 2, 4, true);
  ForestOptions options;
  options.trees = 20;
  options.min_leaf = 6;
  const auto forest = RandomSurvivalForest::fit(cohort.x, cohort.outcome, options);
  const auto hazard = forest.predict_cumulative_hazard(cohort.x, forest.event_times());
  const auto mortality = forest.predict_mortality(cohort.x);
  for (int i = 0; i < 120; ++i) EXPECT_NEAR(mortality[i], hazard.row(i).sum(), 1e-9);
  const auto beyond = forest.predict_cumulative_hazard(cohort.x, std::vector<double>{1e9});
  EXPECT_NEAR(beyond(0, 0), hazard(0, hazard.cols() - 1), 1e-12);
}

TEST(RandomSurvivalForest, SameAtAnyNumberOfThreads) {
  const Cohort cohort = simulate(150, 5, 1, 8);
  ForestOptions options;
  options.trees = 30;
  options.min_leaf = 3;
  options.threads = 1;
  const auto one = RandomSurvivalForest::fit(cohort.x, cohort.outcome, options);
  for (const int threads : {0, 2, 5}) {
    options.threads = threads;
    const auto more = RandomSurvivalForest::fit(cohort.x, cohort.outcome, options);
    EXPECT_EQ(one.predict_mortality(cohort.x), more.predict_mortality(cohort.x));
    EXPECT_EQ(one.permutation_importance(cohort.x, cohort.outcome).mean,
              more.permutation_importance(cohort.x, cohort.outcome).mean);
  }
}

TEST(RandomSurvivalForest, FindsTheEffectAndNothingWhereThereIsNone) {
  ForestOptions options;
  options.trees = 100;
  options.min_leaf = 10;
  const Cohort strong = simulate(300, 5, 4, 2);
  const auto forest = RandomSurvivalForest::fit(strong.x, strong.outcome, options);
  EXPECT_GT(forest.out_of_bag(strong.x, strong.outcome).c_index, 0.7);
  const auto importance = forest.permutation_importance(strong.x, strong.outcome);
  for (const int noise : {0, 2, 3, 4}) EXPECT_GT(importance.mean[1], 5 * std::abs(importance.mean[noise]));
  double sum = 0;
  constexpr int kCohorts = 30;
  for (int i = 0; i < kCohorts; ++i) {
    const Cohort none = simulate(100, 5, 0, 1000 + i), others = simulate(100, 5, 0, 2000 + i);
    const auto noise = RandomSurvivalForest::fit(none.x, none.outcome, options);
    sum += slow_c(others.outcome, noise.predict_mortality(others.x));
    // Out of bag it lies below 0.5: a row that is left out shifts the mean of the others away from its own time.
    EXPECT_LT(noise.out_of_bag(none.x, none.outcome).c_index, 0.65);
  }
  EXPECT_NEAR(sum / kCohorts, 0.5, 0.025);   // one cohort's C has a standard deviation near 0.04
}

TEST(RandomSurvivalForest, WithoutEventsThereIsNoHazard) {
  Cohort cohort = simulate(30, 2, 0, 3);
  cohort.outcome.event.assign(30, 0);
  const auto forest = RandomSurvivalForest::fit(cohort.x, cohort.outcome);
  EXPECT_TRUE(forest.event_times().empty());
  EXPECT_EQ(forest.predict_mortality(cohort.x), Eigen::VectorXd::Zero(30));
  EXPECT_EQ(forest.predict_survival(cohort.x, std::vector<double>{1.0})(0, 0), 1);
  EXPECT_TRUE(std::isnan(forest.out_of_bag(cohort.x, cohort.outcome).c_index));
}

// 0.1 + 0.2 and 0.3 are one time.
TEST(RandomSurvivalForest, TimesThatDriftAreOne) {
  const Eigen::MatrixXd x = Eigen::VectorXd::LinSpaced(4, 0, 3);
  const auto forest = RandomSurvivalForest::fit(x, {{0.1 + 0.2, 0.3, 0.5, 0.7}, {1, 1, 1, 1}});
  EXPECT_EQ(forest.event_times().size(), 3u);
}

TEST(RandomSurvivalForest, RefusesWhatItCannotFit) {
  const Cohort cohort = simulate(20, 3, 0, 3);
  auto outcome = cohort.outcome;
  outcome.time[3] = -1;
  EXPECT_THROW(RandomSurvivalForest::fit(cohort.x, outcome), std::invalid_argument);
  outcome = cohort.outcome;
  outcome.event[0] = 2;
  EXPECT_THROW(RandomSurvivalForest::fit(cohort.x, outcome), std::invalid_argument);
  outcome = cohort.outcome;
  outcome.entry.assign(20, 0.0);
  EXPECT_THROW(RandomSurvivalForest::fit(cohort.x, outcome), std::invalid_argument);
  EXPECT_THROW(RandomSurvivalForest::fit(cohort.x.topRows(5), cohort.outcome), std::invalid_argument);
  auto x = cohort.x;
  x(0, 0) = NAN;
  EXPECT_THROW(RandomSurvivalForest::fit(x, cohort.outcome), std::invalid_argument);
  ForestOptions options;
  options.features_per_split = 9;
  EXPECT_THROW(RandomSurvivalForest::fit(cohort.x, cohort.outcome, options), std::invalid_argument);
  const auto forest = RandomSurvivalForest::fit(cohort.x, cohort.outcome);
  EXPECT_THROW(forest.predict_mortality(cohort.x.leftCols(2)), std::invalid_argument);
  EXPECT_THROW(forest.predict_survival(cohort.x, std::vector<double>{2.0, 1.0}), std::invalid_argument);
  EXPECT_THROW(forest.out_of_bag(cohort.x.topRows(5), cohort.outcome), std::invalid_argument);
}

TEST(RandomSurvivalForest, SavedAndLoadedIsTheSame) {
  const Cohort cohort = simulate(60, 3, 1, 3);
  ForestOptions options;
  options.trees = 9;
  options.min_leaf = 3;
  const auto forest = RandomSurvivalForest::fit(cohort.x, cohort.outcome, options);
  const auto path = std::filesystem::path(::testing::TempDir()) / "survival_forest_saved";
  forest.save(path);
  const auto loaded = RandomSurvivalForest::load(path);
  EXPECT_EQ(loaded.predict_mortality(cohort.x), forest.predict_mortality(cohort.x));
  EXPECT_EQ(loaded.event_times(), forest.event_times());
  EXPECT_EQ(loaded.permutation_importance(cohort.x, cohort.outcome).mean,
            forest.permutation_importance(cohort.x, cohort.outcome).mean);
  EXPECT_THROW(RandomForest::load(path), InputError);
  const std::string good = read_whole_file(path);
  std::ofstream(path, std::ios::binary) << good.substr(0, good.size() - 8);
  EXPECT_THROW(RandomSurvivalForest::load(path), InputError);
  std::filesystem::remove(path);
  EXPECT_THROW(RandomSurvivalForest::load(path), InputError);
}

}  // namespace
}  // namespace clmnet::survival
