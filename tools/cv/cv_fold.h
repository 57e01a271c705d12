#pragma once

#include <filesystem>
#include <string>

#include "nets/torch.h"
#include "tools/cv/cv_data.h"
#include "tools/cv/cv_features.h"
#include "tools/cv/cv_table.h"
#include "tools/evaluation.h"

namespace clmnet::tools {

/// Where and what one fold is; repeat and fold from 0.
struct FoldPlace {
  int repeat = 0, fold = 0;
  std::string label;             ///< "fold 2/5 ", before each line of progress
  std::filesystem::path folder;  ///< RUN/repeat-R/fold-F, is there
};

/// Trains on `rows`, part of whose patients choose epochs, fusion and thresholds, into `folder`, which becomes a model; goes on
/// where it was stopped, and does nothing where training/finished.json says that it is done.
void train_part(const CvData& data, const std::vector<nets::ManifestRow>& rows, const TrainingSetup& setup, std::uint64_t part,
                const std::string& label, const std::filesystem::path& folder, torch::Device device, ProgressBar& bar);

/// Predictions of a model for rows that it did not see.
std::vector<Predictor> predict_rows(const CvData& data, const std::filesystem::path& model,
                                    const std::vector<nets::ManifestRow>& rows, const std::string& label, torch::Device device,
                                    ProgressBar& bar);

/// One fold from its training to fold.json, which closes it: predictions.csv of the tested rows, features.h5 of the tested rows or,
/// where there is a clinical table, of all. Each file is whole or absent and is not made again, but for a predictions.csv that
/// lacks columns since an older version wrote it: that step is done again, and said.
/// Throws whatever stopped it; what was done stays.
void run_fold(const CvData& data, const TrainingSetup& setup, const FoldPlace& place, torch::Device device, ProgressBar& bar);

/// True when fold.json is there and predictions.csv has every column.
bool is_finished(const FoldPlace& place);

}  // namespace clmnet::tools
