// Times the forests on a CSV of numbers, beside what they reach:
//   forest_bench classes|survival FILE.csv [trees] [threads] [seed] [held_out]
// classes wants a column y (0, 1, …), survival time and event; all other columns are features. With held_out the last so many
// rows are asked after a fit to the others. Seconds are those of all CPUs together; loading is not counted. Memory is the
// input and the most that fitting and out-of-bag error hold beside it, as a multiple of the input.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <Eigen/Core>
#include <malloc.h>

#include "survival/random_forest.h"
#include "survival/random_survival_forest.h"
#include "survival/roc.h"
#include "tests/bench/bench_table.h"

namespace {

using namespace clmnet::survival;
using clmnet::bench::read_numbers;
using clmnet::bench::Table;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double kib_of(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == name + ":" && status >> kib) return kib;
  }
  throw std::runtime_error("/proc/self/status has no " + name);
}

/// The most memory held since it was made, beyond what was held then.
class PeakMemory {
 public:
  PeakMemory() {
    malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << 5;   // the peak starts anew
    before_kib_ = kib_of("VmRSS");
  }
  /// The input and what came beside it, over the input.
  double times_input(const Eigen::MatrixXd& x) const {
    const double input_kib = static_cast<double>(x.size()) * sizeof(double) / 1024;
    return (input_kib + kib_of("VmHWM") - before_kib_) / input_kib;
  }

 private:
  double before_kib_ = 0;
};

void held_out_classes(const Eigen::MatrixXd& x, const std::vector<int>& label, const ForestOptions& options, int held_out) {
  const Eigen::Index trained = x.rows() - held_out;
  const std::vector<int> train_label(label.begin(), label.begin() + trained), test_label(label.begin() + trained, label.end());
  const Eigen::MatrixXd train = x.topRows(trained);
  const double before = cpu_seconds();
  const auto forest = RandomForest::fit(train, train_label, options);
  std::printf("clmnet,rf_fit_%d_trees_%ldx%ld,%.3f s\n", options.trees, long(trained), long(x.cols()), cpu_seconds() - before);
  const Eigen::MatrixXd probability = forest.predict_probability(x.bottomRows(held_out));
  std::printf("clmnet,rf_held_out_error,%.5f\n", 1 - class_scores(probability, test_label).accuracy);
  if (probability.cols() != 2) return;
  const Eigen::VectorXd ones = probability.col(1);
  std::printf("clmnet,rf_held_out_auc,%.5f\n",
              auc({{test_label.begin(), test_label.end()}, {ones.begin(), ones.end()}}));
}

void bench_classes(const Table& table, const ForestOptions& options, int held_out) {
  const Eigen::MatrixXd x = table.without({"y"});
  const Eigen::VectorXd y = table.column("y");
  const std::vector<int> label(y.begin(), y.end());
  const PeakMemory memory;
  const double start = cpu_seconds();
  const auto forest = RandomForest::fit(x, label, options);
  const double fitted = cpu_seconds();
  const auto out = forest.out_of_bag(x);
  const double asked = cpu_seconds();
  std::printf("clmnet,rf_memory,%.3f times the input\n", memory.times_input(x));
  std::printf("clmnet,rf_fit_%d_trees_%ldx%ld,%.3f s\nclmnet,rf_out_of_bag,%.3f s\n", options.trees, long(x.rows()),
              long(x.cols()), fitted - start, asked - fitted);
  std::printf("clmnet,rf_oob_error_vote,%.5f\nclmnet,rf_oob_error_probability,%.5f\nclmnet,rf_oob_brier,%.5f\n",
              1 - class_scores(out.vote, label).accuracy, 1 - class_scores(out.probability, label).accuracy,
              class_scores(out.probability, label).brier_true);
  double leaves = 0;
  for (const auto& tree : forest.trees()) leaves += tree.leaves;
  std::printf("clmnet,rf_leaves_per_tree,%.1f\n", leaves / options.trees);
  if (held_out > 0) held_out_classes(x, label, options, held_out);
}

void bench_survival(const Table& table, ForestOptions options) {
  const Eigen::MatrixXd x = table.without({"time", "event"});
  const Eigen::VectorXd time = table.column("time"), event = table.column("event");
  const Outcome outcome{{time.begin(), time.end()}, {event.begin(), event.end()}};
  // As ranger's min.node.size = 15: nodes of up to 15 are not split, and no cut leaves fewer than 15 on a side.
  options.min_leaf = 15;
  options.min_split = 16;
  const double start = cpu_seconds();
  const auto forest = RandomSurvivalForest::fit(x, outcome, options);
  const double fitted = cpu_seconds();
  const double c_index = forest.out_of_bag(x, outcome).c_index;
  std::printf("clmnet,rsf_fit_%d_trees_%ldx%ld_node15,%.3f s\nclmnet,rsf_out_of_bag,%.3f s\nclmnet,rsf_oob_c_index,%.4f\n",
              options.trees, long(x.rows()), long(x.cols()), fitted - start, cpu_seconds() - fitted, c_index);
  double nodes = 0;
  for (const auto& tree : forest.trees()) nodes += static_cast<double>(tree.tree.nodes.size());
  std::printf("clmnet,rsf_nodes_per_tree,%.1f\n", nodes / options.trees);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "forest_bench classes|survival FILE.csv [trees] [threads] [seed] [held_out]\n";
    return 2;
  }
  ForestOptions options;
  if (argc > 3) options.trees = std::atoi(argv[3]);
  if (argc > 4) options.threads = std::atoi(argv[4]);
  if (argc > 5) options.seed = static_cast<std::uint64_t>(std::atoll(argv[5]));
  const Table table = read_numbers(argv[2]);
  if (std::string(argv[1]) == "survival") {
    bench_survival(table, options);
  } else {
    bench_classes(table, options, argc > 6 ? std::atoi(argv[6]) : 0);
  }
}
