#pragma once

#include <array>
#include <cstdint>

namespace clmnet::wsi {

/// RGB of viridis at 0 to 1 (clamped; NaN is 0): even steps to the eye, readable without colour vision and in print.
/// Smith and van der Walt, SciPy 2015.
std::array<std::uint8_t, 3> viridis(double value);

}  // namespace clmnet::wsi
