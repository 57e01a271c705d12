#include "survival/random_survival_forest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "survival/forest_file.h"
#include "survival/random.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

// The outcome in order of time, as places on the grid of event times.
struct OrderedOutcome {
  std::vector<std::int32_t> order;
  std::vector<double> grid;
  GridOutcome outcome;
};

OrderedOutcome order_by_time(const Outcome& given) {
  const Outcome merged = merge_close_times(given);
  OrderedOutcome result;
  for (std::size_t i = 0; i < merged.size(); ++i) {
    if (merged.event[i]) result.grid.push_back(merged.time[i]);
  }
  std::sort(result.grid.begin(), result.grid.end());
  result.grid.erase(std::unique(result.grid.begin(), result.grid.end()), result.grid.end());
  result.order.resize(merged.size());
  std::iota(result.order.begin(), result.order.end(), 0);
  std::stable_sort(result.order.begin(), result.order.end(),
                   [&](std::int32_t a, std::int32_t b) { return merged.time[a] < merged.time[b]; });
  result.outcome.times = static_cast<int>(result.grid.size());
  for (const std::int32_t row : result.order) {
    const auto after = std::upper_bound(result.grid.begin(), result.grid.end(), merged.time[row]);
    result.outcome.last.push_back(static_cast<std::int32_t>(after - result.grid.begin()));
    result.outcome.event.push_back(merged.event[row]);
  }
  return result;
}

}  // namespace

RandomSurvivalForest RandomSurvivalForest::fit(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome,
                                               const ForestOptions& options) {
  require_finite(x);
  require_valid(outcome);
  if (static_cast<std::size_t>(x.rows()) != outcome.size()) {
    throw std::invalid_argument("RandomSurvivalForest: x has " + std::to_string(x.rows()) + " rows and the outcome " +
                                std::to_string(outcome.size()));
  }
  if (!outcome.entry.empty()) throw std::invalid_argument("RandomSurvivalForest: late entry is not possible here");
  RandomSurvivalForest forest;
  forest.options_ = options;
  forest.features_ = static_cast<int>(x.cols());
  forest.training_rows_ = static_cast<int>(x.rows());
  check_forest_options(forest.options_, forest.features_);
  OrderedOutcome ordered = order_by_time(outcome);
  forest.event_times_ = std::move(ordered.grid);
  const auto grower = make_survival_grower(x, std::move(ordered.order), std::move(ordered.outcome), forest.options_);
  forest.trees_.resize(options.trees);
  for_each_index(options.trees, options.threads, [&](int t) { forest.trees_[t] = grower->grow(t); });
  forest.sum_up_leaves();
  return forest;
}

void RandomSurvivalForest::sum_up_leaves() {
  leaf_mortality_.resize(trees_.size());
  const double grid = static_cast<double>(event_times_.size());
  for (std::size_t t = 0; t < trees_.size(); ++t) {
    const auto& tree = trees_[t];
    auto& mortality = leaf_mortality_[t];
    mortality.assign(static_cast<std::size_t>(tree.tree.leaves), 0.0);
    for (std::size_t leaf = 0; leaf < mortality.size(); ++leaf) {
      // A step counts at its own and every later grid time.
      for (auto s = tree.leaf_begin[leaf]; s < tree.leaf_begin[leaf + 1]; ++s) {
        mortality[leaf] += tree.step_hazard[s] * (grid - tree.step_time[s]);
      }
    }
  }
}

Eigen::MatrixXd RandomSurvivalForest::predict_curve(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                                    std::span<const double> times, bool survival) const {
  if (x.cols() != features_) throw std::invalid_argument("RandomSurvivalForest: x has another number of features");
  if (!std::is_sorted(times.begin(), times.end())) {
    throw std::invalid_argument("RandomSurvivalForest: times must ascend");
  }
  std::vector<std::size_t> steps_up_to;   // per asked time: grid times <= it
  const double tolerance = time_tolerance(event_times_);
  for (const double time : times) {
    steps_up_to.push_back(static_cast<std::size_t>(
        std::upper_bound(event_times_.begin(), event_times_.end(), time + tolerance) - event_times_.begin()));
  }
  Eigen::MatrixXd result(x.rows(), static_cast<Eigen::Index>(times.size()));
  for_each_row_block(x, options_.threads, [&](int first, int count, const double* rows) {
    std::vector<double> change(event_times_.size());
    for (int i = 0; i < count; ++i) {
      std::fill(change.begin(), change.end(), 0.0);
      for (const auto& tree : trees_) {
        const auto leaf = tree.tree.leaf_of(rows + static_cast<std::size_t>(i) * x.cols());
        double alive = 1;
        for (auto s = tree.leaf_begin[leaf]; s < tree.leaf_begin[leaf + 1]; ++s) {
          change[tree.step_time[s]] += survival ? -alive * tree.step_hazard[s] : tree.step_hazard[s];
          alive *= 1 - tree.step_hazard[s];
        }
      }
      double value = survival ? static_cast<double>(trees_.size()) : 0.0;
      std::size_t done = 0;
      for (std::size_t j = 0; j < times.size(); ++j) {
        for (; done < steps_up_to[j]; ++done) value += change[done];
        result(first + i, static_cast<Eigen::Index>(j)) = std::max(0.0, value / static_cast<double>(trees_.size()));
      }
    }
  });
  return result;
}

Eigen::MatrixXd RandomSurvivalForest::predict_cumulative_hazard(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                                                std::span<const double> times) const {
  return predict_curve(x, times, false);
}

Eigen::MatrixXd RandomSurvivalForest::predict_survival(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                                       std::span<const double> times) const {
  return predict_curve(x, times, true);
}

Eigen::VectorXd RandomSurvivalForest::predict_mortality(const Eigen::Ref<const Eigen::MatrixXd>& x) const {
  if (x.cols() != features_) throw std::invalid_argument("RandomSurvivalForest: x has another number of features");
  Eigen::VectorXd result = Eigen::VectorXd::Zero(x.rows());
  for_each_row_block(x, options_.threads, [&](int first, int count, const double* rows) {
    for (std::size_t t = 0; t < trees_.size(); ++t) {
      for (int i = 0; i < count; ++i) {
        result[first + i] += leaf_mortality_[t][trees_[t].tree.leaf_of(rows + static_cast<std::size_t>(i) * x.cols())];
      }
    }
  });
  return result / static_cast<double>(trees_.size());
}

void RandomSurvivalForest::require_training(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome) const {
  if (x.rows() != training_rows_ || x.cols() != features_ || outcome.size() != static_cast<std::size_t>(x.rows())) {
    throw std::invalid_argument("RandomSurvivalForest: this needs the rows that the forest was fitted to");
  }
}

void RandomSurvivalForest::save(const std::filesystem::path& path, std::span<const std::string> feature_names) const {
  ForestFile file;
  file.kind = "survival";
  file.options = options_;
  file.training_rows = training_rows_;
  file.features = features_;
  file.feature_names.assign(feature_names.begin(), feature_names.end());
  file.arrays["event_times"] = {event_times_};
  auto& begin = file.arrays["leaf_begin"];
  auto& time = file.arrays["step_time"];
  auto& hazard = file.arrays["step_hazard"];
  for (const auto& tree : trees_) {
    file.trees.push_back(tree.tree);
    begin.emplace_back(tree.leaf_begin.begin(), tree.leaf_begin.end());
    time.emplace_back(tree.step_time.begin(), tree.step_time.end());
    hazard.push_back(tree.step_hazard);
  }
  write_forest_file(path, file);
}

namespace {

// Whole numbers that went into the file as doubles, each at most `largest`.
std::vector<std::uint32_t> whole_numbers(const std::vector<double>& values, std::size_t largest,
                                         const std::filesystem::path& path) {
  std::vector<std::uint32_t> result;
  result.reserve(values.size());
  for (const double value : values) {
    if (!(value >= 0 && value <= static_cast<double>(largest)) || value != std::floor(value)) throw_damaged(path);
    result.push_back(static_cast<std::uint32_t>(value));
  }
  return result;
}

}  // namespace

RandomSurvivalForest RandomSurvivalForest::load(const std::filesystem::path& path,
                                                std::vector<std::string>* feature_names) {
  ForestFile file = read_forest_file(path, "survival");
  RandomSurvivalForest forest;
  forest.options_ = file.options;
  forest.features_ = file.features;
  forest.training_rows_ = file.training_rows;
  const auto grid = file.take_array("event_times", path);
  const auto begin = file.take_array("leaf_begin", path);
  const auto time = file.take_array("step_time", path);
  auto hazard = file.take_array("step_hazard", path);
  if (grid.size() != 1 || !std::is_sorted(grid[0].begin(), grid[0].end()) || begin.size() != file.trees.size() ||
      time.size() != file.trees.size() || hazard.size() != file.trees.size()) {
    throw_damaged(path);
  }
  forest.event_times_ = grid[0];
  for (std::size_t t = 0; t < file.trees.size(); ++t) {
    SurvivalTree tree;
    tree.tree = std::move(file.trees[t]);
    const std::size_t steps = hazard[t].size();
    tree.leaf_begin = whole_numbers(begin[t], steps, path);
    tree.step_time = whole_numbers(time[t], forest.event_times_.size() - (forest.event_times_.empty() ? 0 : 1), path);
    tree.step_hazard = std::move(hazard[t]);
    if (tree.leaf_begin.size() != static_cast<std::size_t>(tree.tree.leaves) + 1 || tree.step_time.size() != steps ||
        tree.leaf_begin.back() != steps || !std::is_sorted(tree.leaf_begin.begin(), tree.leaf_begin.end()) ||
        (steps > 0 && forest.event_times_.empty())) {
      throw_damaged(path);
    }
    forest.trees_.push_back(std::move(tree));
  }
  forest.sum_up_leaves();
  if (feature_names) *feature_names = std::move(file.feature_names);
  return forest;
}

}  // namespace clmnet::survival
