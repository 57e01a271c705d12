#pragma once

#include <cstdint>
#include <vector>

namespace clmnet::nets {

/// A part of a picture, in its pixels.
struct CrfWindow {
  int x = 0, y = 0, width = 0, height = 0;

  bool operator==(const CrfWindow&) const = default;
};

struct CrfWindowOptions {
  int window_px = 2048;  ///< of what is worked on at once, overlap included, take part at most this squared: about 0.4 GB
  int overlap_px = 0;    ///< margin that is computed and thrown away; 0: three bilat_sxy_px
};

struct CrfPart {
  CrfWindow core;    ///< what is kept; the cores of a plan do not touch each other's pixels
  CrfWindow around;  ///< what is computed: the core and its margin, within the picture
};

/// Parts that hold every pixel that takes part, halved until each is small enough: at most window_px squared such pixels, in no
/// more than twice that area and no more than twice window_px across. So tissue that is scattered on glass needs few parts.
/// has_data    height * width; where 0 the pixel takes no part. Null: all do
/// overlap_px  the margin, from 0; below half of window_px
std::vector<CrfPart> plan_crf_windows(const std::uint8_t* has_data, int height, int width, int overlap_px, int window_px);

}  // namespace clmnet::nets
