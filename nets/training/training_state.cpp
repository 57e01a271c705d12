#include "nets/training/training_state.h"

#include "tools/base/atomic_writer.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

torch::Tensor pack(const std::vector<EpochResult>& epochs) {
  torch::Tensor table = torch::zeros({static_cast<std::int64_t>(epochs.size()), 10}, torch::kFloat64);
  auto rows = table.accessor<double, 2>();
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    const EpochResult& e = epochs[i];
    const double values[] = {static_cast<double>(e.epoch), e.learning_rate, e.train_loss, e.class_loss, e.mask_loss,
                             e.validation_loss, e.accuracy, e.dice, e.seconds, e.best ? 1.0 : 0.0};
    for (int k = 0; k < 10; ++k) rows[static_cast<std::int64_t>(i)][k] = values[k];
  }
  return table;
}

std::vector<EpochResult> unpack(const torch::Tensor& table) {
  std::vector<EpochResult> epochs(static_cast<std::size_t>(table.size(0)));
  const auto rows = table.accessor<double, 2>();
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    const auto row = rows[static_cast<std::int64_t>(i)];
    epochs[i] = {static_cast<int>(row[0]), row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9] != 0};
  }
  return epochs;
}

}  // namespace

void save_training_state(const std::filesystem::path& file, const TrainingState& state) {
  torch::serialize::OutputArchive archive, network, average, optimizer;
  state.network->save(network);
  state.average->save(average);
  state.optimizer->save(optimizer);
  archive.write("network", network);
  archive.write("average", average);
  archive.write("optimizer", optimizer);
  archive.write("fingerprint", c10::IValue(state.fingerprint));
  archive.write("epochs", pack(state.epochs));
  AtomicWriter out(file);
  archive.save_to(out.never_failing());
  out.commit();
}

void load_training_state(const std::filesystem::path& file, TrainingState& state, torch::Device device) {
  try {
    torch::serialize::InputArchive archive, network, average, optimizer;
    archive.load_from(file.string(), device);
    c10::IValue fingerprint;
    archive.read("fingerprint", fingerprint);
    if (fingerprint.toStringRef() != state.fingerprint) {
      throw InputError(file.string() + ": is of another run (" + fingerprint.toStringRef() + "), this one is (" +
                       state.fingerprint + "); take another -o, or leave --resume out to begin anew");
    }
    archive.read("network", network);
    archive.read("average", average);
    archive.read("optimizer", optimizer);
    state.network->load(network);
    state.average->load(average);
    state.optimizer->load(optimizer);
    torch::Tensor epochs;
    archive.read("epochs", epochs);
    state.epochs = unpack(epochs.cpu());
  } catch (const c10::Error& error) {
    throw InputError(file.string() + ": cannot be read (" + error.what_without_backtrace() +
                     "); remove it to begin this network anew");
  }
}

}  // namespace clmnet::nets
