#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "wsi/features_h5.h"
#include "wsi/geometry.h"

namespace clmnet::wsi {

/// tiles.h5 with the pixels in it, as CLAM's create_patches writes them: `imgs` uint8 [N,tile_px,tile_px,3] beside `coords`.
/// Memory is that of one image. Whole or absent: without commit nothing is left.
/// Every member throws InputError where the disk does not take it.
class TileImagesH5 {
 public:
  TileImagesH5(const std::filesystem::path& path, const TilesInfo& info);
  ~TileImagesH5();
  TileImagesH5(const TileImagesH5&) = delete;
  TileImagesH5& operator=(const TileImagesH5&) = delete;

  /// rgb  [tile_px,tile_px,3], row-major.
  void add(const std::uint8_t* rgb);
  /// One tile per image that was added, in their order; labels as write_tiles_h5 takes them.
  /// Throws std::invalid_argument for other lengths.
  void commit(const std::vector<TileSpec>& tiles, const std::vector<std::int64_t>& labels = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace clmnet::wsi
