// Times the forests on a CSV of numbers, beside what they reach: forest_bench classes|survival FILE.csv [trees] [threads].
// classes wants a column y (0, 1, …), survival time and event; all other columns are features. Loading is not counted.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "survival/random_forest.h"
#include "survival/random_survival_forest.h"
#include "tests/bench/bench_table.h"

namespace {

using clmnet::survival::ForestOptions;

using namespace clmnet::bench;

void bench_classes(const Table& table, const ForestOptions& options) {
  const Eigen::MatrixXd x = table.without({"y"});
  const Eigen::VectorXd y = table.column("y");
  std::vector<int> label(y.begin(), y.end());
  const Clock fitting;
  const auto forest = clmnet::survival::RandomForest::fit(x, label, options);
  std::printf("clmnet,rf_fit_%d_trees_%ldx%ld,%.3f s\n", options.trees, long(x.rows()), long(x.cols()), fitting.seconds());
  const Clock asking;
  const auto scores = clmnet::survival::class_scores(forest.out_of_bag(x).probability, label);
  std::printf("clmnet,rf_out_of_bag,%.3f s\n", asking.seconds());
  std::printf("clmnet,rf_oob_error,%.5f\nclmnet,rf_oob_brier,%.5f\n", 1 - scores.accuracy, scores.brier_true);
  std::size_t nodes = 0;
  for (const auto& tree : forest.trees()) nodes += tree.nodes.size();
  std::printf("clmnet,rf_nodes_per_tree,%.1f\n", static_cast<double>(nodes) / options.trees);
}

void bench_survival(const Table& table, ForestOptions options) {
  const Eigen::MatrixXd x = table.without({"time", "event"});
  const Eigen::VectorXd time = table.column("time"), event = table.column("event");
  const clmnet::survival::Outcome outcome{{time.begin(), time.end()}, {event.begin(), event.end()}};
  options.min_leaf = 15;
  const Clock fitting;
  const auto forest = clmnet::survival::RandomSurvivalForest::fit(x, outcome, options);
  std::printf("clmnet,rsf_fit_%d_trees_%ldx%ld_leaf15,%.3f s\n", options.trees, long(x.rows()), long(x.cols()),
              fitting.seconds());
  const Clock asking;
  const double c_index = forest.out_of_bag(x, outcome).c_index;
  std::printf("clmnet,rsf_out_of_bag,%.3f s\nclmnet,rsf_oob_c_index,%.4f\n", asking.seconds(), c_index);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "forest_bench classes|survival FILE.csv [trees] [threads]\n";
    return 2;
  }
  ForestOptions options;
  if (argc > 3) options.trees = std::atoi(argv[3]);
  if (argc > 4) options.threads = std::atoi(argv[4]);
  const Table table = read_numbers(argv[2]);
  if (std::string(argv[1]) == "survival") {
    bench_survival(table, options);
  } else {
    bench_classes(table, options);
  }
}
