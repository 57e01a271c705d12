#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include <opencv2/core/mat.hpp>

#include "wsi/geometry.h"

namespace clmnet::wsi {

struct TiffSlideOptions {
  int tile_px = 256;                     ///< stored tiles; a multiple of 16
  UmPerPx um_per_px{0.5, 0.5};           ///< of level 0
  std::vector<int> downsamples{1, 4, 16};  ///< of the levels; begins with 1, each a power of two times the one before
  int jpeg_quality = 85;
  bool subsample_chroma = true;          ///< 4:2:0, as scanners do; else 4:4:4
  bool aperio = true;                    ///< Aperio's ImageDescription with MPP and AppMag; else a generic TIFF with its resolution
  double objective_power = 20;           ///< for aperio
};

/// Fills rgb, CV_8UC3 of tile_px x tile_px, with level-0 pixels from `origin` on. Called from several threads at once.
using TilePainter = std::function<void(Level0Px origin, cv::Mat& rgb)>;

/// Writes a pyramidal tiled JPEG TIFF slide from level-0 tiles; every coarser level is the mean of the one below. Memory is one
/// row of tiles per level and the compressed coarser levels, some 1/10 of the file. The file is whole or absent and its bytes
/// depend on the pixels and options alone.
/// Throws InputError when it cannot be written, std::invalid_argument for options out of range.
void write_tiff_slide(const std::filesystem::path& path, SizePx extent, const TilePainter& paint, const TiffSlideOptions& options = {});

/// As above from a picture, RGB.
void write_tiff_slide(const std::filesystem::path& path, const cv::Mat& rgb, const TiffSlideOptions& options = {});

}  // namespace clmnet::wsi
