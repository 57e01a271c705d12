#include "tools/training_config.h"

#include <algorithm>

#include "nets/inference/stain_target.h"
#include "nets/training/schedule.h"
#include "tools/base/error.h"
#include "tools/config_file.h"

namespace clmnet::tools {
namespace {

/// Features of each network's tile vector; together 1024.
std::int64_t feature_size_of(const std::string& network) { return nets::maps_by_class_activation(network) ? 512 : 256; }

void take_augmentation(ConfigFile& file, nets::AugmentOptions& augment) {
  file.take("augment.crop_px", augment.output_px, 32, 4096);
  file.take("augment.flip_rotate", augment.flip_rotate);
  file.take("augment.scale_min", augment.scale_min, 0.05, 20);
  file.take("augment.scale_max", augment.scale_max, 0.05, 20);
  file.take("augment.stain_sigma", augment.stain_sigma, 0, 2);
  file.take("augment.stain_shift", augment.stain_shift, 0, 1);
  file.take("augment.colour_gain", augment.colour_gain, 0, 1);
  file.take("augment.blur_px", augment.blur_px, 0, 20);
  file.take("augment.noise", augment.noise, 0, 1);
  file.take("augment.glass", augment.glass, 0, 1);
  if (augment.scale_min > augment.scale_max) throw InputError("augment.scale_min is above augment.scale_max");
}

void take_stain(ConfigFile& file, nets::ModelConfig& model) {
  std::string method = "none", picture;
  file.take("model.stain_normalise", method);
  file.take("model.stain_reference", picture);
  if (method == "none" && !picture.empty()) throw InputError("model.stain_reference without model.stain_normalise; give macenko or reinhard");
  if (method != "none") model.stain = nets::stain_target_of(wsi::read_stain_reference(method, picture));
  double strength = 1;
  file.take("model.stain_strength", strength, 0.01, 1);
  if (model.stain) model.stain->strength = strength;
}

void take_training(ConfigFile& file, TrainingSetup& setup) {
  nets::TrainingOptions& training = setup.training;
  double seed = static_cast<double>(training.seed);
  file.take("training.seed", seed, 0, 9e15);
  training.seed = static_cast<std::uint64_t>(seed);
  file.take("training.split_seed", seed, 0, 9e15);
  training.split_seed = static_cast<std::uint64_t>(seed);
  int batch = static_cast<int>(training.batch);
  file.take("training.batch", batch, 2, 4096);
  training.batch = static_cast<std::size_t>(batch);
  file.take("training.workers", training.workers, 1, 256);
  file.take("training.validation_fraction", training.validation_fraction, 0.01, 0.9);
  file.take("training.test_fraction", training.test_fraction, 0, 0.9);
  file.take("training.weight_decay", training.weight_decay, 0, 10);
  file.take("training.warmup", training.warmup, 0, 1);
  file.take("training.schedule", training.schedule);
  nets::check_schedule(training.schedule);
  file.take("training.ema_decay", training.ema_decay, 0, 0.99999);
  file.take("training.gradient_clip", training.gradient_clip, 1e-6, 1e6);
  file.take("training.class_loss_weight", training.class_loss_weight, 0, 1000);
  file.take("training.bag_loss_weight", training.bag_loss_weight, 0, 1000);
  file.take("training.label_smoothing", training.label_smoothing, 0, 0.5);
  file.take("training.focal_gamma", training.focal_gamma, 0, 10);
  file.take("training.class_balance", training.class_balance);
  file.take("training.accumulate", training.accumulate, 1, 10000);
  file.take("training.patience", training.patience, 0, 100000);
  file.take("training.keep_last", training.keep_last);
  file.take("training.mixed_precision", training.mixed_precision);
  file.take("fusion.views", setup.fusion_views, 0, 100);
  file.take("fusion.shift", setup.fusion_shift, 0.1, 10);
  file.take("fusion.sensitivity", setup.model.sensitivity, 0, 1);
  int map_px = 4;
  file.take("fusion.map_px", map_px, 1, 64);
  if (setup.model.patch_size_px % map_px != 0) {
    throw InputError("fusion.map_px: " + std::to_string(map_px) + ", expected a divisor of model.patch_size_px, " +
                     std::to_string(setup.model.patch_size_px));
  }
  setup.model.map_px = map_px;
}

nets::MemberPlan take_member(ConfigFile& file, const std::string& network, std::int64_t classes) {
  nets::MemberPlan plan;
  plan.member.network = network;
  plan.member.classes = classes;
  plan.member.feature_size = feature_size_of(network);
  // A class-activation map learns from the class alone.
  plan.mask_weight = nets::maps_by_class_activation(network) ? 0.0 : 1.0;
  const std::string section = network + ".";
  file.take(section + "width", plan.member.width, 0.01, 4);
  file.take(section + "squeeze_excite", plan.member.squeeze_excite);
  file.take(section + "batch_norm", plan.member.batch_norm);
  file.take(section + "atrous_rates", plan.member.atrous_rates, 1, 1000);
  file.take(section + "epochs", plan.epochs, 1, 100000);
  file.take(section + "learning_rate", plan.learning_rate, 1e-9, 10);
  file.take(section + "mask_weight", plan.mask_weight, 0, 1000);
  return plan;
}

/// Each is known and stands once: its section and its files go by its name.
void check_networks(const std::vector<std::string>& networks) {
  const auto& known = nets::member_names();
  if (networks.empty()) throw InputError("model.networks: expected at least one network");
  for (const auto& network : networks) {
    if (std::find(known.begin(), known.end(), network) == known.end()) {
      throw InputError("model.networks: no network '" + network + "'; there are: " + nlohmann::json(known).dump());
    }
    if (std::count(networks.begin(), networks.end(), network) > 1) {
      throw InputError("model.networks: '" + network + "' stands twice");
    }
  }
}

}  // namespace

AnnotatedSlideOptions slides_of(const nets::ModelConfig& model) {
  AnnotatedSlideOptions slides;
  slides.grid.um_per_px = {model.spacing_um_per_px, model.spacing_um_per_px};
  slides.grid.tile_px = slides.grid.stride_px = static_cast<int>(model.patch_size_px);
  return slides;
}

TrainingSetup read_training_setup(const std::filesystem::path& path) {
  ConfigFile file = path.empty() ? ConfigFile() : ConfigFile(path);
  TrainingSetup setup;
  file.take("model.name", setup.model.name);
  file.take("model.class_names", setup.model.class_names);
  if (setup.model.class_names.size() < 2) throw InputError("model.class_names: expected at least two names");
  int patch = static_cast<int>(setup.model.patch_size_px);
  file.take("model.patch_size_px", patch, 32, 4096);
  setup.model.patch_size_px = patch;
  file.take("model.spacing_um_per_px", setup.model.spacing_um_per_px, 0.05, 100);
  take_stain(file, setup.model);
  setup.slides = slides_of(setup.model);
  take_annotated_slides(file, setup.slides);
  take_augmentation(file, setup.training.augment);
  take_training(file, setup);

  std::vector<std::string> networks = nets::clmnet_member_names();
  file.take("model.networks", networks);
  check_networks(networks);
  for (const auto& network : networks) {
    setup.training.members.push_back(
        take_member(file, network, static_cast<std::int64_t>(setup.model.class_names.size())));
    nets::MemberConfig member;
    member.options = setup.training.members.back().member;
    member.weights = network + ".safetensors";
    setup.model.members.push_back(member);
  }
  // A configuration may hold the sections of networks that this run leaves out.
  for (const auto& network : nets::member_names()) {
    if (std::find(networks.begin(), networks.end(), network) == networks.end()) take_member(file, network, 2);
  }
  file.finish();
  return setup;
}

nlohmann::json to_json(const TrainingSetup& setup) {
  const nets::TrainingOptions& t = setup.training;
  nlohmann::json out = {
      {"model",
       {{"name", setup.model.name},
        {"class_names", setup.model.class_names},
        {"patch_size_px", setup.model.patch_size_px},
        {"spacing_um_per_px", setup.model.spacing_um_per_px}}},
      {"training",
       {{"seed", t.seed}, {"split_seed", t.split_seed}, {"batch", t.batch}, {"workers", t.workers},
        {"validation_fraction", t.validation_fraction}, {"test_fraction", t.test_fraction},
        {"weight_decay", t.weight_decay}, {"warmup", t.warmup}, {"schedule", t.schedule}, {"ema_decay", t.ema_decay},
        {"gradient_clip", t.gradient_clip}, {"class_loss_weight", t.class_loss_weight},
        {"bag_loss_weight", t.bag_loss_weight}, {"label_smoothing", t.label_smoothing},
        {"focal_gamma", t.focal_gamma}, {"class_balance", t.class_balance}, {"accumulate", t.accumulate}, {"patience", t.patience},
        {"keep_last", t.keep_last}, {"mixed_precision", t.mixed_precision}}},
      {"augment",
       {{"crop_px", t.augment.output_px}, {"flip_rotate", t.augment.flip_rotate}, {"scale_min", t.augment.scale_min},
        {"scale_max", t.augment.scale_max}, {"stain_sigma", t.augment.stain_sigma}, {"stain_shift", t.augment.stain_shift},
        {"colour_gain", t.augment.colour_gain}, {"blur_px", t.augment.blur_px}, {"noise", t.augment.noise}, {"glass", t.augment.glass}}},
      {"fusion",
        {{"views", setup.fusion_views}, {"shift", setup.fusion_shift}, {"map_px", setup.model.map_px},
         {"sensitivity", setup.model.sensitivity}}},
      {"slides", to_json(setup.slides)}};
  if (setup.model.stain) out["model"]["stain"] = nets::to_json(*setup.model.stain);
  for (const auto& plan : t.members) {
    out[plan.member.network] = {{"width", plan.member.width},
                                {"squeeze_excite", plan.member.squeeze_excite},
                                {"batch_norm", plan.member.batch_norm},
                                {"atrous_rates", plan.member.atrous_rates},
                                {"epochs", plan.epochs},
                                {"learning_rate", plan.learning_rate},
                                {"mask_weight", plan.mask_weight},
                                {"initial_weights", plan.initial_weights.filename().string()}};
  }
  return out;
}

}  // namespace clmnet::tools
