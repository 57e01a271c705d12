#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "nets/member.h"
#include "nets/training/trainer.h"

namespace clmnet::nets {

/// All that a network's training is, between two epochs.
struct TrainingState {
  std::shared_ptr<Member> network;
  std::shared_ptr<Member> average;  ///< moving average of network's weights
  std::unique_ptr<torch::optim::AdamW> optimizer;
  std::string fingerprint;          ///< of the configuration; another one cannot go on from this state
  std::vector<EpochResult> epochs;  ///< done so far
};

/// Writes whole or not at all.
void save_training_state(const std::filesystem::path& file, const TrainingState& state);

/// Fills a state that was built for the same configuration.
/// Throws InputError when the file is damaged or belongs to another configuration.
void load_training_state(const std::filesystem::path& file, TrainingState& state, torch::Device device);

}  // namespace clmnet::nets
