#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "nets/ensemble.h"
#include "nets/training/manifest.h"
#include "tools/map_measures.h"

namespace clmnet::tools {

/// What one predictor (the ensemble or one network) said of the images of a manifest.
struct Predictor {
  std::string name;
  double class_threshold = 0.5, map_threshold = 0.5;
  std::vector<double> probability;  ///< of tumour, one per image
  MapMeasures map;                  ///< of the ensemble after the CRF
  MapMeasures map_before_crf;       ///< of the ensemble; empty for a network
};

/// Runs the model over the rows. Images are brought to the model's patch, maps back to the mask's size.
/// Result: the ensemble first, then each network.
std::vector<Predictor> predict_manifest(nets::Ensemble& ensemble, const std::vector<nets::ManifestRow>& rows,
                                        const nets::ImageLoader& load, int workers,
                                        const std::function<void(std::size_t done)>& progress);

/// A measure with four decimals for a table, "-" where it is null.
std::string measure_text(const nlohmann::json& value);

/// accuracy, precision, recall, f1 (at the predictor's threshold), auc, auc_ci (95 %; whole patients are resampled where the
/// manifest knows them, else DeLong), ece (expected calibration error of the probability of tumour), n;
/// each of kMapMeasures: the mean over images where it is defined, with _ci (95 %, whole patients are resampled; an image
/// without a patient is one of its own), and for the ensemble the same as _before_crf and _difference_crf (after less before,
/// image by image). Null where undefined.
nlohmann::json score(const Predictor& predictor, const std::vector<nets::ManifestRow>& rows);

}  // namespace clmnet::tools
