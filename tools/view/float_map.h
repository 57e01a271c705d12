#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace clmnet::tools::view {

/// A small map of numbers, row by row, with its resolution.
struct FloatMap {
  std::int64_t columns = 0, rows = 0;
  std::vector<float> value;
  double um_per_px_x = 0, um_per_px_y = 0;   ///< > 0
};

/// risk.tiff as clmnet survival predict writes it: one channel of 32-bit floats in rows, resolution in the tags.
/// Throws InputError when the file is something else, says no resolution, or is larger than a grid of tiles can be.
FloatMap read_float_map(const std::filesystem::path& file);

}  // namespace clmnet::tools::view
