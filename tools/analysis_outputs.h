#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "nets/inference/slide_analysis.h"
#include "nets/model_config.h"

namespace clmnet::tools {

struct OutputOptions {
  double map_threshold = 0.5;     ///< tumour is probability >= this
  double min_tumour_mm2 = 0.01;   ///< smaller regions are dropped
  bool network_maps = false;      ///< also heatmap_<network>.tiff of each network, before the CRF
};

/// What was written and what it says.
struct WrittenOutputs {
  nlohmann::json summary;
  std::vector<std::string> files;
};

/// heatmap.tiff, heatmap_raw.tiff, overlay.png, tumour.geojson, tiles.csv and features.h5 (where the model has features) of one
/// slide, with activation_<network>.tiff where the analysis holds activations; each whole or absent;
/// forms in DESIGN. The summary's keys carry their units.
WrittenOutputs write_outputs(const std::filesystem::path& folder, const wsi::Slide& slide, const nets::SlideAnalysis& analysis,
                             const nets::ModelConfig& model, const std::string& model_checksum, const OutputOptions& options);

}  // namespace clmnet::tools
