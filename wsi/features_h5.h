#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include <opencv2/core/mat.hpp>

#include "wsi/geometry.h"
#include "wsi/grid.h"
#include "wsi/slide.h"

namespace clmnet::wsi {

/// How tiles lie on their slide: what CLAM's and TRIDENT's loaders look for beside the coordinates.
struct TilesInfo {
  std::string slide_name;               ///< without extension
  std::string source;                   ///< where the file is kept (CLAM's save_path, TRIDENT's savetodir)
  SizePx extent;                        ///< level 0
  UmPerPx level0_um_per_px;
  std::vector<LevelInfo> levels;        ///< at least level 0
  double level0_magnification = 0;      ///< 0: not known; then 10 / (um/px), TRIDENT's own rule
  GridOptions grid;
  std::string encoder;                  ///< features.h5: what made the features; with its checksum
};

/// Information of one slide and the grid on it.
TilesInfo describe_tiles(const Slide& slide, const GridOptions& grid, const std::filesystem::path& file, std::string encoder = "");

/// An attribute of the file's `coords`.
using H5Value = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;

/// What tiles.h5 or features.h5 holds.
struct TileFeatures {
  std::vector<Level0Px> coords;         ///< top-left corners
  cv::Mat features;                     ///< CV_32F [N,F]; empty for tiles.h5
  std::map<std::string, H5Value> attributes;
};

/// tiles.h5: `coords` int64 [N,2] (x, y in level-0 px) with the attributes of CLAM (patch_size, patch_level, downsample,
/// downsampled_level_dim, level_dim, name, save_path) and of TRIDENT (patch_size, patch_size_level0, level0_magnification,
/// target_magnification, overlap, level0_width, level0_height, name, savetodir).
/// patch_size is the tile's side in px of the target resolution, as TRIDENT means it; CLAM reads that many px of patch_level,
/// which is the stored level nearest to the target resolution (level_dim and downsample are that level's). Where the slide
/// stores the target resolution, both mean the same field of view; elsewhere patch_size_level0 is the exact one.
/// Whole or absent. Throws InputError when it cannot be written.
/// labels  empty, or one per tile: the dataset `labels` int64 [N], -1 where it is not known.
void write_tiles_h5(const std::filesystem::path& path, const std::vector<TileSpec>& tiles, const TilesInfo& info,
                    const std::vector<std::int64_t>& labels = {});

/// features.h5: as above with `features` float32 [N,F], one row per tile, and the attribute encoder.
/// Throws std::invalid_argument unless features is CV_32F with one row per tile.
void write_features_h5(const std::filesystem::path& path, const std::vector<TileSpec>& tiles, const cv::Mat& features,
                       const TilesInfo& info);

/// Reads either. Throws InputError for a missing or empty file, one that is not HDF5, without `coords`, or with arrays whose
/// shapes do not fit each other; the message gives the shape that was found.
TileFeatures read_features(const std::filesystem::path& path);

}  // namespace clmnet::wsi
