#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "nets/ensemble.h"
#include "nets/training/augment.h"
#include "nets/training/manifest.h"

namespace clmnet::tools {

/// A way in which another centre's images may differ.
struct Variation {
  std::string name, what;
  nets::AugmentOptions options;  ///< but for output_px
};

/// "as they are" first; then finer and coarser scans, stain, colour and focus, one at a time; stain as Tellez et al. 2019
/// (arXiv:1902.06543) vary it, but stronger. The same for an image each time.
const std::vector<Variation>& variations();

/// One of the images as `variation` shows it, of the model's patch; `index` draws its stain, colour and focus. The class follows
/// the mask, as in augment(): a finer view may hold no tumour any more.
nets::LabelledImage varied(const nets::LabelledImage& image, const Variation& variation, std::int64_t patch_px, std::size_t index);

/// Predicts the images once per variation. {variation: {predictor: score()}}, maps at the model's patch. `progress` counts images
/// over all variations.
nlohmann::json robustness(nets::Ensemble& ensemble, const std::vector<nets::ManifestRow>& rows, const nets::ImageLoader& load,
                          const std::function<void(std::size_t done)>& progress);

}  // namespace clmnet::tools
