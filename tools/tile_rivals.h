#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "wsi/geometry.h"

namespace clmnet::tools {

/// What the tile stream is measured against, on the same tiles and threads: the codec alone, and OpenSlide.
class TileRivals {
 public:
  /// Loads the stored JPEG tiles under the grid's tiles (level 0) into memory, each once.
  TileRivals(const std::filesystem::path& slide, const std::vector<wsi::TileSpec>& grid, int tile_px, int threads);
  ~TileRivals();
  TileRivals(const TileRivals&) = delete;
  TileRivals& operator=(const TileRivals&) = delete;

  /// False where the slide has no JPEG tiles that the direct reader could read.
  bool has_raw() const;
  /// libjpeg-turbo (TurboJPEG's API) on bytes in memory, into one buffer per thread. Returns how many stored tiles.
  std::int64_t decode_raw() const;
  /// openslide_read_region of every tile at level 0, into one buffer per thread. Returns how many tiles.
  std::int64_t read_openslide() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace clmnet::tools
