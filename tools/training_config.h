#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

#include "nets/training/trainer.h"
#include "tools/annotated_slides.h"

namespace clmnet::tools {

/// What configs/train.toml says: the model to be and how it is trained.
struct TrainingSetup {
  nets::ModelConfig model;          ///< members without weights yet
  nets::TrainingOptions training;
  AnnotatedSlideOptions slides;     ///< how rows of slides in a manifest become tiles; default: the model's resolution and patch
  int fusion_views = 3;             ///< augmented views of each validation image that the fusion also learns from
  /// Their changes of stain, colour, focus and noise, as times those of training. Above 1 the fusion, the temperatures and the
  /// thresholds are those that hold when slides differ more than those trained on: another laboratory's.
  double fusion_shift = 1;
};

/// Tiles of slides as the model sees them: its resolution and its patch, side by side.
AnnotatedSlideOptions slides_of(const nets::ModelConfig& model);

/// Defaults, overridden by the file's keys. An empty path gives the defaults.
/// Throws InputError as ConfigFile does.
TrainingSetup read_training_setup(const std::filesystem::path& file);

nlohmann::json to_json(const TrainingSetup& setup);

}  // namespace clmnet::tools
