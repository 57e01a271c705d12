#include "tools/ensemble_training.h"

#include <iomanip>
#include <map>
#include <sstream>

#include "nets/checkpoint/safetensors.h"
#include "nets/checkpoint/state_dict.h"
#include "nets/conv.h"
#include "nets/training/crf_choice.h"
#include "nets/training/fusion.h"
#include "tools/base/atomic_file.h"
#include "tools/command.h"
#include "tools/learning_curves.h"
#include "tools/report/gnuplot.h"

namespace clmnet::tools {
namespace fs = std::filesystem;

namespace {

/// The epochs of all networks so far; train.csv and the learning curves are written anew after each, whole.
class TrainLog {
 public:
  /// figures: also draws the learning curves
  TrainLog(fs::path file, bool figures) : file_(std::move(file)), figures_(figures) {}
  void add(const std::string& network, const nets::EpochResult& epoch) {
    rows_[network].push_back(epoch);
    write();
    draw(network);
  }
  void replace(const std::string& network, const std::vector<nets::EpochResult>& epochs) {
    rows_[network] = epochs;
    write();
    draw(network);
  }
  const std::map<std::string, std::vector<nets::EpochResult>>& rows() const { return rows_; }

 private:
  void draw(const std::string& network) const {
    if (figures_) write_learning_curves(file_.parent_path(), network, rows_.at(network));
  }
  void write() const {
    std::ostringstream text;
    text << "network,epoch,learning_rate,train_loss,class_loss,mask_loss,validation_loss,accuracy,dice,seconds,best\n";
    for (const auto& [network, epochs] : rows_) {
      for (const auto& e : epochs) {
        text << network << ',' << e.epoch << ',' << e.learning_rate << ',' << e.train_loss << ',' << e.class_loss << ','
             << e.mask_loss << ',' << e.validation_loss << ',' << e.accuracy << ',' << e.dice << ',' << e.seconds << ','
             << e.best << '\n';
      }
    }
    write_atomically(file_, text.str());
  }

  fs::path file_;
  bool figures_;
  std::map<std::string, std::vector<nets::EpochResult>> rows_;
};

nets::TrainingHooks make_hooks(const std::string& before, TrainLog& log, ProgressBar& bar) {
  nets::TrainingHooks hooks;
  hooks.progress = [&bar, before](const nets::TrainingProgress& p) {
    std::ostringstream label;
    label << before << p.network << " epoch " << p.epoch << '/' << p.epochs << " loss " << std::fixed << std::setprecision(3) << p.loss;
    bar.update(label.str(), p.step, p.steps, "batches");
  };
  hooks.epoch_done = [&log, &bar, before](const std::string& network, const nets::EpochResult& e) {
    log.add(network, e);
    std::ostringstream line;
    line << std::fixed << std::setprecision(4) << before << network << " epoch " << e.epoch << ": train " << e.train_loss
         << ", validation " << e.validation_loss << ", accuracy " << e.accuracy << ", Dice " << e.dice << ", "
         << std::setprecision(0) << e.seconds << " s" << (e.best ? ", best" : "");
    bar.line(line.str());
  };
  hooks.note = [&bar, before](const std::string& text) { bar.line(before + text); };
  hooks.stop_requested = interrupted;
  return hooks;
}

/// What temperature scaling did to the class probabilities on the validation patients.
void print_calibration(const nets::ModelConfig& model, const std::string& label, ProgressBar& bar) {
  std::ostringstream line;
  line << std::fixed << std::setprecision(4) << label << "expected calibration error on the validation images:";
  for (const auto& member : model.members) {
    if (!member.ece || !member.ece_before) continue;
    line << ' ' << member.options.network << ' ' << *member.ece_before << " -> " << *member.ece << " (temperature "
         << std::setprecision(2) << member.class_temperature << std::setprecision(4) << "),";
  }
  if (model.ece) line << " ensemble " << *model.ece;
  bar.line(line.str());
}

void print_log_loss(const nets::ClassLogLoss& loss, const nets::ModelConfig& model, const std::string& label, ProgressBar& bar) {
  std::ostringstream line;
  line << std::fixed << std::setprecision(4) << label << "log loss of the class on the validation images and their views:";
  for (std::size_t k = 0; k < model.members.size(); ++k) line << ' ' << model.members[k].options.network << ' ' << loss.networks[k] << ',';
  line << " ensemble " << loss.ensemble;
  bar.line(line.str());
}

std::vector<std::shared_ptr<nets::Member>> load_trained(const fs::path& out, nets::ModelConfig& config, torch::Device device) {
  std::vector<std::shared_ptr<nets::Member>> members;
  for (auto& member : config.members) {
    const fs::path file = out / member.weights;
    member.sha256 = sha256_of_file(file);
    members.push_back(nets::make_member(member.options));
    nets::load_state_dict(*members.back(), nets::load_safetensors(file).tensors, nets::LoadMode::kStrict, file.string());
    members.back()->to(device);
    nets::prepare_for_inference(*members.back());  // as they will run
  }
  return members;
}

}  // namespace

void train_ensemble(TrainingSetup& setup, const nets::TrainingData& data, const fs::path& folder,
                    const EnsembleTrainingOptions& options, torch::Device device, ProgressBar& bar) {
  const bool figures = has_gnuplot();
  if (!figures) bar.line(options.label + "no learning curves are drawn: gnuplot cannot be run (Debian package gnuplot-nox)");
  TrainLog log(folder / "training" / "train.csv", figures);
  const nets::TrainingHooks hooks = make_hooks(options.label, log, bar);
  for (const auto& plan : setup.training.members) {
    if (options.finish) break;
    log.replace(plan.member.network,
                nets::train_member(plan, setup.training, setup.model, data, folder, options.resume, device, hooks));
  }
  const auto members = load_trained(folder, setup.model, device);
  bar.line(options.label + "learning the fusion on " + std::to_string(data.split.validation.size()) + " images");
  const nets::AugmentOptions views = nets::stronger(setup.training.augment, setup.fusion_shift);
  const nets::ValidationOutputs outputs =
      nets::run_on_validation(members, data, setup.model, views, setup.fusion_views, setup.model.map_px, setup.training.split_seed,
                              setup.training.workers, device, interrupted);
  const nets::ClassLogLoss loss = nets::fit_fusion(outputs, setup.model);
  print_calibration(setup.model, options.label, bar);
  print_log_loss(loss, setup.model, options.label, bar);
  if (outputs.mask.ge(0).any().item<bool>()) {
    const nets::CrfChoice choice = nets::choose_crf(outputs, setup.model);
    std::ostringstream line;
    line << std::fixed << std::setprecision(4) << options.label << "Dice of the maps on the validation images " << choice.dice_before
         << ", after the CRF " << choice.dice_after;
    bar.line(line.str());
  }
  nets::write_model_config(folder, setup.model);
}

}  // namespace clmnet::tools
