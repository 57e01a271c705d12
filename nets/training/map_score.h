#pragma once

#include <cstdint>
#include <vector>

#include "nets/torch.h"

namespace clmnet::nets {

/// How good maps of probabilities are at a threshold, image by image, as `clmnet evaluate` reports it: a small tumour counts as
/// much as a large one, and what is called tumour where there is none counts too.
struct MapScore {
  double threshold = 0.5;
  double dice = 0;   ///< mean over the images with tumour; 0 where there is none
  double score = 0;  ///< mean of that and of the mean share of px of the other images that are rightly not called tumour;
                     ///< one of the two where images of one kind are missing
};

/// Collects images, keeping histograms of 256 bins, and finds the best threshold.
class MapScores {
 public:
  /// One image of n px. probability in [0,1]; truth 1, 0 or -1 unknown: left out. An image of unknown px alone does not count.
  void add(const float* probability, const std::int64_t* truth, std::int64_t n);
  /// All images of a batch.  probability float [M,h,w], truth int64 [M,h,w]
  void add(const torch::Tensor& probability, const torch::Tensor& truth);
  /// The highest score; of equal ones the threshold nearest to 0.5, a multiple of 1/256. 0.5 and no score without images.
  MapScore best() const;

 private:
  static constexpr std::size_t kBins = 256;
  struct Image {
    std::vector<std::uint32_t> tumour, other;  // [kBins + 1] px at or above each threshold
  };
  MapScore at(std::size_t bin) const;
  std::vector<Image> images_;
};

}  // namespace clmnet::nets
