#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <Eigen/Core>

#include "survival/random.h"

namespace clmnet::survival {

struct ForestData {
  Eigen::MatrixXd x;
  std::vector<int> label;
};

/// Column j holds whole numbers below 2 + 3 j (many ties) for even j, continuous ones for odd j; classes follow column 1.
inline ForestData mixed_data(int rows, int features, int classes, std::uint64_t seed, double noise = 0.3) {
  Random random(seed);
  ForestData data{Eigen::MatrixXd(rows, features), std::vector<int>(rows)};
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < features; ++j) data.x(i, j) = j % 2 == 0 ? random.below(2 + 3 * j) : random.uniform();
    const bool random_class = random.uniform() < noise;
    data.label[i] = random_class ? random.below(classes) : std::min(classes - 1, int(data.x(i, 1) * classes));
  }
  return data;
}

}  // namespace clmnet::survival
