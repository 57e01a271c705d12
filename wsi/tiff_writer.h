#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "wsi/geometry.h"

namespace clmnet::wsi {

/// One image of a tiled TIFF that is being written.
struct TiffPage {
  SizePx size;
  int tile_px = 256;                       ///< a multiple of 16
  int channels = 3;                        ///< 1: grey, 3: RGB
  bool jpeg = false;                       ///< tiles come as JPEG streams (YCbCr, 4:2:0 or as told); else Deflate of raw pixels
  int jpeg_subsampling = 2;                ///< horizontally and vertically: 1 or 2
  bool reduced = false;                    ///< a smaller version of the first image
  std::string description;
  std::optional<UmPerPx> um_per_px;        ///< into XResolution and YResolution, px per cm
};

/// A tiled TIFF, image after image, whole or absent. Not thread-safe.
/// Every member throws InputError with libtiff's reason (disk full, no permission) and leaves no file behind.
class TiffWriter {
 public:
  /// big_tiff: 64-bit offsets, needed over 4 GB.
  TiffWriter(const std::filesystem::path& path, bool big_tiff);
  ~TiffWriter();
  TiffWriter(const TiffWriter&) = delete;
  TiffWriter& operator=(const TiffWriter&) = delete;

  void begin(const TiffPage& page);
  /// bytes of one tile: tile_px * tile_px * channels pixels, or a JPEG stream for a page with jpeg.
  void write_tile(std::int64_t column, std::int64_t row, const void* bytes, std::size_t size);
  void end();
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace clmnet::wsi
