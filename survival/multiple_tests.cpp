#include "survival/multiple_tests.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "survival/undefined.h"

namespace clmnet::survival {

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (std::isnan(p[i])) continue;
    if (!(p[i] >= 0 && p[i] <= 1)) {
      throw std::invalid_argument("holm: p-value " + std::to_string(i) + " is " + std::to_string(p[i]) + ", expected 0 to 1");
    }
    order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> corrected(p.size(), kNaN);
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    largest = std::max(largest, p[order[rank]] * static_cast<double>(order.size() - rank));
    corrected[order[rank]] = std::min(1.0, largest);
  }
  return corrected;
}

}  // namespace clmnet::survival
