#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "survival/roc_bootstrap.h"

namespace clmnet::tools {

/// What the figures show of one score; a band may be empty.
struct RocFigureScore {
  std::string name;
  survival::Scored data;
  survival::Interval auc_interval{0, 0};
  survival::CurveBand roc_band, recall_band;
};

/// ROC curves with pointwise bands and AUCs; notes are further rows of the legend. Throws as draw_curves.
void draw_roc(const std::filesystem::path& target, const std::vector<RocFigureScore>& scores,
              const std::vector<std::string>& notes);
/// Precision-recall curves with bands and average precisions; a line at the prevalence. Throws as draw_curves.
void draw_precision_recall(const std::filesystem::path& target, const std::vector<RocFigureScore>& scores,
                           const std::vector<std::string>& notes);

}  // namespace clmnet::tools
