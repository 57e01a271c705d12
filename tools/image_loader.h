#pragma once

#include "nets/training/manifest.h"

namespace clmnet::tools {

/// Reads a manifest's image and mask with OpenCV.
/// Throws InputError: not an image, or a mask of another size than its image.
nets::LabelledImage load_labelled_image(const nets::ManifestRow& row);

}  // namespace clmnet::tools
