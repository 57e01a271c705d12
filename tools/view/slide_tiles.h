#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "tools/view/lru_cache.h"
#include "tools/view/stored_tiles.h"
#include "tools/view/tile_place.h"
#include "wsi/slide.h"

namespace clmnet::tools::view {

/// Baseline JPEG, 4:4:4, of CV_8UC3 in R G B order. Throws std::runtime_error when libjpeg-turbo fails.
std::string encode_jpeg(const cv::Mat& rgb, int quality);

/// Tiles of the slides of a run: handed through as they are stored where that is possible, else encoded when they are asked for.
/// Open slides and encoded tiles are bounded; any thread may call any member.
class SlideTiles {
 public:
  struct Limits {
    std::size_t open_slides = 8;
    std::size_t cache_bytes = std::size_t{192} << 20;
    int jpeg_quality = 87;
  };

  SlideTiles();
  /// icc  colours to sRGB through each slide's ICC profile, as `clmnet analyze --icc` reads them
  explicit SlideTiles(const Limits& limits, bool icc = false);

  /// Opens the file or takes it from those that are open. Throws InputError as wsi::Slide.
  std::shared_ptr<const wsi::Slide> slide(const std::filesystem::path& file);
  /// JPEG, or null when the slide has no such tile.
  std::shared_ptr<const std::string> tile(const std::filesystem::path& file, int level, std::int64_t column, std::int64_t row);
  /// The whole slide as JPEG; its longer side is `side_px`.
  std::shared_ptr<const std::string> thumbnail(const std::filesystem::path& file, int side_px);
  /// A rectangle in level-0 px as JPEG; its longer side is at most `side_px`. Null when it does not meet the scan.
  std::shared_ptr<const std::string> crop(const std::filesystem::path& file, const wsi::Level0Rect& box, int side_px);

  std::size_t cached_bytes() const { return jpegs_.used(); }

 private:
  struct Source {
    wsi::Slide slide;
    StoredTiles stored;
  };
  std::shared_ptr<const Source> source(const std::filesystem::path& file);

  Limits limits_;
  bool icc_;
  LruCache<Source> sources_;
  LruCache<std::string> jpegs_;
};

}  // namespace clmnet::tools::view
