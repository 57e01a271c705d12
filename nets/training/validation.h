#pragma once

#include <functional>

#include "nets/training/trainer.h"

namespace clmnet::nets {

/// A network on the validation rows, images brought to the model's patch and otherwise unchanged.
struct Validation {
  double loss = 0;      ///< as in training, without label smoothing
  double accuracy = 0;  ///< of the images whose class is known
  double dice = 0;      ///< of all tumour pixels of all known masks together, at probability 0.5
};

/// Runs `member` in evaluation mode over data.split.validation.
/// Throws Interrupted when stop_requested says so.
Validation validate(Member& member, const TrainingData& data, const ModelConfig& config, LossOptions loss, int workers,
                    torch::Device device, const std::function<bool()>& stop_requested);

}  // namespace clmnet::nets
