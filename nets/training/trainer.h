#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "nets/model_config.h"
#include "nets/training/augment.h"
#include "nets/training/loss.h"

namespace clmnet::nets {

/// How one network of the ensemble is trained.
struct MemberPlan {
  MemberOptions member;
  int epochs = 10;
  double learning_rate = 1e-3;
  double mask_weight = 1.0;
  std::filesystem::path initial_weights;  ///< empty: from random numbers; else .pth or .safetensors
};

struct TrainingOptions {
  std::uint64_t seed = 1;            ///< of first weights, order and augmentation
  std::uint64_t split_seed = 1;      ///< of the patients' parts and of the views of validation images: runs that share it compare
  double validation_fraction = 0.2;  ///< of the patients: epochs, fusion and thresholds are chosen on them
  double test_fraction = 0;          ///< of the patients: nothing is learned from them and nothing chosen on them
  std::size_t batch = 16;
  int workers = 1;                   ///< threads that load and augment
  double weight_decay = 0.02;
  double warmup = 0.05;              ///< share of all steps in which the rate rises from 0
  std::string schedule = "cosine";   ///< of the rate after that, see rate_at
  double ema_decay = 0.995;          ///< of the averaged weights that are kept, per step
  double gradient_clip = 5.0;        ///< norm
  double class_loss_weight = 1.0;
  double bag_loss_weight = 0;        ///< see LossOptions::bag_weight
  double label_smoothing = 0.05;
  double focal_gamma = 0;            ///< see LossOptions::focal_gamma
  bool class_balance = false;        ///< classes weigh by how rare they are among the images trained on
  int accumulate = 1;                ///< batches whose gradients make one step: a batch that the memory does not hold
  int patience = 0;                  ///< epochs without a better validation loss after which a network stops; 0: none
  bool keep_last = false;            ///< keeps the last epoch's averaged weights, not those of the least validation loss
  bool mixed_precision = false;      ///< bfloat16 convolutions in training: faster where the processor has it, GPU or CPU
  AugmentOptions augment;
  std::vector<MemberPlan> members;
};

/// What one epoch came to, measured on the validation patients with the averaged weights.
struct EpochResult {
  int epoch = 0;                ///< from 1
  double learning_rate = 0;     ///< at its end
  double train_loss = 0, class_loss = 0, mask_loss = 0;
  double validation_loss = 0, accuracy = 0, dice = 0;
  double seconds = 0;
  bool best = false;
};

/// Where the trainer stands; called after every step.
struct TrainingProgress {
  std::string network;
  int epoch = 0, epochs = 0;
  std::size_t step = 0, steps = 0;
  double loss = 0;
};

/// The rows, their pixels and how they are split, for all networks alike.
struct TrainingData {
  std::vector<ManifestRow> rows;
  Split split;
  ImageLoader load;
};

struct TrainingHooks {
  std::function<void(const TrainingProgress&)> progress;
  std::function<void(const std::string& network, const EpochResult&)> epoch_done;
  std::function<void(const std::string& text)> note;  ///< what a weight file gave, that a run is resumed
  std::function<bool()> stop_requested;
};

/// Trains one network into `folder`: <network>.safetensors holds the kept epoch's averaged weights (half precision),
/// training/<network>.state (the folder must be there) what is needed to go on after the last whole epoch. With `resume` it goes on from there and ends with
/// the same weights, on the CPU bit for bit, as a run that was not stopped.
/// config     patch size, normalisation and classes of the model
/// Throws     Interrupted when hooks.stop_requested says so, with the last whole epoch kept; InputError when the folder
///            holds the state of another configuration, or the loss is no longer finite.
std::vector<EpochResult> train_member(const MemberPlan& plan, const TrainingOptions& options, const ModelConfig& config,
                                      const TrainingData& data, const std::filesystem::path& folder, bool resume,
                                      torch::Device device, const TrainingHooks& hooks);

}  // namespace clmnet::nets
