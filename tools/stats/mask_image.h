#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace clmnet::tools {

/// A mask: 1 inside, 0 outside, row by row.
struct Mask {
  int rows = 0, columns = 0;
  std::vector<std::uint8_t> pixels;
};

/// What of an image is inside: values above a threshold, or exactly one label.
struct MaskRule {
  double above = 0;
  int label = -1;      ///< >= 0: pixels of this value alone
};

/// Reads PNG, TIFF, JPEG, BMP; an image in colours must be grey (equal channels); a transparency channel is left aside.
/// Throws InputError when the file is missing, is no image or has colours.
Mask read_mask(const std::filesystem::path& path, const MaskRule& rule);

}  // namespace clmnet::tools
