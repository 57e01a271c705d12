#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "nets/crf/dense_crf.h"
#include "nets/member_options.h"

namespace clmnet::nets {

/// One network of a model: how it is built, where its weights are, how its outputs enter the ensemble.
struct MemberConfig {
  MemberOptions options;
  std::string weights;          ///< file in the model's folder
  std::string sha256;           ///< of that file
  double class_temperature = 1; ///< calibrated class probabilities are softmax(class_logits / class_temperature)
  double map_temperature = 1;
  double class_weight = 0;      ///< share of the calibrated class logits in the ensemble's, >= 0
  double map_weight = 0;        ///< share of the calibrated map logits in the ensemble's, >= 0
  double class_threshold = 0.5; ///< of this network alone, chosen as the ensemble's
  double map_threshold = 0.5;
  std::optional<double> ece_before, ece;  ///< expected calibration error on validation data, at temperature 1 and at its own
};

/// Colours that a model's tiles are brought to before the networks see them. Slides by the colours of a sample of their tiles,
/// images by their own.
struct StainTarget {
  std::string method;             ///< "macenko" or "reinhard"
  std::vector<double> reference;  ///< macenko: optical density R G B of haematoxylin, of eosin, 99th percentile of both amounts;
                                  ///< reinhard: mean L* a* b*, standard deviation of each
  double strength = 1;            ///< the part of the way to it that tiles are brought, above 0 and at most 1
};

/// As config.json holds it: {"method", "strength", "reference"} with the numbers under the names macenko: "haematoxylin", "eosin",
/// "strongest"; reinhard: "mean", "deviation", as wsi/ and `clmnet tile` have them. Files without strength (1) or with one list of all
/// numbers are read too.
nlohmann::json to_json(const StainTarget& stain);

/// The name that stands for a TorchScript program among a model's networks.
inline constexpr const char* kTorchScript = "torchscript";

/// A model's config.json: WSInfer's zoo schema (spec_version, num_classes, class_names, patch_size_pixels, spacing_um_px,
/// transform) and, under "clmnet", what the ensemble needs beside it. A file without "clmnet" is a model of WSInfer's zoo:
/// one TorchScript program, torchscript_model.pt, that says the class of a tile and has no map, no features and no CRF.
struct ModelConfig {
  std::string name = "clmnet";
  std::vector<std::string> class_names = {"normal", "tumour"};  ///< class 0 is what is not looked for
  std::int64_t patch_size_px = 224;
  double spacing_um_per_px = 1.0;
  std::int64_t map_px = 2;                                      ///< tile px per px of the maps that thresholds and CRF were chosen on
  std::array<double, 3> mean = {0.485, 0.456, 0.406};           ///< of RGB in 0 … 1
  std::array<double, 3> standard_deviation = {0.229, 0.224, 0.225};
  std::optional<StainTarget> stain;                             ///< none: colours as they are
  std::vector<MemberConfig> members;
  double map_from_class_weight = 0;  ///< share of the ensemble's class logits in its map logits, >= 0
  double class_threshold = 0.5;      ///< a tile is tumour from here; chosen on validation patients
  double sensitivity = 0;            ///< that the class thresholds were chosen for; 0: balanced accuracy
  std::optional<double> ece;         ///< of the fused class probabilities on validation data
  std::int64_t resize_px = 0;        ///< side that TorchScript programs want tiles in (transform's Resize); 0: the patch
  double map_threshold = 0.5;        ///< a pixel of the refined map is tumour from here; chosen on validation patients
  double raw_map_threshold = 0.5;    ///< the same before the CRF
  CrfOptions crf{2, 2, 20, 13, 3, 5, 1e-4, 0};  ///< at the map's resolution; threads is the machine's own matter

  std::int64_t feature_size() const;
  /// False for a model of which no network draws a map finer than its tile.
  bool has_map() const;
};

/// Throws InputError that names the file and the key: missing, of another type, out of range, an unknown network.
ModelConfig read_model_config(const std::filesystem::path& folder);

/// Writes config.json whole or not at all.
void write_model_config(const std::filesystem::path& folder, const ModelConfig& config);

nlohmann::json to_json(const ModelConfig& config);

}  // namespace clmnet::nets
