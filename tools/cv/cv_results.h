#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/cv/cv_fold.h"

namespace clmnet::tools {

/// A cross-validation whose folds are all finished.
struct CvRun {
  const CvArgs& args;
  const TrainingSetup& setup;
  const CvData& data;
  const std::vector<FoldPlace>& places;
  const nlohmann::json& configuration;
  std::filesystem::path folder;
  torch::Device device;
};

struct CvResults {
  nlohmann::json summary;   ///< metrics.json
  nlohmann::json survival;  ///< survival.json; null without a clinical table
};

/// Joins the folds: predictions.csv, predictions_patients.csv, features.h5, metrics.json, survival.json, the final model and its
/// test where wanted, figures/, examples/, report.html. Made from the folds' files alone, so it comes out the same however often
/// it was stopped.
CvResults write_cv_results(const CvRun& run, ProgressBar& bar);

}  // namespace clmnet::tools
