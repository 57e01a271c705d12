#pragma once

#include <opencv2/core/mat.hpp>

#include "nets/training/manifest.h"

namespace clmnet::tools {

/// The pixels of a picture, copied: [H,W] of one channel, else [H,W,C]; uint8.
torch::Tensor to_tensor(const cv::Mat& image);

/// Reads a manifest's image and mask with OpenCV.
/// Throws InputError: not an image, or a mask of another size than its image.
nets::LabelledImage load_labelled_image(const nets::ManifestRow& row);

}  // namespace clmnet::tools
