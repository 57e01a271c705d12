#pragma once

#include <cstdint>

namespace clmnet::nets::winograd {

// Functions here are inlined everywhere, in every kind of build: a copy of their own would be compiled once for each kind of
// processor, and the linker would keep any one of them.

/// One 3 x 3 convolution of stride 1 over channels-last images, cut into tiles of 4 x 4 outputs.
/// Tiles are numbered image by image, phase by phase, row by row. A dilation of d makes d x d phases, each a convolution without
/// dilation over every d-th row and column. A tile at the lower or right edge overhangs; what overhangs is not written.
struct Convolution {
  const float* in = nullptr;      ///< [images, in_height, in_width, in_channels]
  float* out = nullptr;           ///< [images, out_height, out_width, out_channels]
  const float* weight = nullptr;  ///< of PackedWeight
  const float* bias = nullptr;    ///< [out_channels], or none
  std::int64_t in_height = 0, in_width = 0, in_channels = 0;
  std::int64_t out_height = 0, out_width = 0, out_channels = 0;
  std::int64_t padding_y = 0, padding_x = 0, dilation = 1;
  std::int64_t tile_rows = 0, tile_columns = 0;  ///< of one phase
  bool relu = false;
};

/// Products of the transformed domain are 36 matrix products, one for each place of a 6 x 6 tile.
constexpr std::int64_t kPlaces = 36;

/// Memory of a stripe of tiles: 36 planes of [tiles, row] floats. Rows and planes are kept off powers of two, so that what is
/// read and written together does not fall into the same lines of the cache.
struct Planes {
  std::int64_t row = 0;    ///< floats from one tile to the next
  std::int64_t plane = 0;  ///< floats from one place to the next

  [[gnu::always_inline]] static Planes of(std::int64_t tiles, std::int64_t channels) {
    Planes planes;
    planes.row = (channels + 7) / 8 * 8;
    if (planes.row % 64 == 0) planes.row += 16;
    planes.plane = (tiles * planes.row + 15) / 16 * 16;
    if (planes.plane / 16 % 2 == 0) planes.plane += 16;
    return planes;
  }
};

/// Output channels lie in panels: as many of `widest` as there are whole ones, then one of 8, 16 or `widest` with zeros behind.
[[gnu::always_inline]] constexpr std::int64_t panel_width(std::int64_t channels_left, std::int64_t widest) {
  if (channels_left >= widest) return widest;
  if (channels_left <= 8) return 8;
  return channels_left <= 16 ? 16 : widest;
}

[[gnu::always_inline]] constexpr std::int64_t padded_channels(std::int64_t channels, std::int64_t widest) {
  std::int64_t padded = 0;
  while (padded < channels) padded += panel_width(channels - padded, widest);
  return padded;
}

/// What there is for one kind of processor.
struct Kernels {
  std::int64_t panel = 0;  ///< widest panel of output channels
  /// Tiles first … first + tiles - 1. `in` and `out` are 64-byte aligned memory of 36 planes each: Planes::of(tiles, in_channels)
  /// and Planes::of(tiles, padded_channels(out_channels, panel)).
  void (*run)(const Convolution& conv, std::int64_t first, std::int64_t tiles, float* in, float* out) = nullptr;
};

extern const Kernels kAvx2Kernels;    ///< AVX2 and FMA
extern const Kernels kAvx512Kernels;  ///< AVX-512F besides

}  // namespace clmnet::nets::winograd
