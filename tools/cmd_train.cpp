#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "nets/device.h"
#include "nets/inference/stain_target.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/ensemble_training.h"
#include "tools/file_fingerprint.h"
#include "tools/network_threads.h"
#include "tools/progress.h"
#include "tools/source_commit.h"
#include "tools/training_config.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct TrainArgs {
  std::vector<std::string> manifests;
  std::string out;
  std::string config;
  std::string device = "auto";
  std::vector<std::string> init;
  int threads = 0;
  bool resume = false;
  bool finish = false;
};

void check_folder(const fs::path& out, const TrainArgs& args) {
  std::error_code ignored;
  const fs::path mark = out / "training" / "training.json";
  if (fs::exists(mark, ignored)) {
    if (!args.resume && !args.finish) {
      throw InputError(out.string() + ": holds a training run; give --resume to go on with it, or another -o");
    }
  } else if (args.finish) {
    throw InputError(out.string() + ": holds no training run to finish");
  } else if (fs::exists(out, ignored) && !fs::is_empty(out, ignored)) {
    throw InputError(out.string() + ": is not empty and holds no training run; give another -o");
  }
}

/// Once the data are read: a call with a wrong manifest leaves no folder that the next one would refuse.
void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw InputError(folder.string() + ": the folder cannot be made (" + error.message() + "); give another -o");
}

void apply_init(const std::vector<std::string>& init, nets::TrainingOptions& options) {
  for (const auto& text : init) {
    const auto equals = text.find('=');
    bool taken = false;
    for (auto& plan : options.members) {
      if (equals != std::string::npos && plan.member.network == text.substr(0, equals)) {
        plan.initial_weights = text.substr(equals + 1);
        taken = true;
      }
    }
    if (!taken) throw InputError("--init " + text + ": expected NETWORK=FILE with a network of the configuration");
  }
}

std::string place(std::int64_t x, std::int64_t y) { return std::to_string(x) + ' ' + std::to_string(y); }

/// SHA-256 of a text with one line per image in the manifests' order: the checksums of the image and of its mask ("-": none); of a
/// tile those of its slide (by its parts: file_fingerprint.h) and annotation, or of its image and mask, and where it lies.
std::string checksum_of_data(const std::vector<nets::ManifestRow>& rows) {
  std::map<std::filesystem::path, std::string> known;  // many tiles are of one file
  const auto once = [&](const std::filesystem::path& file, const auto& what) {
    const auto [it, fresh] = known.try_emplace(file);
    if (fresh) it->second = file.empty() ? "-" : what(file);
    return it->second;
  };
  const auto parts = [](const std::filesystem::path& file) { return fingerprint(file).dump(); };
  std::string text;
  for (const auto& row : rows) {
    if (row.slide) {
      text += once(row.slide->slide, parts) + ' ' + once(row.slide->annotation, sha256_of_file) + ' ' + place(row.slide->x, row.slide->y);
    } else {
      text += once(row.cut ? row.cut->image : row.image, sha256_of_file) + ' ' + once(row.mask, sha256_of_file);
      if (row.cut) text += ' ' + place(row.cut->x, row.cut->y);
    }
    text += '\n';
  }
  return sha256_of(text);
}

/// What temperature scaling came to, for training.json; config.json holds the same with the fusion.
json calibration_json(const nets::ModelConfig& model) {
  const auto number = [](const std::optional<double>& value) { return value ? json(*value) : json(); };
  json out = {{"measure", "expected calibration error of the class, 15 bins, validation images and their augmented views"}};
  for (const auto& member : model.members) {
    out[member.options.network] = {
        {"temperature", member.class_temperature}, {"before", number(member.ece_before)}, {"after", number(member.ece)}};
  }
  out["ensemble"] = {{"after", number(model.ece)}, {"threshold", model.class_threshold}, {"for_sensitivity", model.sensitivity}};
  return out;
}

json describe(const TrainArgs& args, const TrainingSetup& setup, const nets::TrainingData& data) {
  const auto patients_of = [&](const std::vector<std::size_t>& part) {
    std::set<std::string> patients;
    for (const std::size_t row : part) patients.insert(data.rows[row].patient);
    return patients;
  };
  json manifests = json::array();
  for (const auto& file : args.manifests) {
    manifests.push_back({{"file", fs::path(file).filename().string()}, {"sha256", sha256_of_file(file)}});
  }
  const std::optional<std::string> commit = source_commit();
  return {{"version", CLMNET_VERSION},
          {"git_commit", commit ? json(*commit) : json()},
          {"configuration", to_json(setup)},
          {"manifests", manifests},
          {"data_sha256", checksum_of_data(data.rows)},
          {"images_to_train", data.split.train.size()},
          {"images_to_validate", data.split.validation.size()},
          {"images_to_test", data.split.test.size()},
          {"validation_patients", patients_of(data.split.validation)},
          {"test_patients", patients_of(data.split.test)}};
}

int run_train(const TrainArgs& args, const Session& session) {
  TrainingSetup setup = read_training_setup(args.config);
  apply_init(args.init, setup.training);
  const fs::path out = args.out;
  check_folder(out, args);
  const torch::Device device = nets::select_device(args.device);
  set_network_threads(args.threads);

  nets::TrainingData data;
  ProgressBar bar;
  const ManifestReader manifests(setup.slides, nets::stain_reference_of(setup.model));
  data.rows = manifests.read({args.manifests.begin(), args.manifests.end()}, static_cast<std::int64_t>(setup.model.class_names.size()),
                             [&](const std::string& line) { bar.line(line); });
  // Nothing is known of such an image, its mask included (nets::tumour_mask).
  std::erase_if(data.rows, [](const nets::ManifestRow& row) { return row.label < 0; });
  data.split = nets::split_by_patient(data.rows, setup.training.validation_fraction, setup.training.test_fraction,
                                       setup.training.split_seed);
  data.load = manifests.loader();
  json description = describe(args, setup, data);
  make_folder(out / "training");
  write_atomically(out / "training" / "training.json", description.dump(2) + "\n");

  bar.record_to(out / "training" / "progress.json");
  bar.line("training on " + std::to_string(data.split.train.size()) + " images, validating on " +
           std::to_string(data.split.validation.size()));
  train_ensemble(setup, data, out, {args.resume, args.finish, ""}, device, bar);
  description["calibration"] = calibration_json(setup.model);
  write_atomically(out / "training" / "training.json", description.dump(2) + "\n");
  bar.line("model written to " + out.string() + "; next: clmnet evaluate --model " + out.string() + " --manifest CSV");
  if (session.json) print_json({{"model", out.string()}, {"config", nets::to_json(setup.model)}});
  return 0;
}

}  // namespace

void add_train(CLI::App& app, Session& session) {
  auto args = std::make_shared<TrainArgs>();
  CLI::App* command = add_command(
      app, session, "train", "Train the networks of a configuration and learn how they are fused",
      "clmnet train --manifest ebhi.csv --manifest crc_tiles.csv --config configs/clmnet-s.toml -o runs/clmnet-s",
      [args, &session] { return run_train(*args, session); });
  command
      ->add_option("--manifest", args->manifests,
                   "CSV with image,mask,patient_id,diagnosis,tumour,um_per_px or slide,annotation,patient_id; may be repeated")
      ->required()
      ->allow_extra_args(true);
  command->add_option("-o,--output", args->out, "Folder of the model")->required();
  command->add_option("--config", args->config, "TOML with the keys of configs/train.toml");
  command->add_option("--init", args->init,
                      "NETWORK=FILE: begin with a torchvision or timm .pth or a .safetensors, of a narrower one too; "
                      "may be repeated");
  command->add_option("--device", args->device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  command->add_option("--threads", args->threads, "Threads of the networks, at most the cores; 0: all cores")->capture_default_str()->check(CLI::Range(0, 4096));
  command->add_flag("--resume", args->resume, "Go on with the run in the output folder");
  command->add_flag("--finish", args->finish, "Train no further: fuse the networks that the output folder holds");
}

}  // namespace clmnet::tools
