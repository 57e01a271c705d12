// Times the forests on a CSV of numbers, beside what they reach: forest_bench classes|survival FILE.csv [trees] [threads].
// classes wants a column y (0, 1, …), survival time and event; all other columns are features. Loading is not counted.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "survival/random_forest.h"
#include "survival/random_survival_forest.h"
#include "tools/base/atomic_file.h"

namespace {

using clmnet::survival::ForestOptions;

struct Table {
  std::vector<std::string> names;
  Eigen::MatrixXd values;

  Eigen::VectorXd column(const std::string& name) const {
    for (std::size_t j = 0; j < names.size(); ++j) {
      if (names[j] == name) return values.col(static_cast<Eigen::Index>(j));
    }
    throw std::runtime_error("no column " + name);
  }
  Eigen::MatrixXd without(const std::vector<std::string>& left_out) const {
    std::vector<Eigen::Index> kept;
    for (std::size_t j = 0; j < names.size(); ++j) {
      if (std::find(left_out.begin(), left_out.end(), names[j]) == left_out.end()) kept.push_back(j);
    }
    return values(Eigen::all, kept);
  }
};

Table read_numbers(const char* path) {
  const std::string text = clmnet::read_whole_file(path);
  Table table;
  const std::size_t head_end = text.find('\n');
  std::istringstream head(text.substr(0, head_end));
  for (std::string name; std::getline(head, name, ',');) table.names.push_back(name);
  std::vector<double> cells;
  const char* at = text.data() + head_end + 1;
  const char* const end = text.data() + text.size();
  while (at < end) {
    double value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc()) throw std::runtime_error("not a number in the CSV");
    cells.push_back(value);
    at = next + 1;
  }
  const auto columns = static_cast<Eigen::Index>(table.names.size());
  table.values = Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
      cells.data(), static_cast<Eigen::Index>(cells.size()) / columns, columns);
  return table;
}

class Clock {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

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
