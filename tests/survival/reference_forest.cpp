#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>

#include "survival/concordance.h"
#include "survival/cox.h"
#include "survival/discrimination.h"
#include "survival/random_forest.h"
#include "survival/random_survival_forest.h"
#include "survival/rank_tests.h"
#include "survival/segmentation.h"
#include "tests/survival/reference_handlers.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;

Eigen::MatrixXd matrix_of(const Case& test, const std::vector<std::size_t>& rows, const std::vector<std::string>& columns) {
  Eigen::MatrixXd x(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(columns.size()));
  for (std::size_t j = 0; j < columns.size(); ++j) {
    const auto values = numbers_in(test.data, rows, columns[j]);
    x.col(static_cast<Eigen::Index>(j)) = Eigen::Map<const Eigen::VectorXd>(values.data(), x.rows());
  }
  return x;
}

/// Every third row is for testing: 0, 3, 6, …
struct Holdout {
  std::vector<std::size_t> train, test;

  explicit Holdout(std::size_t rows) {
    for (std::size_t i = 0; i < rows; ++i) (i % 3 == 0 ? test : train).push_back(i);
  }
};

Eigen::MatrixXd take(const Eigen::MatrixXd& x, const std::vector<std::size_t>& rows) { return x(rows, Eigen::all); }

std::vector<int> take(const std::vector<int>& values, const std::vector<std::size_t>& rows) {
  std::vector<int> taken;
  for (const auto row : rows) taken.push_back(values[row]);
  return taken;
}

/// Area under the ROC curve for class 1 of two; null otherwise.
json auc_of(const Eigen::MatrixXd& probability, const std::vector<int>& label) {
  std::vector<double> ones, zeros;
  for (std::size_t i = 0; i < label.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    if (probability.cols() != 2 || std::isnan(probability(row, 1))) continue;
    (label[i] == 1 ? ones : zeros).push_back(probability(row, 1));
  }
  if (ones.empty() || zeros.empty()) return nullptr;
  return number(mann_whitney(ones, zeros).statistic / (static_cast<double>(ones.size()) * static_cast<double>(zeros.size())));
}

/// Shares of the Gini importance, as the reference an average over 20 seeds.
json importance_of(const Eigen::MatrixXd& x, const std::vector<int>& label, ForestOptions options,
                   const std::vector<std::string>& names) {
  Eigen::VectorXd share = Eigen::VectorXd::Zero(x.cols());
  for (options.seed = 1; options.seed <= 20; ++options.seed) {
    const Eigen::VectorXd importance = RandomForest::fit(x, label, options).gini_importance();
    share += importance / importance.sum() / 20;
  }
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](auto a, auto b) { return share[static_cast<Eigen::Index>(a)] > share[static_cast<Eigen::Index>(b)]; });
  // Ten places, as the reference prints them; null where there are fewer variables.
  json result = {{"name", json::array()}, {"share", json::array()}};
  for (std::size_t place = 0; place < 10; ++place) {
    const bool any = place < order.size();
    result["name"].push_back(any ? json(names[order[place]]) : json());
    result["share"].push_back(any ? number(share[static_cast<Eigen::Index>(order[place])]) : json());
  }
  return result;
}

ForestOptions options_of(const Case& test, int min_leaf) {
  ForestOptions options;
  options.trees = test.settings.value("num_trees", 500);
  const auto mtry = test.settings.find("mtry");
  if (mtry != test.settings.end() && mtry->is_number()) options.features_per_split = mtry->get<int>();
  options.min_leaf = test.settings.value("min_samples_leaf", min_leaf);
  // ranger does not split nodes of up to min.node.size rows.
  options.min_split = test.settings.value("min_samples_split", std::max(2, test.settings.value("min_node_size", 1) + 1));
  const bool of_scikit = test.settings.contains("min_samples_leaf") || test.settings.contains("criterion");
  options.replace_constant = of_scikit;
  return options;
}

/// Out of bag and on the held-out rows, by the names of ranger's, randomForest's and scikit-learn's cases.
json class_scores_json(const Eigen::MatrixXd& x, const std::vector<int>& label, Eigen::Index classes,
                       const ForestOptions& options) {
  const auto forest = RandomForest::fit(x, label, options);
  const auto out = forest.out_of_bag(x);
  const auto by_probability = class_scores(out.probability, label, 1e-3), by_vote = class_scores(out.vote, label);
  const Holdout holdout(label.size());
  const auto test_label = take(label, holdout.test);
  Eigen::MatrixXd tested = RandomForest::fit(take(x, holdout.train), take(label, holdout.train), options)
                               .predict_probability(take(x, holdout.test));
  // The training part may lack the last classes: nothing was learnt of them.
  const Eigen::Index learnt = tested.cols();
  tested.conservativeResize(Eigen::NoChange, classes);
  tested.rightCols(classes - learnt).setZero();
  const auto test_scores = class_scores(tested, test_label);
  return {{"ranger_oob_accuracy_vote", number(by_vote.accuracy)},
          {"ranger_oob_accuracy_prob", number(by_probability.accuracy)},
          {"ranger_oob_auc", auc_of(out.probability, label)},
          {"ranger_oob_brier", number(by_probability.brier_true)},
          {"randomForest_oob_accuracy", number(by_vote.accuracy)},
          {"ranger_test_accuracy", number(test_scores.accuracy)},
          {"ranger_test_auc", auc_of(tested, test_label)},
          {"ranger_test_brier_multi", number(test_scores.brier)},
          {"oob_accuracy", number(by_probability.accuracy)},
          {"oob_logloss_clip1e3", number(by_probability.log_loss)},
          {"oob_auc", auc_of(out.probability, label)},
          {"test_accuracy", number(test_scores.accuracy)},
          {"test_auc", auc_of(tested, test_label)}};
}

/// Seeds that a case is answered with; its bands are of means over 5 to 20.
constexpr std::uint64_t kSeeds = 5;

/// The mean of each number of results of one form; null where any is.
json mean_of(const std::vector<json>& results) {
  json mean = results.front();
  const auto part = [&](const auto& key) {
    std::vector<json> parts;
    for (const json& result : results) parts.push_back(result.at(key));
    return mean_of(parts);
  };
  if (mean.is_object()) {
    for (auto& [key, value] : mean.items()) value = part(key);
  } else if (mean.is_number()) {
    double sum = 0;
    for (const json& result : results) {
      if (!result.is_number()) return nullptr;
      sum += result.get<double>();
    }
    mean = sum / static_cast<double>(results.size());
  }
  return mean;
}

struct SurvivalData {
  Eigen::MatrixXd x;
  Outcome outcome;
};

std::vector<double> vector_of(const Eigen::VectorXd& values) { return {values.begin(), values.end()}; }

/// numpy.quantile of the test part's event times at 50 levels from 0.1 to 0.8, each once.
std::vector<double> brier_times(const Outcome& outcome) {
  std::vector<double> events, times;
  for (std::size_t i = 0; i < outcome.size(); ++i) {
    if (outcome.event[i]) events.push_back(outcome.time[i]);
  }
  if (events.empty()) return times;
  for (int i = 0; i < 50; ++i) times.push_back(percentile(events, 10 + 70.0 * i / 49));
  times.erase(std::unique(times.begin(), times.end()), times.end());
  return times;
}

/// ranger's concordance: a death and a censored subject at the same time are a pair that cannot be concordant (Harrell counts
/// the death as the earlier one).
double ranger_concordance(const Outcome& outcome, const Eigen::VectorXd& risk) {
  double pairs = 0, concordant = 0;
  for (std::size_t i = 0; i < outcome.size(); ++i) {
    for (std::size_t j = 0; j < outcome.size(); ++j) {
      const double own = risk[static_cast<Eigen::Index>(i)], other = risk[static_cast<Eigen::Index>(j)];
      const bool later = outcome.time[j] > outcome.time[i];
      if (!outcome.event[i] || !(later || (outcome.time[j] == outcome.time[i] && !outcome.event[j]))) continue;
      if (std::isnan(own) || std::isnan(other)) continue;
      pairs += 1;
      concordant += own == other ? 0.5 : later && own > other ? 1 : 0;
    }
  }
  return concordant / pairs;
}

enum class OutOfBagConcordance { harrell, ranger };

json survival_scores(const SurvivalData& all, const SurvivalData& train, const SurvivalData& test, const ForestOptions& options,
                     OutOfBagConcordance concordance_of) {
  const auto whole = RandomSurvivalForest::fit(all.x, all.outcome, options);
  const auto forest = RandomSurvivalForest::fit(train.x, train.outcome, options);
  const SurvivalOutOfBag out = whole.out_of_bag(all.x, all.outcome);
  const double out_of_bag = concordance_of == OutOfBagConcordance::harrell
                                ? out.c_index
                                : ranger_concordance(merge_close_times(all.outcome), out.mortality);
  json result = {{"oob_cindex", number(out_of_bag)},
                 {"test_cindex", number(concordance(test.outcome, vector_of(forest.predict_mortality(test.x))).c)}};
  const auto times = brier_times(test.outcome);
  if (times.size() < 2) return result;
  IpcwOptions ipcw;
  ipcw.convention = IpcwConvention::scikit_survival;
  result["test_ibs"] = number(brier_score(test.outcome, forest.predict_survival(test.x, times), times, ipcw).integrated);
  return result;
}

}  // namespace

json run_random_forest(const Case& test) {
  const auto columns = test.column_list("covariates");
  auto needed = columns;
  needed.push_back(test.column("y"));
  const auto rows = complete_rows(test.data, needed);
  const Eigen::MatrixXd x = matrix_of(test, rows, columns);
  const auto classes = make_groups(texts_in(test.data, rows, test.column("y")));
  const std::vector<int> label(classes.code.begin(), classes.code.end());
  ForestOptions options = options_of(test, 1);
  std::vector<json> results;
  for (options.seed = 1; options.seed <= kSeeds; ++options.seed) {
    results.push_back(class_scores_json(x, label, static_cast<Eigen::Index>(classes.size()), options));
  }
  json result = mean_of(results);
  result["top10_gini_importance"] = importance_of(x, label, options, columns);
  return result;
}

json run_random_survival_forest(const Case& test) {
  const auto columns = test.column_list("covariates");
  auto needed = outcome_columns(test);
  needed.insert(needed.end(), columns.begin(), columns.end());
  const auto rows = complete_rows(test.data, needed);
  const SurvivalData all{matrix_of(test, rows, columns), outcome_of(test, rows)};
  const Holdout holdout(rows.size());
  const SurvivalData train{take(all.x, holdout.train), select(all.outcome, holdout.train)};
  const SurvivalData held_out{take(all.x, holdout.test), select(all.outcome, holdout.test)};
  std::vector<json> results;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    ForestOptions options = options_of(test, 3);
    options.seed = seed;
    json result = survival_scores(all, train, held_out, options, OutOfBagConcordance::harrell);
    for (const int size : {3, 15}) {
      options.min_leaf = size;
      result["ranger_min_node_" + std::to_string(size)] =
          survival_scores(all, train, held_out, options, OutOfBagConcordance::ranger);
    }
    results.push_back(result);
  }
  json result = mean_of(results);
  const CoxModel cox = fit_cox(train.x, train.outcome);
  const Eigen::VectorXd coefficient = cox.coefficient.unaryExpr([](double b) { return std::isnan(b) ? 0.0 : b; });
  result["cox_test_cindex"] = number(concordance(held_out.outcome, vector_of(held_out.x * coefficient)).c);
  return result;
}

}  // namespace clmnet::survival::reference
