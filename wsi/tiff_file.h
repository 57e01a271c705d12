#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "wsi/geometry.h"

namespace clmnet::wsi {

/// What no file may make us allocate: beyond these a directory is left to another reader.
struct TiffLimits {
  static constexpr std::int64_t kTileSidePx = 8192;
  static constexpr std::int64_t kTilePixels = std::int64_t{1} << 24;   ///< 48 MiB decoded
  static constexpr std::int64_t kTilesPerLevel = std::int64_t{1} << 22;  ///< 524,288 px squared in tiles of 256
  static constexpr int kDirectories = 256;
  static constexpr std::uint32_t kJpegTableBytes = 1 << 20;  ///< four tables of each kind are 2 KiB
  static constexpr std::int64_t kLibtiffBytes = std::int64_t{64} << 20;  ///< any one allocation of libtiff
};

/// One tiled directory: where its stored tiles are, and what they are made of.
struct TiffLevel {
  SizePx size;
  SizePx tile;
  std::int64_t tiles_across = 0;
  std::int64_t tiles_down = 0;
  std::vector<std::uint64_t> offsets;      ///< of each tile's bytes, row by row; as the file says, not checked
  std::vector<std::uint64_t> byte_counts;
  std::vector<std::uint8_t> jpeg_tables;   ///< tag 347: a JPEG of tables alone; may be empty
  bool ycbcr = false;                      ///< colours inside the JPEG; else RGB
  std::string not_jpeg;                    ///< why the tiles are not 8-bit RGB or YCbCr JPEG; empty when they are
};

/// The tiled directories of a TIFF or BigTIFF, read with libtiff, and the bytes of their tiles. Any thread may read bytes.
class TiffFile {
 public:
  /// Throws InputError when the file is no TIFF, or its chain of directories breaks off.
  explicit TiffFile(const std::filesystem::path& path);
  ~TiffFile();
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  const std::vector<TiffLevel>& levels() const { return levels_; }
  std::uint64_t bytes() const { return bytes_; }

  /// Stored tiles whose bytes lie, wholly or in part, beyond the end of the file.
  std::int64_t tiles_beyond_end() const;

  /// Tag 34675 of the tiled directory of that size; empty where there is none, or one of more than kMostIccBytes.
  std::vector<std::uint8_t> icc_profile(SizePx size) const;

  /// The bytes of one tile as they are stored. False where there are none, they lie outside the file, cannot be read, or are
  /// more than twice what the tile holds decoded; index must be below tiles_across * tiles_down.
  bool read_tile_bytes(const TiffLevel& level, std::int64_t index, std::vector<std::uint8_t>& bytes) const;

 private:
  std::filesystem::path path_;
  int file_ = -1;
  std::uint64_t bytes_ = 0;
  std::vector<TiffLevel> levels_;
};

/// True when the first bytes are those of a TIFF or BigTIFF.
bool looks_like_tiff(const std::filesystem::path& path);

}  // namespace clmnet::wsi
