#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <set>
#include <sstream>

#include "nets/device.h"
#include "nets/ensemble.h"
#include "nets/training/folds.h"
#include "nets/training/random.h"
#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/cv/cv_report.h"
#include "tools/cv/cv_summary.h"
#include "tools/ensemble_training.h"
#include "tools/image_loader.h"
#include "tools/run_folder.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct CvArgs {
  std::vector<std::string> manifests, train_manifests, test_manifests;
  std::string out, config, folds_file;
  std::string device = "auto";
  int folds = 5, repeats = 1, threads = 0;
  bool final_model = false;
};

/// The images of a cross-validation.
struct CvData {
  std::vector<nets::ManifestRow> rows;        ///< that are tested, each once a repeat
  std::vector<nets::ManifestRow> train_only;  ///< trained on in every fold
  std::vector<nets::ManifestRow> test;        ///< of other patients, for the final model
  std::size_t without_class = 0;              ///< rows left out, since their class is not known
};

std::vector<nets::ManifestRow> read_rows(const std::vector<std::string>& files, std::int64_t classes, std::size_t& without_class) {
  if (files.empty()) return {};
  std::vector<nets::ManifestRow> rows = nets::read_manifests({files.begin(), files.end()}, classes);
  without_class += std::erase_if(rows, [](const nets::ManifestRow& row) { return row.label < 0; });
  return rows;
}

/// A patient on both sides of any split would make every number too good.
void check_apart(const std::vector<nets::ManifestRow>& a, const std::vector<nets::ManifestRow>& b, const std::string& what) {
  std::set<std::string> patients;
  for (const auto& row : a) patients.insert(row.patient);
  for (const auto& row : b) {
    if (!row.patient.empty() && patients.contains(row.patient)) {
      throw InputError(row.image.string() + ": patient '" + row.patient + "' is also in " + what +
                       "; a patient belongs to one side of a split");
    }
  }
}

/// Reads every image once, so that hours of training do not end at a broken file.
void check_images(const std::vector<nets::ManifestRow>& rows, ProgressBar& bar) {
  std::vector<std::string> faults;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    stop_if_interrupted("nothing was trained yet");
    try {
      load_labelled_image(rows[i]);
    } catch (const InputError& error) {
      faults.emplace_back(error.what());
    }
    bar.update("checking images", i + 1, rows.size(), "images");
  }
  if (faults.empty()) return;
  for (std::size_t i = 0; i < std::min<std::size_t>(faults.size(), 10); ++i) bar.line("clmnet: " + faults[i]);
  throw InputError(std::to_string(faults.size()) + " of " + std::to_string(rows.size()) +
                   " images cannot be used, see above; repair them or take their rows out of the manifest");
}

CvData read_data(const CvArgs& args, std::int64_t classes, ProgressBar& bar) {
  CvData data;
  data.rows = read_rows(args.manifests, classes, data.without_class);
  data.train_only = read_rows(args.train_manifests, classes, data.without_class);
  data.test = read_rows(args.test_manifests, classes, data.without_class);
  check_apart(data.rows, data.train_only, "a manifest that is cross-validated");
  check_apart(data.rows, data.test, "a manifest that is cross-validated");
  check_apart(data.train_only, data.test, "a manifest that is trained on");
  for (const auto* part : {&data.rows, &data.train_only, &data.test}) check_images(*part, bar);
  return data;
}

json configuration(const CvArgs& args, const TrainingSetup& setup) {
  const auto checksums = [](const std::vector<std::string>& files) {
    json list = json::array();
    for (const auto& file : files) list.push_back({{"file", fs::path(file).filename().string()}, {"sha256", sha256_of_file(file)}});
    return list;
  };
  return {{"command", "cv"},
          {"version", CLMNET_VERSION},
          {"folds", args.folds_file.empty() ? json(args.folds) : json(sha256_of_file(args.folds_file))},
          {"repeats", args.repeats},
          {"training", to_json(setup)},
          {"manifests", checksums(args.manifests)},
          {"train_manifests", checksums(args.train_manifests)},
          {"test_manifests", checksums(args.test_manifests)}};
}

std::vector<std::vector<int>> all_folds(const CvArgs& args, const CvData& data, std::uint64_t seed) {
  std::vector<std::vector<int>> folds;
  for (int repeat = 0; repeat < args.repeats; ++repeat) {
    folds.push_back(args.folds_file.empty()
                        ? nets::make_folds(data.rows, args.folds, nets::mix_seed(seed, 7000 + static_cast<std::uint64_t>(repeat)))
                        : nets::read_folds(args.folds_file, data.rows));
  }
  return folds;
}

void write_folds(const fs::path& file, const CvData& data, const std::vector<std::vector<int>>& folds) {
  std::ostringstream text;
  text << "image,patient_id,tumour,repeat,fold\n";
  for (std::size_t repeat = 0; repeat < folds.size(); ++repeat) {
    for (std::size_t i = 0; i < data.rows.size(); ++i) {
      text << csv_field(data.rows[i].image.string()) << ',' << csv_field(data.rows[i].patient) << ',' << data.rows[i].label << ','
           << repeat + 1 << ',' << folds[repeat][i] + 1 << '\n';
    }
  }
  write_atomically(file, text.str());
}

/// Trains on `rows`, part of whose patients choose epochs, fusion and thresholds; goes on where it was stopped.
void train_on(const std::vector<nets::ManifestRow>& rows, TrainingSetup setup, std::uint64_t part, const std::string& label,
              const fs::path& folder, torch::Device device, ProgressBar& bar) {
  setup.training.seed = nets::mix_seed(setup.training.seed, part);
  nets::TrainingData data;
  data.rows = rows;
  data.split = nets::split_by_patient(rows, setup.training.validation_fraction, 0, setup.training.seed);
  data.load = load_labelled_image;
  std::error_code ignored;
  fs::create_directories(folder / "training", ignored);
  bar.line(label + "training on " + std::to_string(data.split.train.size()) + " images, validating on " +
           std::to_string(data.split.validation.size()));
  train_ensemble(setup, data, folder, {/*resume=*/true, /*finish=*/false, label}, device, bar);
}

std::vector<Predictor> predict(const fs::path& model, const std::vector<nets::ManifestRow>& rows, const std::string& label,
                               torch::Device device, ProgressBar& bar) {
  nets::Ensemble ensemble(model, device);
  return predict_manifest(ensemble, rows, load_labelled_image, 1, [&](std::size_t done) {
    stop_if_interrupted("finished folds are kept; the same command goes on");
    bar.update(label + "testing", done, rows.size(), "images");
  });
}

CvTable run_fold(const CvData& data, const std::vector<int>& folds, int repeat, int fold, const TrainingSetup& setup,
                 const std::string& label, const fs::path& folder, torch::Device device, ProgressBar& bar) {
  const fs::path predictions = folder / "predictions.csv";
  std::error_code ignored;
  if (fs::exists(predictions, ignored)) {
    bar.line(label + "finished before, left as it is");
    return read_cv_table(predictions);
  }
  std::vector<nets::ManifestRow> train = data.train_only, test;
  for (std::size_t i = 0; i < data.rows.size(); ++i) (folds[i] == fold ? test : train).push_back(data.rows[i]);
  train_on(train, setup, static_cast<std::uint64_t>(repeat * 1000 + fold), label, folder, device, bar);
  const CvTable table = make_cv_table(test, predict(folder, test, label, device, bar), repeat + 1, fold + 1);
  write_cv_table(predictions, table);
  return table;
}

void print_summary(const json& summary, const fs::path& out) {
  std::cout << std::left << std::setw(12) << "" << std::right << std::setw(9) << "AUC" << std::setw(17) << "95 % CI";
  for (const char* name : {"accuracy", "precision", "recall", "F1", "Dice"}) std::cout << std::setw(11) << name;
  std::cout << '\n';
  for (const auto& [name, p] : summary["predictors"].items()) {
    std::cout << std::left << std::setw(12) << name << std::right << std::setw(9) << measure_text(p["auc"]) << std::setw(17)
              << measure_text(p["auc_ci"][0]) + "-" + measure_text(p["auc_ci"][1]);
    for (const char* key : {"accuracy", "precision", "recall", "f1", "dice"}) std::cout << std::setw(11) << measure_text(p[key].is_object() ? p[key]["value"] : p[key]);
    std::cout << '\n';
  }
  std::cout << "out-of-fold predictions of " << summary["images"] << " images of " << summary["patients"] << " patients\n  "
            << (out / "report.html").string() << '\n';
}

int run_cv(const CvArgs& args, const Session& session) {
  const TrainingSetup setup = read_training_setup(args.config);
  const torch::Device device = nets::select_device(args.device);
  if (args.threads > 0) torch::set_num_threads(args.threads);
  ProgressBar bar;
  const CvData data = read_data(args, static_cast<std::int64_t>(setup.model.class_names.size()), bar);
  const std::vector<std::vector<int>> folds = all_folds(args, data, setup.training.seed);
  const int count = *std::max_element(folds.front().begin(), folds.front().end()) + 1;
  const RunFolder run(args.out, configuration(args, setup));
  write_folds(run.path() / "folds.csv", data, folds);

  CvTable table;
  for (int repeat = 0; repeat < args.repeats; ++repeat) {
    for (int fold = 0; fold < count; ++fold) {
      std::string label = "fold " + std::to_string(fold + 1) + "/" + std::to_string(count) + " ";
      if (args.repeats > 1) label.insert(0, "repeat " + std::to_string(repeat + 1) + "/" + std::to_string(args.repeats) + " ");
      const fs::path folder = run.slide_folder("repeat-" + std::to_string(repeat + 1) + "/fold-" + std::to_string(fold + 1));
      append(table, run_fold(data, folds[static_cast<std::size_t>(repeat)], repeat, fold, setup, label, folder, device, bar));
    }
  }
  write_cv_table(run.path() / "predictions.csv", table);
  json summary = summarise(table);
  summary["folds"] = count;
  summary["repeats"] = args.repeats;
  summary["images_without_class"] = data.without_class;
  summary["images_trained_on_only"] = data.train_only.size();
  if (args.final_model || !data.test.empty()) {
    std::vector<nets::ManifestRow> all = data.rows;
    all.insert(all.end(), data.train_only.begin(), data.train_only.end());
    const fs::path model = run.slide_folder("model");
    train_on(all, setup, 999999, "final model ", model, device, bar);
    for (const auto& predictor : data.test.empty() ? std::vector<Predictor>() : predict(model, data.test, "final model ", device, bar)) {
      summary["test"][predictor.name] = score(predictor, data.test);
    }
  }
  write_atomically(run.path() / "cv.json", summary.dump(2) + "\n");
  write_cv_report(run.path(), summary, configuration(args, setup), table);
  run.write_run({{"images", summary["images"]}, {"device", device.str()}});
  if (session.json) {
    print_json(summary);
  } else {
    print_summary(summary, run.path());
  }
  return 0;
}

}  // namespace

void add_cv(CLI::App& app, Session& session) {
  auto args = std::make_shared<CvArgs>();
  CLI::App* command = add_command(app, session, "cv", "Cross-validate training on labelled images, patient by patient",
                                  "clmnet cv --manifest ebhi.csv --folds 5 --config configs/clmnet-s.toml -o runs/cv",
                                  [args, &session] { return run_cv(*args, session); });
  command->add_option("--manifest", args->manifests, "CSV with image,mask,patient_id,diagnosis,tumour; may be repeated")->required();
  command->add_option("--train-manifest", args->train_manifests, "The same: trained on in every fold, never tested");
  command->add_option("--test-manifest", args->test_manifests, "The same, of other patients: tests a final model of all data");
  command->add_option("--folds", args->folds, "Parts of the patients")->capture_default_str()->check(CLI::Range(2, 1000));
  command->add_option("--folds-file", args->folds_file, "CSV with patient_id,fold instead of --folds");
  command->add_option("--repeats", args->repeats, "Times that the patients are dealt anew")->capture_default_str()->check(CLI::Range(1, 1000));
  command->add_flag("--final-model", args->final_model, "Also train a model on all data");
  command->add_option("-o,--output", args->out, "Folder of the run; the same command goes on in it")->required();
  command->add_option("--config", args->config, "TOML with the keys of configs/clmnet-s.toml");
  command->add_option("--device", args->device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  command->add_option("--threads", args->threads, "Threads of the networks; 0: all cores")->capture_default_str();
}

}  // namespace clmnet::tools
