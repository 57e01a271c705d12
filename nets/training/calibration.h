#pragma once

#include "nets/torch.h"

namespace clmnet::nets {

/// Expected calibration error of class probabilities: images are put into bins of equal width by the largest probability;
/// the mean distance of a bin's accuracy from its mean probability, by its images. 0 is perfect, 1 the worst.
/// Guo et al. 2017, arXiv:1706.04599, with 15 bins.
/// probability  [n,C], rows sum to 1
/// label        int64 [n]; -1 where unknown: left out
/// Throws std::invalid_argument when no label is known or sizes differ.
double expected_calibration_error(const torch::Tensor& probability, const torch::Tensor& label, int bins = 15);

/// The highest threshold at which at least `sensitivity` (above 0, at most 1) of the positives lie at or above it: halfway to
/// the next lower value. 0.5 where there is no positive.
/// probability [n], truth [n] of 0 and 1
double threshold_for_sensitivity(const torch::Tensor& probability, const torch::Tensor& truth, double sensitivity);

}  // namespace clmnet::nets
