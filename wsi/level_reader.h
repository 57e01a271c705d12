#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include "wsi/geometry.h"

namespace clmnet::wsi {

class TileCache;

/// A grid of pixels that a reader can deliver without resampling: a stored level, or a stored level that its codec shrinks.
struct PixelSource {
  std::size_t level = 0;      ///< of the pyramid
  int codec_shrink = 1;       ///< 1, 2, 4 or 8: JPEG's own scaling
  SizePx size;
  double downsample_x = 1;    ///< level-0 px per px of this source
  double downsample_y = 1;
};

/// What came of a read, and by how much the grid that was delivered lies off the one that was asked for.
struct ReadOutcome {
  bool complete = true;
  double shift_x = 0;         ///< the delivered pixel 0 lies at x + shift_x of the source; within half a pixel
  double shift_y = 0;
};

/// Pixels of one slide at the resolutions in which they are stored. Any thread may call any member.
class LevelReader {
 public:
  LevelReader() = default;
  virtual ~LevelReader() = default;
  LevelReader(const LevelReader&) = delete;
  LevelReader& operator=(const LevelReader&) = delete;

  virtual std::string name() const = 0;
  /// From the finest to the coarsest; of two with one downsample the cheaper comes last.
  virtual const std::vector<PixelSource>& sources() const = 0;

  /// Fills `rgb` (CV_8UC3) with the pixels whose top-left one is (x, y) of the source; outside white, undecodable black.
  virtual ReadOutcome read(const PixelSource& source, std::int64_t x, std::int64_t y, cv::Mat& rgb, TileCache* cache) const = 0;

  /// Counts the stored tiles that a later read of the same arguments will use. Nothing where the reader keeps no tiles.
  virtual void announce(const PixelSource&, std::int64_t /*x*/, std::int64_t /*y*/, SizePx, TileCache&) const {}
};

}  // namespace clmnet::wsi
