#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/cv/cv_figures.h"

namespace clmnet::tools {

/// All that the page of a cross-validation shows.
struct CvReport {
  nlohmann::json summary;        ///< metrics.json: summarise() and folds, repeats, split, cohort, permuted_labels, test
  nlohmann::json configuration;  ///< of the run, printed whole
  nlohmann::json survival;       ///< survival.json; null without --clinical
  nlohmann::json examples;       ///< [{file, kind, caption}], files in RUN/examples
  CvFigure flow;
  std::vector<CvFigure> prediction_figures, learning_figures, survival_figures;  ///< in RUN/figures
};

/// RUN/report.html: one file that loads nothing from elsewhere.
void write_cv_report(const std::filesystem::path& run, const CvReport& report);

}  // namespace clmnet::tools
