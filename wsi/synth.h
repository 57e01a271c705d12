#pragma once

#include <cstdint>
#include <memory>

#include <opencv2/core/mat.hpp>

#include "wsi/map_geometry.h"

namespace clmnet::wsi {

struct SynthOptions {
  std::uint64_t seed = 1;
  SizePx extent{8192, 8192};       ///< level 0
  double um_per_px = 0.5;
};

/// A drawn H&E slide of colon: pieces of mucosa with round crypts in a pink stroma, and nests of tumour whose nuclei are large,
/// dark and crowded around narrow, irregular lumens. Colours are those of haematoxylin and eosin (Ruifrok and Johnston 2001).
/// Every pixel is a function of seed and place alone: tiles may be painted in any order and by any thread.
/// For demonstrations and tests of the program; it says nothing about how a model does on patients.
class SynthSlide {
 public:
  /// Throws std::invalid_argument for an empty extent or a resolution outside 0.1 to 4 um/px.
  explicit SynthSlide(const SynthOptions& options);
  ~SynthSlide();
  SynthSlide(const SynthSlide&) = delete;
  SynthSlide& operator=(const SynthSlide&) = delete;

  /// Fills rgb, CV_8UC3 of any size, with level-0 pixels from `origin` on.
  void paint(Level0Px origin, cv::Mat& rgb) const;

  /// Truth at a point in level-0 px.
  bool is_tissue(double x, double y) const;
  bool is_tumour(double x, double y) const;

  /// Tumour at the centres of a map's pixels, CV_8U, 255 tumour. geometry.extent must be the slide's.
  cv::Mat tumour_mask(const MapGeometry& geometry) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace clmnet::wsi
