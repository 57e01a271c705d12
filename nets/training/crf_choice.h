#pragma once

#include "nets/training/fusion.h"

namespace clmnet::nets {

/// What a CRF came to on the validation images.
struct CrfChoice {
  CrfOptions crf;
  double threshold = 0.5;  ///< of the refined probability, in steps of 1/256
  double dice_before = 0;  ///< mean of the images with tumour, at the best threshold of the map as it is
  double dice_after = 0;
};

/// Chooses the CRF's kernels and weights on the validation images as they are (not their augmented views), with the fusion
/// that `config` holds, and writes them into it, with the threshold that goes with them: those of the highest MapScore, of
/// equals the first and weakest; then with as few iterations as come to the same (5e-4). It may be a little below the map's own
/// score: what a CRF is for, clearing specks from slides, images of one tile cannot show; both are reported.
CrfChoice choose_crf(const ValidationOutputs& outputs, ModelConfig& config);

}  // namespace clmnet::nets
