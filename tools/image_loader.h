#pragma once

#include <opencv2/core/mat.hpp>

#include "nets/training/manifest.h"
#include "wsi/stain_reference.h"

namespace clmnet::tools {

/// The pixels of a picture, copied: [H,W] of one channel, else [H,W,C]; uint8.
torch::Tensor to_tensor(const cv::Mat& image);

/// Brings the colours of an image, [H,W,3] uint8, to the reference by its own; it is left as it is where too little is stained.
void normalise_stain(torch::Tensor& rgb, const wsi::StainReference& reference);

/// Reads a manifest's image and mask with OpenCV.
/// Throws InputError: not an image, or a mask of another size than its image.
nets::LabelledImage load_labelled_image(const nets::ManifestRow& row);

}  // namespace clmnet::tools
