#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/cv/cv_survival.h"
#include "tools/cv/cv_table.h"

namespace clmnet::tools {

/// A figure in RUN/figures, NAME.svg and NAME.pdf.
struct CvFigure {
  std::string name, caption;
};

/// ROC and precision-recall of all predictors over the joined images, with bands over patients for the ensemble; calibration in
/// tenths of probability. Throws as draw_curves; so do the others.
std::vector<CvFigure> draw_prediction_figures(const std::filesystem::path& folder, const CvTable& joined,
                                              const nlohmann::json& summary);

/// Loss by epoch of each network, mean and range over the folds whose training/train.csv is found under `run`.
std::vector<CvFigure> draw_learning_figures(const std::filesystem::path& folder, const std::filesystem::path& run);

/// Kaplan-Meier curves of the two risk groups for each set and method, and ROC curves at the horizon for each method. A set that
/// puts everyone into one group has no curves.
std::vector<CvFigure> draw_survival_figures(const std::filesystem::path& folder, const CvSurvival& survival,
                                            const ClinicalData& data);

/// One box of a flow diagram: what remains on the way down, or what leaves it to the right.
struct FlowBox {
  std::vector<std::string> lines;
  bool leaves = false;  ///< to the right of the arrow that follows the box before
};

/// Boxes from top to bottom with arrows. Throws as draw_figure, std::invalid_argument without a box.
CvFigure draw_flow(const std::filesystem::path& folder, const std::vector<FlowBox>& boxes);

}  // namespace clmnet::tools
