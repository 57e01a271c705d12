#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include "wsi/annotation_files.h"
#include "wsi/geometry.h"
#include "wsi/grid.h"

namespace clmnet::wsi {

constexpr int kUnknownLabel = 255;  ///< of pixels whose class nobody said

/// A region with the number of its class.
struct LabelledRegion {
  AnnotatedRegion region;
  int label = 0;                     ///< 0 to 254, or kUnknownLabel
};

struct TileLabelOptions {
  int outside = 0;                   ///< label of what no region covers: 0 where the annotation is complete, else kUnknownLabel
  double min_share = 0.1;            ///< a class > 0 gives a tile its label from this share of the tile's area on
};

/// A tile's pixels and what they make of it.
struct TileLabel {
  cv::Mat mask;                      ///< CV_8U [tile_px,tile_px], label of each pixel
  int label = -1;                    ///< of the tile; -1: not decided
  double share = 0;                  ///< of the tile that has that label
};

/// Draws the regions of one slide over its tiles.
/// A pixel belongs to a region when its centre lies inside (non-zero winding, half-open, so that of two regions that touch
/// each pixel belongs to exactly one). Of regions that overlap the smaller one counts: what is drawn inside something else says
/// more. Through a hole the region below is seen.
class LabelPainter {
 public:
  /// Throws std::invalid_argument for labels or options out of range.
  LabelPainter(std::vector<LabelledRegion> regions, const TileLabelOptions& options);

  /// Labels of a tile's pixels. A tile is -1 when any of its pixels is unknown, else the class > 0 with the largest share where
  /// that reaches min_share, else 0 where the whole tile is 0, else -1.
  /// size_level0  side of the tile in level-0 px, x and y.
  /// Any thread may call it.
  TileLabel paint(Level0Px origin, TileSideLevel0 size_level0, int tile_px) const;

 private:
  struct Placed {
    LabelledRegion labelled;
    double left = 0, top = 0, right = 0, bottom = 0, area = 0;
  };
  std::vector<Placed> regions_;      ///< largest first
  TileLabelOptions options_;
};

}  // namespace clmnet::wsi
