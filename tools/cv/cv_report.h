#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

#include "tools/cv/cv_table.h"

namespace clmnet::tools {

/// RUN/report.html: one file that loads nothing from elsewhere: cohort, split, measures with intervals, comparisons, ROC and
/// precision-recall curves, calibration, learning curves of each fold (from RUN/repeat-R/fold-F/training/train.csv), methods.
/// summary        of summarise(), with "folds", "repeats", "images_without_class", "images_trained_on_only"
/// configuration  of the run, printed whole
void write_cv_report(const std::filesystem::path& run, const nlohmann::json& summary, const nlohmann::json& configuration,
                     const CvTable& table);

}  // namespace clmnet::tools
