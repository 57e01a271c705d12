#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "wsi/geometry.h"

namespace clmnet::wsi {

/// heatmap.tiff as write_heatmap made it: a tiled pyramid of 8-bit grey values whose levels halve (one pixel of level k stands
/// for 2^k by 2^k of level 0, rounded up at the right and lower edge). Any thread may call any const member.
class MapFile {
 public:
  /// Throws InputError when the file is missing, no TIFF, or a directory is not tiled, not 8-bit grey or not half the one before.
  explicit MapFile(const std::filesystem::path& path);
  ~MapFile();
  MapFile(MapFile&&) noexcept;
  MapFile& operator=(MapFile&&) noexcept;

  /// From the finest to the coarsest.
  const std::vector<SizePx>& levels() const;
  int tile_px() const;

  /// tile_px x tile_px values, row by row; 0 beyond the map.
  /// Throws std::invalid_argument for a tile that the level has not, InputError when it cannot be decoded.
  std::vector<std::uint8_t> read_tile(std::size_t level, std::int64_t column, std::int64_t row) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// How many tiles of `tile_px` cover `length` px.
std::int64_t tiles_over(std::int64_t length, std::int64_t tile_px);

}  // namespace clmnet::wsi
