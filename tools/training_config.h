#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

#include "nets/training/trainer.h"

namespace clmnet::tools {

/// What configs/train.toml says: the model to be and how it is trained.
struct TrainingSetup {
  nets::ModelConfig model;          ///< members without weights yet
  nets::TrainingOptions training;
  int fusion_views = 3;             ///< augmented views of each validation image that the fusion also learns from
};

/// Defaults, overridden by the file's keys. An empty path gives the defaults.
/// Throws InputError as ConfigFile does.
TrainingSetup read_training_setup(const std::filesystem::path& file);

nlohmann::json to_json(const TrainingSetup& setup);

}  // namespace clmnet::tools
