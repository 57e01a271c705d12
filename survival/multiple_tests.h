#pragma once

#include <vector>

namespace clmnet::survival {

/// p-values of several tests after Holm 1979: in ascending order each times the number of tests left, made monotone, at most 1.
/// In the order given. NaN stays NaN and does not count as a test. Throws std::invalid_argument when a p is outside [0,1].
std::vector<double> holm(const std::vector<double>& p);

}  // namespace clmnet::survival
