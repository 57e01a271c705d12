#pragma once

#include <filesystem>
#include <string>

#include "nets/training/trainer.h"
#include "tools/progress.h"
#include "tools/training_config.h"

namespace clmnet::tools {

struct EnsembleTrainingOptions {
  bool resume = false;  ///< go on after the last whole epoch of each network that the folder holds
  bool finish = false;  ///< train no further, fuse what is there
  std::string label;    ///< before each line of progress: "fold 2/5 "
};

/// Trains the networks of a setup one after the other into `folder` (training/ must be there), then learns fusion, thresholds
/// and CRF on the validation rows: afterwards the folder is a model. training/train.csv holds the epochs.
/// setup.model takes what was learned. Throws as nets::train_member; Interrupted when the user stopped it.
void train_ensemble(TrainingSetup& setup, const nets::TrainingData& data, const std::filesystem::path& folder,
                    const EnsembleTrainingOptions& options, torch::Device device, ProgressBar& bar);

}  // namespace clmnet::tools
