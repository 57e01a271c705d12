#pragma once

#include <nlohmann/json.hpp>

#include "tools/cv/cv_table.h"

namespace clmnet::tools {

/// What a cross-validation comes to.
/// "predictors"   per column: over all images (an image's probability is the mean over repeats, its call the majority, ties
///                positive) "auc", "auc_ci" (95 %, bootstrap over patients), "accuracy", "precision", "recall", "specificity" with
///                Wilson intervals, "f1", "matthews", "brier", "calibration_error", "dice"; and per fold "folds": {measure:
///                {"values", "mean", "sd"}}
/// "comparisons"  the ensemble against each network: difference of AUC with DeLong's paired test and McNemar's exact test, p
///                corrected by Holm over the networks. Both take images as independent, which images of one patient are not.
/// Measures that are undefined are null.
nlohmann::json summarise(const CvTable& table);

/// p-values after Holm 1979: p sorted, times the number of tests left, made monotone, at most 1. NaN stays and does not count.
std::vector<double> holm(const std::vector<double>& p);

}  // namespace clmnet::tools
