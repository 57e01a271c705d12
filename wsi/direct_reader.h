#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "wsi/level_reader.h"
#include "wsi/tiff_file.h"
#include "wsi/tile_cache.h"

namespace clmnet::wsi {

/// Slides that are TIFF with JPEG tiles, without OpenSlide: bytes from the file, pixels from libjpeg-turbo, straight into the
/// caller's memory where a stored tile lies wholly inside the region. Also offers each level shrunk 2, 4 and 8 times by the
/// codec, which costs less than decoding it whole.
class DirectReader : public LevelReader {
 public:
  /// `levels[i]` is the size of level i; each must be a directory of the file.
  /// Returns none and says why in `declined` when the file is not for this reader.
  static std::unique_ptr<DirectReader> open(std::shared_ptr<const TiffFile> file, const std::vector<SizePx>& levels,
                                            std::string& declined);

  std::string name() const override;
  const std::vector<PixelSource>& sources() const override { return sources_; }
  ReadOutcome read(const PixelSource& source, std::int64_t x, std::int64_t y, cv::Mat& rgb, TileCache* cache) const override;
  void announce(const PixelSource& source, std::int64_t x, std::int64_t y, SizePx size, TileCache& cache) const override;

 private:
  /// One stored tile at one shrink, in pixels of the source.
  struct Tile {
    std::int64_t index = 0;
    std::int64_t x = 0, y = 0;            ///< top-left
    std::int64_t width = 0, height = 0;   ///< as stored
    std::int64_t used_width = 0, used_height = 0;  ///< what lies inside the level; a last partial pixel counts
    bool codec_shrinks = true;            ///< false: the level ends inside a shrunken pixel, which the codec would fill with padding
  };

  DirectReader(std::shared_ptr<const TiffFile> file, std::vector<const TiffLevel*> levels);

  const TiffLevel& level_of(const PixelSource& source) const { return *levels_[source.level]; }
  Tile tile_at(const PixelSource& source, std::int64_t column, std::int64_t row) const;
  template <typename Visit>
  void for_each_tile(const PixelSource& source, std::int64_t x, std::int64_t y, SizePx size, const Visit& visit) const;
  bool decode(const PixelSource& source, const Tile& tile, std::uint8_t* rgb, std::ptrdiff_t row_bytes) const;
  bool decode_then_shrink(const PixelSource& source, const Tile& tile, std::uint8_t* rgb, std::ptrdiff_t row_bytes) const;
  void fill(const PixelSource& source, const Tile& tile, StoredTile& stored) const;

  std::shared_ptr<const TiffFile> file_;
  std::vector<const TiffLevel*> levels_;
  std::vector<PixelSource> sources_;
};

}  // namespace clmnet::wsi
