#pragma once

#include <cstdint>

#include "nets/training/manifest.h"

namespace clmnet::nets {

/// How far an image may be changed in training. All 0 (and scale 1 to 1) leaves only the centre crop.
struct AugmentOptions {
  int output_px = 224;          ///< side of the square that comes out
  bool flip_rotate = true;      ///< any angle and mirror
  double scale_min = 0.6;       ///< output pixels per source pixel, drawn log-uniformly; < 1 sees more of the image
  double scale_max = 1.2;
  double stain_sigma = 0.25;    ///< haematoxylin, eosin and residual are scaled by exp(N(0,sigma)) each ...
  double stain_shift = 0.05;    ///< ... and shifted by N(0,shift), in optical density
  double colour_gain = 0.1;     ///< each RGB channel times exp(N(0,gain)): white balance and lamp
  double blur_px = 1.0;         ///< Gaussian blur of sd up to this, for half the images: focus
  double noise = 0.02;          ///< sd of pixel noise up to this, for half the images; 1 is white
  double glass = 0;             ///< share of the views of which a part is bare glass, without tumour: edges of tissue
};

/// Changes of stain, colour, focus and noise that many times as strong; geometry and glass as they are.
AugmentOptions stronger(AugmentOptions options, double times);

/// Draws one augmented view: geometry, then stain in optical-density space (Tellez et al. 2019, arXiv:1902.06543), blur, noise.
/// Outside the image it is mirrored. The mask goes through the same geometry, nearest neighbour. The class follows the view
/// (label_of_view).
/// The view's colours are brought to those that networks see last, as another laboratory's would be.
/// Result: rgb uint8 [output_px,output_px,3] and mask of the same side. Equal seeds give equal views.
LabelledImage augment(const LabelledImage& image, const AugmentOptions& options, std::uint64_t seed);

/// The class of a part of an image of class `label`: where the mask [h,w] of the part says that a tumour image's tumour lies outside
/// it 0, where less than a twentieth of it is tumour -1 (not used); without a mask the image's.
int label_of_view(int label, const torch::Tensor& mask);

/// The image as the networks see it when nothing is augmented: its centre square brought to patch_px by area (bilinear where it
/// is enlarged), as WSInfer's transform Resize does for a tile, and its colours to those that networks see; the mask is 1 where most of
/// the pixel is.
LabelledImage fit_to_patch(const LabelledImage& image, std::int64_t patch_px);

}  // namespace clmnet::nets
