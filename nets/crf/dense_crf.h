#pragma once

#include <cstdint>
#include <vector>

#include "nets/crf/crf_windows.h"

namespace clmnet::nets {

/// A fully connected conditional random field of two labels: Potts potentials with a Gaussian kernel of position and a
/// bilateral kernel of position and colour, both normalised symmetrically (row and column by the root of the row sum).
/// Mean field, filters on the permutohedral lattice.
/// Krähenbühl and Koltun 2011, arXiv:1210.5644; Adams, Baek and Davis 2010.
/// Same results as pydensecrf2 with DIAG_KERNEL and NORMALIZE_SYMMETRIC.
struct CrfOptions {
  double gauss_sxy_px = 3;    ///< standard deviation of position in the Gaussian kernel, from half a pixel
  double gauss_weight = 3;
  double bilat_sxy_px = 60;   ///< standard deviation of position in the bilateral kernel
  double bilat_srgb = 10;     ///< standard deviation of colour, in grey levels of 0 to 255
  double bilat_weight = 8;
  int iterations = 10;
  double clip = 1e-4;         ///< probabilities are kept from this to 1 minus this
  int threads = 0;            ///< 0: as many as the machine has; the result does not depend on it
};

/// A picture and what is known of it; rows from the top.
struct CrfPicture {
  const std::uint8_t* rgb = nullptr;       ///< height * width * 3
  const float* probability = nullptr;      ///< height * width, of the foreground, from 0 to 1, also where there is no data
  const std::uint8_t* has_data = nullptr;  ///< height * width or null; where 0 the pixel takes no part and keeps its probability
  int height = 0, width = 0;
};

/// Refines a foreground probability with the picture as guide. Time and memory are linear in the pixels that take part (about 90
/// bytes each).
/// Result: height * width, from 0 to 1.
/// Throws std::invalid_argument for sizes below 1, standard deviations that are too small, negative weights, a probability
/// outside 0 to 1, and a picture of more than about 9000 standard deviations across (refine it in windows).
std::vector<float> refine(const CrfPicture& picture, const CrfOptions& options);

/// As refine, window after window (plan_crf_windows), so that memory follows the window and not the picture. The lattice is anchored
/// at the picture's origin, so a window sees the same lattice as the whole; what differs is what lies beyond the overlap.
/// result: height * width, of the caller.
/// Throws std::invalid_argument as refine does, and when the overlap leaves less than one pixel of a window.
void refine_windowed(const CrfPicture& picture, float* result, const CrfOptions& options, const CrfWindowOptions& windows = {});

}  // namespace clmnet::nets
