#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tools/cv/cv_table.h"

namespace clmnet::tools {

/// Temperature that a fold's validation part gave each network's class logits: {(repeat, fold): {network: temperature}}.
using FoldTemperatures = std::map<std::pair<int, int>, std::map<std::string, double>>;

/// What a cross-validation comes to, for metrics.json.
/// "predictors"   per column over all images (repeats joined): measures_of(), "average_precision", "calibration" {slope, intercept,
///                curve: [{predicted, observed, n}], networks also temperature and calibration error before it}, "by_patient":
///                measures_of() of by_patient(), and "folds": {measure: {"values", "mean", "sd"}}; the ensemble also
///                each of kMapMeasures with _before_crf and _difference_crf (after less before, image by image)
/// "comparisons"  the ensemble against each network: difference of AUC with DeLong's paired test (images as independent) and
///                with resampled patients, McNemar's exact test; p corrected by Holm over the networks
/// Measures that are undefined are null.
nlohmann::json summarise(const CvTable& table, const FoldTemperatures& temperatures = {});

}  // namespace clmnet::tools
