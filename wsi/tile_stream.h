#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "wsi/geometry.h"
#include "wsi/slide.h"

namespace clmnet::wsi {

/// How tiles are read and handed on.
struct StreamOptions {
  int tile_px = 256;                   ///< side of a tile at um_per_px
  UmPerPx um_per_px;                   ///< of the tiles; both zero: level-0 pixels as they are, for slides without µm/px
  int batch = 32;                      ///< tiles per batch; the last one may hold fewer
  int threads = 0;                     ///< that decode; 0: one per core. The calling thread, which consumes, is not one of them
  int queue_batches = 3;               ///< finished batches that wait for the consumer
  std::size_t cache_bytes = std::size_t{160} << 20;  ///< for stored tiles that several tiles share
  std::function<void(cv::Mat& tile)> change;  ///< what is done with the pixels of each tile, on the threads that decode; any of them
  /// Where batches live, for instance memory that a GPU reads directly; both or neither. 64-byte aligned otherwise.
  std::function<std::uint8_t*(std::size_t bytes)> allocate;
  std::function<void(std::uint8_t* memory)> release;
};

/// Tiles [first_index, first_index + tiles.size()) of the grid.
struct TileBatch {
  std::size_t first_index = 0;
  std::vector<TileSpec> tiles;
  const std::uint8_t* rgb = nullptr;   ///< [N,tile_px,tile_px,3] row-major, R G B; the stream's until `consume` returns
  std::vector<std::uint8_t> complete;  ///< 0: a stored tile under it is corrupt or missing; leave the tile out
};

/// What happened, for summaries and benchmarks.
struct StreamStats {
  std::int64_t tiles = 0;
  std::int64_t incomplete = 0;
  std::int64_t stored_tiles_decoded = 0;    ///< by the direct reader; 0 with OpenSlide, which does not tell
  double decode_seconds = 0;                ///< summed over threads
  double consumer_seconds = 0;              ///< inside `consume`
  double waiting_for_decode_seconds = 0;    ///< the consumer had nothing to do
};

/// Reads the tiles in parallel ahead of the consumer and hands them on in the order of the grid, on the calling thread, one
/// batch at a time. At most queue_batches + threads + 3 batches (when a batch has at least 8 tiles) and cache_bytes exist at
/// once, whatever the slide. An exception of either side ends the stream and comes out here; throwing is how a consumer stops.
/// Throws InputError where the slide does not say its resolution; std::invalid_argument for options out of range.
StreamStats for_each_batch(const Slide& slide, const std::vector<TileSpec>& grid, const StreamOptions& options,
                           const std::function<void(TileBatch& batch)>& consume);

}  // namespace clmnet::wsi
