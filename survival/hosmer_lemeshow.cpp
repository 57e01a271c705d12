#include <cmath>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/logistic.h"
#include "survival/sorting.h"

namespace clmnet::survival {

TestResult hosmer_lemeshow(const Eigen::VectorXd& fitted, const std::vector<std::uint8_t>& label, int groups) {
  const auto n = static_cast<std::size_t>(fitted.size());
  if (n != label.size() || groups < 3 || n < static_cast<std::size_t>(groups)) {
    throw std::invalid_argument("hosmer_lemeshow: sizes differ, or too few subjects");
  }
  const auto order = ascending_order({fitted.data(), n});
  std::vector<double> observed(static_cast<std::size_t>(groups), 0), expected(observed), size(observed);
  const double range = static_cast<double>(n - 1), width = range / groups;
  std::size_t group = 0;
  for (std::size_t i = 0; i < n; ++i) {
    // The last break is a little above the largest rank, so rounding cannot push anyone out.
    while (group + 1 < size.size() && static_cast<double>(i) > width * static_cast<double>(group + 1) * (1 + 1e-14)) ++group;
    observed[group] += label[order[i]];
    expected[group] += fitted[order[i]];
    size[group] += 1;
  }
  double statistic = 0;
  for (std::size_t g = 0; g < size.size(); ++g) {
    statistic += std::pow(observed[g] - expected[g], 2) / (expected[g] * (1 - expected[g] / size[g]));
  }
  return {statistic, groups - 2, chi_squared_upper(statistic, groups - 2)};
}

}  // namespace clmnet::survival
