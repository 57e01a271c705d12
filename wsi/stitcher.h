#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <opencv2/core/mat.hpp>

#include "wsi/map_geometry.h"

namespace clmnet::wsi {

struct StitchOptions {
  int tile_px = 256;             ///< side of a tile at tile_um_per_px
  UmPerPx tile_um_per_px{1, 1};
  double map_um_per_px = 8;      ///< of the stitched map; memory follows this, not the scan
  int channels = 1;
};

/// A map over a whole scan, with 'no data' apart from 0.
struct ProbabilityMap {
  MapGeometry geometry;                ///< the map lies exactly over the scan
  std::vector<cv::Mat> probability;    ///< one CV_32F per channel; 0 where there is no data
  cv::Mat valid;                       ///< CV_8U, 255 where at least half of the pixel was covered by complete tiles
};

/// Joins the networks' maps of overlapping tiles to one map without seams.
/// Conventions: a tile's corner lies on the corner of its level-0 pixel `origin`; its h x w map fills it, pixel (i, j) having
/// its centre at (j + 0.5) / w, (i + 0.5) / h of the side. A map pixel takes the mean of what lies under its area (bilinear at
/// its centre where the tile is coarser than the map). Where tiles overlap, each weighs by sin^2 over its side, so that its
/// share vanishes at its edge. The result does not depend on the order of tiles beyond float rounding.
/// Not thread-safe: one consumer adds.
class Stitcher {
 public:
  /// Throws std::invalid_argument for sizes or resolutions that are not positive.
  Stitcher(SizePx extent, UmPerPx level0_um_per_px, const StitchOptions& options);

  const MapGeometry& geometry() const { return geometry_; }

  /// maps      [N,channels,h,w] row-major, N the number of tiles; h and w may differ from call to call (1 x 1 is a tile's score).
  /// complete  one per tile, 0: its pixels could not all be decoded, it is left out; empty: all are complete.
  /// A tile with a value that is not finite is left out too. Throws std::invalid_argument for sizes that do not fit.
  void add(std::span<const TileSpec> tiles, std::span<const float> maps, int h, int w, std::span<const std::uint8_t> complete = {});

  std::int64_t tiles_added() const { return added_; }
  std::int64_t tiles_left_out() const { return left_out_; }

  /// The maps of what was added. Nothing can be added after that: they take the sums' memory.
  ProbabilityMap take();

 private:
  MapGeometry geometry_;
  StitchOptions options_;
  std::vector<cv::Mat> weighted_;   // CV_32F per channel: sum of weight * value
  cv::Mat weight_;                  // CV_32F
  cv::Mat coverage_;                // CV_8U: share of the pixel that is covered, in 1/254, saturating
  std::int64_t added_ = 0;
  std::int64_t left_out_ = 0;
};

}  // namespace clmnet::wsi
