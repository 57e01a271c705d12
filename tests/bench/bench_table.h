#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "tools/base/atomic_file.h"

namespace clmnet::bench {

/// A CSV of numbers with a line of names.
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
      if (std::find(left_out.begin(), left_out.end(), names[j]) == left_out.end()) kept.push_back(static_cast<Eigen::Index>(j));
    }
    return values(Eigen::all, kept);
  }
};

inline Table read_numbers(const char* path) {
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

}  // namespace clmnet::bench
