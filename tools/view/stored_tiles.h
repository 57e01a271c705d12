#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "tools/view/tile_place.h"
#include "wsi/slide.h"
#include "wsi/tiff_file.h"

namespace clmnet::tools::view {

/// One JPEG that any browser shows, of a tile's bytes and the tables that TIFF keeps apart from it; nothing is decoded. The
/// colours inside are said by an Adobe marker, other application markers are left out.
/// Empty unless it is a JPEG of three channels and side_px squared whose markers can be walked to its pixels and which ends as
/// a JPEG does.
std::optional<std::string> whole_jpeg(std::span<const std::uint8_t> tables, std::span<const std::uint8_t> tile, bool ycbcr, int side_px);

/// The JPEG tiles of a slide as they are stored, handed through where they are the very tiles of the deep-zoom pyramid.
/// Any thread may call any const member.
class StoredTiles {
 public:
  /// Opens the file a second time where the slide's reader is the direct one; else, or where the slide's colours are converted,
  /// there are no stored tiles.
  explicit StoredTiles(const wsi::Slide& slide);

  /// Empty where no stored tile has exactly this place and resolution, or it is not sound at first sight.
  std::optional<std::string> find(const TilePlace& place) const;

 private:
  wsi::SizePx extent_;
  std::unique_ptr<wsi::TiffFile> file_;
};

}  // namespace clmnet::tools::view
