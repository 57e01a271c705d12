#pragma once

#include <functional>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include "wsi/grid.h"
#include "wsi/slide.h"
#include "wsi/stitcher.h"
#include "wsi/tile_stream.h"
#include "wsi/tissue.h"

namespace clmnet::nets {

class Ensemble;

struct SlideAnalysisOptions {
  int stride_px = 0;          ///< from one tile to the next at the model's resolution; 0: seven eighths of its patch
  double min_tissue = 0.1;    ///< least share of a tile that is tissue
  int map_px = 0;             ///< tile px per map px: the map has map_px times the model's µm/px; 0: the model's own
  int batch = 16;
  int decode_threads = 1;
  bool refine = true;         ///< dense CRF with the slide's RGB as guide
  wsi::TissueOptions tissue;
};

/// Where the time went, s.
struct AnalysisTimings {
  double tissue = 0, tiles = 0, networks = 0, waiting_for_tiles = 0, crf = 0;
};

/// What the ensemble says of one slide. K networks; N tiles that could be decoded.
struct SlideAnalysis {
  wsi::TissueMask tissue;
  wsi::GridOptions grid;
  std::vector<wsi::TileSpec> tiles;        ///< in the grid's order, tiles that could not be decoded left out
  std::vector<wsi::TileSpec> incomplete;   ///< those
  cv::Mat probability;                     ///< CV_32F [N,C], fused
  std::vector<cv::Mat> member_probability; ///< K of CV_32F [N,C]
  cv::Mat features;                        ///< CV_32F [N,F]; empty for a model without features
  wsi::ProbabilityMap raw;                 ///< channel 0: fused; 1 to K: each network; K+1 to 2K: their activations
                                           ///< where the ensemble gives them; no data off the tissue
  wsi::ProbabilityMap refined;             ///< one channel; equals raw's where refine is off
  std::string stain_warning;               ///< why the slide's colours were not normalised though the model wants it; else empty
  cv::Mat overview;                        ///< CV_8UC3 RGB of the map's size
  AnalysisTimings timings;
};

/// done of total tiles; may throw to stop.
using TileProgress = std::function<void(std::size_t done, std::size_t total)>;

/// Slide -> tissue -> grid -> tile stream -> ensemble -> stitched maps -> dense CRF. A slide without tissue gives empty
/// lists and a map without data. Memory: the map at its own µm/px, features of N tiles, and a bounded queue of tiles.
/// Throws InputError where the slide does not say its resolution.
SlideAnalysis analyze_slide(const wsi::Slide& slide, Ensemble& ensemble, const SlideAnalysisOptions& options,
                            const TileProgress& progress);

}  // namespace clmnet::nets
