#pragma once

#include <limits>

namespace clmnet::survival {

/// What has no value: NaN in results, null in JSON.
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace clmnet::survival
