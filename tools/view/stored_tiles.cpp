#include "tools/view/stored_tiles.h"

#include <array>
#include <vector>

#include "tools/base/error.h"

namespace clmnet::tools::view {
namespace {

constexpr std::uint8_t kStart = 0xd8, kEnd = 0xd9, kScan = 0xda, kApp0 = 0xe0, kApp15 = 0xef, kComment = 0xfe;

bool is_frame(std::uint8_t marker) { return marker >= 0xc0 && marker <= 0xc2; }

/// Appends the segments of `jpeg` up to its pixels (or its end) but those of applications. Returns where that was; 0 where the
/// markers cannot be walked, or a frame is not `side_px` squared of three channels.
std::size_t copy_segments(std::span<const std::uint8_t> jpeg, int side_px, std::string& out, bool& has_frame) {
  if (jpeg.size() < 4 || jpeg[0] != 0xff || jpeg[1] != kStart) return 0;
  std::size_t at = 2;
  while (at + 4 <= jpeg.size() && jpeg[at] == 0xff) {
    const std::uint8_t marker = jpeg[at + 1];
    if (marker == kScan || marker == kEnd) return at;
    const std::size_t length = static_cast<std::size_t>(jpeg[at + 2]) << 8 | jpeg[at + 3];
    if (marker < 0xc0 || length < 2 || at + 2 + length > jpeg.size()) return 0;
    if (is_frame(marker)) {
      if (length < 8) return 0;
      const int height = jpeg[at + 5] << 8 | jpeg[at + 6], width = jpeg[at + 7] << 8 | jpeg[at + 8];
      if (width != side_px || height != side_px || jpeg[at + 9] != 3) return 0;
      has_frame = true;
    }
    if (!(marker >= kApp0 && marker <= kApp15) && marker != kComment) {
      out.append(reinterpret_cast<const char*>(jpeg.data()) + at, 2 + length);
    }
    at += 2 + length;
  }
  // A JPEG of tables alone may end with its end marker, which leaves fewer than four bytes.
  return at + 2 <= jpeg.size() && jpeg[at] == 0xff && jpeg[at + 1] == kEnd ? at : 0;
}

}  // namespace

std::optional<std::string> whole_jpeg(std::span<const std::uint8_t> tables, std::span<const std::uint8_t> tile, bool ycbcr, int side_px) {
  const std::array<std::uint8_t, 18> head = {0xff, kStart, 0xff, 0xee, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, std::uint8_t{ycbcr}};
  std::string jpeg(head.begin(), head.end());
  bool has_frame = false;
  if (!tables.empty() && copy_segments(tables, side_px, jpeg, has_frame) == 0) return std::nullopt;
  const std::size_t pixels = copy_segments(tile, side_px, jpeg, has_frame);
  const bool ends = tile.size() >= 2 && tile[tile.size() - 2] == 0xff && tile[tile.size() - 1] == kEnd;
  if (pixels == 0 || tile[pixels + 1] != kScan || !has_frame || !ends) return std::nullopt;
  jpeg.append(reinterpret_cast<const char*>(tile.data()) + pixels, tile.size() - pixels);
  return jpeg;
}

StoredTiles::StoredTiles(const wsi::Slide& slide) : extent_(slide.extent()) {
  if (slide.info().reader.rfind("direct", 0) != 0 || !slide.info().icc_profile.empty()) return;
  try {
    file_ = std::make_unique<wsi::TiffFile>(slide.path());
  } catch (const InputError&) {
    // The slide's own reader answers for what it can read; here it only means that every tile is encoded anew.
  }
}

std::optional<std::string> StoredTiles::find(const TilePlace& place) const {
  constexpr std::int64_t kSide = DeepZoom::kTilePx;
  if (!file_ || place.size != wsi::SizePx{kSide, kSide}) return std::nullopt;
  for (const auto& level : file_->levels()) {
    const bool same_scale = level.size.width * place.downsample == extent_.width && level.size.height * place.downsample == extent_.height;
    if (!same_scale || level.tile != wsi::SizePx{kSide, kSide} || !level.not_jpeg.empty()) continue;
    const std::int64_t column = place.origin.x / (kSide * place.downsample), row = place.origin.y / (kSide * place.downsample);
    std::vector<std::uint8_t> bytes;
    if (!file_->read_tile_bytes(level, row * level.tiles_across + column, bytes)) return std::nullopt;
    return whole_jpeg(level.jpeg_tables, bytes, level.ycbcr, DeepZoom::kTilePx);
  }
  return std::nullopt;
}

}  // namespace clmnet::tools::view
