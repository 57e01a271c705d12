#include "nets/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <ATen/autocast_mode.h>

#include "nets/checkpoint/safetensors.h"
#include "nets/checkpoint/state_dict.h"
#include "nets/checkpoint/weights_file.h"
#include "nets/conv.h"
#include "nets/densenet.h"
#include "nets/ensemble.h"
#include "nets/training/grouped_step.h"
#include "nets/training/random.h"
#include "nets/training/schedule.h"
#include "nets/training/training_state.h"
#include "nets/training/validation.h"
#include "nets/widen.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace fs = std::filesystem;

namespace {

/// Exponential moving average of weights and running statistics; counters are copied. The decay rises from 0.1, so that
/// the first random weights are forgotten soon.
void update_average(torch::nn::Module& average, const torch::nn::Module& current, std::int64_t step, double decay) {
  const torch::NoGradGuard no_grad;
  const double now = std::min(decay, (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step)));
  const NamedTensors from = state_dict(current);
  const NamedTensors to = state_dict(average);
  std::vector<torch::Tensor> targets, sources;
  for (std::size_t i = 0; i < to.size(); ++i) {
    torch::Tensor target = to[i].second;
    if (target.is_floating_point()) {
      targets.push_back(target);
      sources.push_back(from[i].second);
    } else {
      target.copy_(from[i].second);
    }
  }
  at::_foreach_lerp_(targets, sources, 1 - now);
}

/// Within its life convolutions and matrix products run in bfloat16 where that is wanted; weights, statistics and losses stay
/// float32. Bfloat16 has float32's range, so gradients need no scaling.
class Autocast {
 public:
  Autocast(bool enabled, torch::DeviceType device) : enabled_(enabled), device_(device) {
    if (!enabled_) return;
    at::autocast::increment_nesting();
    at::autocast::set_autocast_dtype(device_, torch::kBFloat16);
    at::autocast::set_autocast_enabled(device_, true);
  }
  ~Autocast() {
    if (!enabled_) return;
    at::autocast::set_autocast_enabled(device_, false);
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool enabled_;
  torch::DeviceType device_;
};

class MemberTrainer {
 public:
  MemberTrainer(const MemberPlan& plan, const TrainingOptions& options, const ModelConfig& config,
                const TrainingData& data, const fs::path& folder, torch::Device device, const TrainingHooks& hooks)
      : plan_(plan), options_(options), config_(config), data_(data), folder_(folder), device_(device), hooks_(hooks) {
    torch::manual_seed(mix_seed(options.seed, 0));
    state_.network = make_member(plan.member);
    if (!plan.initial_weights.empty()) {
      NamedTensors weights = load_weights_file(plan.initial_weights);
      for (auto& [name, tensor] : weights) name = modern_densenet_name(name);
      const auto wider = widened(*state_.network, plan.member, weights);
      const LoadReport report = load_state_dict(*state_.network, wider ? *wider : weights, LoadMode::kLenient,
                                                plan.initial_weights.string());
      if (hooks_.note) {
        hooks_.note(plan.member.network + ": " + plan.initial_weights.string() + ": " + report.text() +
                    (wider ? ", widened from a narrower network's" : ""));
      }
    }
    state_.average = make_member(plan.member);
    load_state_dict(*state_.average, state_dict(*state_.network), LoadMode::kStrict, plan.member.network);
    state_.network->to(device);
    state_.average->to(device);
    if (device.is_cuda()) {
      use_channels_last(*state_.network);
      use_channels_last(*state_.average);
    }
    state_.optimizer = std::make_unique<torch::optim::AdamW>(
        state_.network->parameters(),
        torch::optim::AdamWOptions(plan.learning_rate).weight_decay(options.weight_decay));
    state_.fingerprint = fingerprint();
    const std::size_t images = data.split.train.size();
    batches_per_epoch_ = images / options.batch + (images % options.batch > 1 ? 1 : 0);  // a last one of one image is left out
    if (batches_per_epoch_ == 0) throw InputError("one image to train on; batch norm wants at least two");
    const auto accumulate = static_cast<std::size_t>(options.accumulate);
    steps_per_epoch_ = static_cast<std::int64_t>((batches_per_epoch_ + accumulate - 1) / accumulate);
  }

  std::vector<EpochResult> run(bool resume) {
    const fs::path state_file = folder_ / "training" / (plan_.member.network + ".state");
    std::error_code ignored;
    if (resume && fs::exists(state_file, ignored)) {
      load_training_state(state_file, state_, device_);
      if (hooks_.note) {
        hooks_.note(plan_.member.network + ": goes on after epoch " + std::to_string(state_.epochs.size()) + " of " +
                    std::to_string(plan_.epochs));
      }
    }
    while (static_cast<int>(state_.epochs.size()) < plan_.epochs && !out_of_patience()) {
      run_epoch();
      if (state_.epochs.back().best || options_.keep_last) save_weights();
      save_training_state(state_file, state_);
      if (hooks_.epoch_done) hooks_.epoch_done(plan_.member.network, state_.epochs.back());
    }
    if (out_of_patience() && hooks_.note) {
      hooks_.note(plan_.member.network + ": stopped after epoch " + std::to_string(state_.epochs.size()) + ", the last " +
                  std::to_string(options_.patience) + " were no better");
    }
    return state_.epochs;
  }

 private:
  bool out_of_patience() const {
    const auto& epochs = state_.epochs;
    const auto last_best = std::find_if(epochs.rbegin(), epochs.rend(), [](const EpochResult& e) { return e.best; });
    return options_.patience > 0 && last_best - epochs.rbegin() >= options_.patience;
  }

  /// What must be the same when a run goes on.
  std::string fingerprint() const {
    const MemberOptions& m = plan_.member;
    std::string text = m.network + " width " + std::to_string(m.width) + " classes " + std::to_string(m.classes) + " se " +
                       std::to_string(m.squeeze_excite) + " epochs " + std::to_string(plan_.epochs) + " rate " +
                       std::to_string(plan_.learning_rate) + " batch " + std::to_string(options_.batch) + " seed " +
                       std::to_string(options_.seed) + " crop " + std::to_string(options_.augment.output_px) +
                       " images " + std::to_string(data_.split.train.size()) + "+" +
                       std::to_string(data_.split.validation.size());
    // Only where they are used, so that runs of earlier versions go on.
    if (options_.focal_gamma > 0) text += " focal " + std::to_string(options_.focal_gamma);
    if (options_.class_balance) text += " balanced";
    if (options_.accumulate > 1) text += " accumulate " + std::to_string(options_.accumulate);
    return text;
  }

  LossOptions loss_options() const {
    LossOptions loss;
    loss.class_weight = options_.class_loss_weight;
    loss.mask_weight = plan_.mask_weight;
    loss.bag_weight = options_.bag_loss_weight;
    loss.label_smoothing = options_.label_smoothing;
    loss.focal_gamma = options_.focal_gamma;
    if (options_.class_balance) loss.class_balance = class_balance();
    return loss;
  }

  /// Images / (classes * images of the class); 1 for a class without an image.
  std::vector<double> class_balance() const {
    std::vector<double> count(static_cast<std::size_t>(plan_.member.classes), 0.0);
    double known = 0;
    for (const std::size_t row : data_.split.train) {
      const int label = data_.rows[row].label;
      if (label < 0) continue;
      ++count[static_cast<std::size_t>(label)];
      ++known;
    }
    for (double& c : count) c = c > 0 ? known / (static_cast<double>(count.size()) * c) : 1.0;
    return count;
  }

  void run_epoch() {
    const auto started = std::chrono::steady_clock::now();
    const std::size_t epoch = state_.epochs.size();
    const std::uint64_t seed = mix_seed(mix_seed(options_.seed, 1), epoch);
    torch::manual_seed(seed);  // dropout
    std::vector<std::size_t> order = data_.split.train;
    Random(seed).shuffle(order);

    EpochResult result;
    result.epoch = static_cast<int>(epoch) + 1;
    std::size_t batches = 0;
    state_.network->train();
    const auto load = [&](std::size_t row) {
      return augment(data_.load(data_.rows[row]), options_.augment, mix_seed(seed, row));
    };
    for_each_batch(order, options_.batch, options_.workers, /*drop_single=*/true, load, [&](const Batch& batch) {
      if (hooks_.stop_requested && hooks_.stop_requested()) {
        throw Interrupted("interrupted; " + plan_.member.network + " is kept up to epoch " + std::to_string(epoch) +
                          "; the same command with --resume goes on");
      }
      const auto accumulate = static_cast<std::size_t>(options_.accumulate);
      const std::size_t place = batches % accumulate, group = std::min(accumulate, batches_per_epoch_ - (batches - place));
      const auto step = static_cast<std::int64_t>(epoch) * steps_per_epoch_ + static_cast<std::int64_t>(batches / accumulate);
      result.learning_rate = rate_at(options_.schedule, step, steps_per_epoch_ * plan_.epochs, plan_.learning_rate, options_.warmup);
      if (place == 0) state_.optimizer->zero_grad();
      const Loss loss = add_gradients(batch, static_cast<double>(group), step);
      if (place + 1 == group) take_step(step, result.learning_rate);
      ++batches;
      result.train_loss += loss.total.item<double>();
      result.class_loss += loss.class_loss;
      result.mask_loss += loss.mask_loss;
      if (hooks_.progress) {
        hooks_.progress({plan_.member.network, result.epoch, plan_.epochs, batches,
                         batches_per_epoch_, result.train_loss / static_cast<double>(batches)});
      }
    });
    for (double* sum : {&result.train_loss, &result.class_loss, &result.mask_loss}) *sum /= static_cast<double>(batches);
    const Validation validation =
        validate(*state_.average, data_, config_, loss_options(), options_.workers, device_, hooks_.stop_requested);
    result.validation_loss = validation.loss;
    result.accuracy = validation.accuracy;
    result.dice = validation.dice;
    result.best = std::all_of(state_.epochs.begin(), state_.epochs.end(),
                              [&](const EpochResult& e) { return result.validation_loss < e.validation_loss; });
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    state_.epochs.push_back(result);
  }

  at::MemoryFormat layout() const { return device_.is_cuda() ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous; }

  /// The gradients of one of the `group` batches of a step.
  Loss add_gradients(const Batch& batch, double group, std::int64_t step) {
    Batch on_device = batch;
    on_device.label = batch.label.to(device_);
    on_device.mask = batch.mask.to(device_);
    // A GPU's convolutions want channels last; on a processor training gains nothing by them.
    const torch::Tensor x = normalise(batch.rgb, config_, device_).contiguous(layout());
    MemberOutput output;
    {
      const Autocast autocast(options_.mixed_precision, device_.type());
      output = state_.network->predict(x);
    }
    for (torch::Tensor* part : {&output.class_logits, &output.map_logits}) *part = part->to(torch::kFloat32);
    const Loss loss = multi_task_loss(output, on_device, loss_options());
    if (!std::isfinite(loss.total.item<double>())) {
      throw InputError(plan_.member.network + ": the loss is no longer finite at step " + std::to_string(step) +
                       "; a smaller learning_rate or gradient_clip is wanted");
    }
    (loss.total / group).backward();
    return loss;
  }

  void take_step(std::int64_t step, double rate) {
    for (auto& group : state_.optimizer->param_groups()) group.options().set_lr(rate);
    if (device_.is_cuda()) {
      step_grouped(*state_.optimizer, options_.gradient_clip);
    } else {
      torch::nn::utils::clip_grad_norm_(state_.network->parameters(), options_.gradient_clip);
      state_.optimizer->step();
    }
    update_average(*state_.average, *state_.network, step, options_.ema_decay);
  }

  void save_weights() const {
    save_safetensors(folder_ / (plan_.member.network + ".safetensors"), state_dict(*state_.average),
                     {{"network", plan_.member.network}, {"epoch", std::to_string(state_.epochs.back().epoch)}},
                     FloatStorage::kFloat16);
  }

  const MemberPlan& plan_;
  const TrainingOptions& options_;
  const ModelConfig& config_;
  const TrainingData& data_;
  fs::path folder_;
  torch::Device device_;
  const TrainingHooks& hooks_;
  TrainingState state_;
  std::size_t batches_per_epoch_ = 0;
  std::int64_t steps_per_epoch_ = 0;  // a step takes the gradients of options.accumulate batches
};

}  // namespace

std::vector<EpochResult> train_member(const MemberPlan& plan, const TrainingOptions& options, const ModelConfig& config,
                                      const TrainingData& data, const fs::path& folder, bool resume,
                                      torch::Device device, const TrainingHooks& hooks) {
  return MemberTrainer(plan, options, config, data, folder, device, hooks).run(resume);
}

}  // namespace clmnet::nets
