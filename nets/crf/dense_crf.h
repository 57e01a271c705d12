#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace clmnet::nets {

/// A fully connected conditional random field of two labels: Potts potentials with a Gaussian kernel of position and a
/// bilateral kernel of position and colour, both normalised symmetrically (row and column by the root of the row sum).
/// Mean field, filters on the permutohedral lattice.
/// Krähenbühl and Koltun 2011, arXiv:1210.5644; Adams, Baek and Davis 2010.
/// Same results as pydensecrf2 with DIAG_KERNEL and NORMALIZE_SYMMETRIC.
struct CrfOptions {
  double gauss_sxy_px = 3;    ///< standard deviation of position in the Gaussian kernel
  double gauss_weight = 3;
  double bilat_sxy_px = 60;   ///< standard deviation of position in the bilateral kernel
  double bilat_srgb = 10;     ///< standard deviation of colour, in grey levels of 0 to 255
  double bilat_weight = 8;
  int iterations = 10;
  double clip = 1e-4;         ///< probabilities are kept from this to 1 minus this
  int threads = 0;            ///< 0: as many as the machine has; the result does not depend on it
};

/// Refines a foreground probability with the picture as guide. Time and memory are linear in the pixels (about 90
/// bytes each).
/// rgb          height * width * 3, rows from the top
/// probability  height * width, from 0 to 1, also where there is no data
/// has_data     height * width or null; where 0 the pixel takes no part and keeps its probability
/// Result       height * width, from 0 to 1
/// Throws std::invalid_argument for sizes below 1, standard deviations not above 0, negative weights, a probability
/// outside 0 to 1, and a picture of more than about 9000 standard deviations across (refine it in windows).
std::vector<float> refine(const std::uint8_t* rgb, const float* probability, int height, int width,
                          const CrfOptions& options, const std::uint8_t* has_data = nullptr);

/// A part of a picture, in its pixels.
struct CrfWindow {
  int x = 0, y = 0, width = 0, height = 0;
};

struct CrfWindowOptions {
  int window_px = 2048;  ///< edge of what is worked on at once, overlap included: about 0.4 GB
  int overlap_px = 0;    ///< margin that is computed and thrown away; 0: three bilat_sxy_px
};

/// Fills `rgb`, `probability` and `has_data` (all ones before the call) of one window.
using CrfReader = std::function<void(const CrfWindow&, std::uint8_t* rgb, float* probability, std::uint8_t* has_data)>;
/// Takes the refined probability of one part; every pixel comes once, parts come row by row.
using CrfWriter = std::function<void(const CrfWindow&, const float* probability)>;

/// As refine, window after window, so that memory follows the window and not the picture. The lattice is anchored at
/// the picture's origin, so a window sees the same lattice as the whole; what differs is what lies beyond the overlap.
/// Throws std::invalid_argument as refine does, and when the overlap leaves less than one pixel of a window.
void refine_windowed(int height, int width, const CrfReader& read, const CrfWriter& write, const CrfOptions& options,
                     const CrfWindowOptions& windows = {});

}  // namespace clmnet::nets
