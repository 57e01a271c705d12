#pragma once

#include <cstdint>

namespace clmnet::wsi {

/// A point in level-0 pixels; origin: top-left of the scan, not of its bounds.
struct Level0Px {
  std::int64_t x = 0;
  std::int64_t y = 0;
  friend bool operator==(const Level0Px&, const Level0Px&) = default;
};

/// Width and height in pixels of whatever level or image the name beside it says.
struct SizePx {
  std::int64_t width = 0;
  std::int64_t height = 0;
  friend bool operator==(const SizePx&, const SizePx&) = default;
};

/// A rectangle in level-0 pixels.
struct Level0Rect {
  Level0Px origin;
  SizePx size;
  friend bool operator==(const Level0Rect&, const Level0Rect&) = default;
};

/// One tile of a grid: the level-0 pixel at its top-left corner and its place in the grid it was planned on.
/// Tiles left out (no tissue) leave gaps in the numbering.
struct TileSpec {
  Level0Px origin;
  std::int64_t column = 0;
  std::int64_t row = 0;
  friend bool operator==(const TileSpec&, const TileSpec&) = default;
};

/// Resolution; both > 0; read from the file or given by the user, never guessed.
struct UmPerPx {
  double x = 0;
  double y = 0;
  friend bool operator==(const UmPerPx&, const UmPerPx&) = default;
};

}  // namespace clmnet::wsi
