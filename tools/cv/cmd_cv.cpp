#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <set>
#include <sstream>

#include "nets/device.h"
#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/cv/cv_fold.h"
#include "tools/cv/cv_results.h"
#include "tools/cv/fold_jobs.h"
#include "tools/network_threads.h"
#include "tools/report/gnuplot.h"
#include "tools/report/numbers.h"
#include "tools/report/text_table.h"
#include "tools/run_folder.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Everything that decides the results.
json configuration_of(const CvArgs& args, const TrainingSetup& setup) {
  const auto checksums = [](const std::vector<std::string>& files) {
    json list = json::array();
    for (const auto& file : files)
      list.push_back({{"file", fs::path(file).filename().string()}, {"sha256", sha256_of_file(file)}});
    return list;
  };
  json out = {{"command", "cv"},
              {"version", CLMNET_VERSION},
              {"folds", args.folds_file.empty() ? json(args.folds) : json(sha256_of_file(args.folds_file))},
              {"repeats", args.repeats},
              {"final_model", args.final_model},
              {"permute_labels", args.permute_labels ? json(*args.permute_labels) : json()},
              {"training", to_json(setup)},
              {"manifests", checksums(args.manifests)},
              {"train_manifests", checksums(args.train_manifests)},
              {"test_manifests", checksums(args.test_manifests)}};
  if (args.clinical.wanted()) {
    const ClinicalArgs& c = args.clinical;
    out["clinical"] = {{"table", checksums({c.file})[0]},
                       {"time", c.time},
                       {"event", c.event},
                       {"patient", c.patient},
                       {"missing", c.missing},
                       {"covariates", c.covariates},
                       {"horizon", c.horizon},
                       {"trees", c.trees}};
  }
  return out;
}

void write_folds(const fs::path& file, const CvData& data) {
  std::ostringstream text;
  text << "image,patient_id,tumour,repeat,fold\n";
  for (std::size_t repeat = 0; repeat < data.folds.size(); ++repeat) {
    for (std::size_t i = 0; i < data.rows.size(); ++i) {
      text << csv_field(data.rows[i].image.string()) << ',' << csv_field(data.rows[i].patient) << ',' << data.rows[i].label << ','
           << repeat + 1 << ',' << data.folds[repeat][i] + 1 << '\n';
    }
  }
  write_atomically(file, text.str());
}

std::vector<FoldPlace> places_of(const CvArgs& args, const CvData& data, const RunFolder& run) {
  std::vector<FoldPlace> places;
  for (int repeat = 0; repeat < args.repeats; ++repeat) {
    for (int fold = 0; fold < data.fold_count(); ++fold) {
      std::string label = "fold " + std::to_string(fold + 1) + "/" + std::to_string(data.fold_count()) + " ";
      if (args.repeats > 1) label.insert(0, "repeat " + std::to_string(repeat + 1) + "/" + std::to_string(args.repeats) + " ");
      places.push_back(
          {repeat, fold, label, run.slide_folder("repeat-" + std::to_string(repeat + 1) + "/fold-" + std::to_string(fold + 1))});
    }
  }
  return places;
}

std::string name_of_place(const FoldPlace& place) {
  return std::to_string(place.repeat + 1) + "/" + std::to_string(place.fold + 1);
}

/// What folds side by side are dealt to: every GPU unless the user names one.
std::vector<std::string> devices_of(const CvArgs& args) {
  const int gpus = args.device == "auto" || args.device == "cuda" ? nets::cuda_state().devices : 0;
  if (gpus < 2) return {args.device};
  std::vector<std::string> devices;
  for (int i = 0; i < gpus; ++i) devices.push_back("cuda:" + std::to_string(i));
  return devices;
}

/// What a process of --jobs does: one fold.
int run_one_fold(const CvArgs& args, const TrainingSetup& setup, const CvData& data, const std::vector<FoldPlace>& places,
                 ProgressBar& bar) {
  const auto place =
      std::find_if(places.begin(), places.end(), [&](const FoldPlace& one) { return name_of_place(one) == args.only_fold; });
  if (place == places.end()) throw InputError("--only-fold " + args.only_fold + ": no such fold");
  bar.record_to(place->folder / "progress.json");
  try {
    run_fold(data, setup, *place, nets::select_device(args.fold_device.empty() ? args.device : args.fold_device), bar);
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& error) {
    write_failure(place->folder, error.what());
    throw;
  }
  return 0;
}

/// Does all folds that are not finished. Throws InputError when some failed, after the others.
void run_folds(const CvArgs& args, const TrainingSetup& setup, const CvData& data, const std::vector<FoldPlace>& places,
               ProgressBar& bar) {
  std::vector<FoldJob> jobs;
  for (const auto& place : places) {
    if (is_finished(place)) {
      bar.line(place.label + "finished before, left as it is");
      continue;
    }
    jobs.push_back({name_of_place(place), place.label, place.folder,
                    [&] { run_fold(data, setup, place, nets::select_device(args.device), bar); }});
  }
  const std::vector<std::string> failures = run_fold_jobs(jobs, args.jobs, devices_of(args), bar);
  if (failures.empty()) return;
  std::string text = std::to_string(failures.size()) + " of " + std::to_string(places.size()) +
                     " folds failed; the others are kept, the same command tries these again:";
  for (const auto& failure : failures) text += "\n  " + failure;
  throw InputError(text);
}

void print_summary(const json& summary, const json& survival, const fs::path& out) {
  TextTable table({"", "AUC", "95% CI", "accuracy", "precision", "recall", "F1", "Dice", "HD95 (µm)"});
  const auto value = [](const json& measure) { return measure_text(measure["value"]); };
  for (const auto& [name, p] : summary["predictors"].items()) {
    table.add({name, value(p["auc"]), measure_text(p["auc"]["ci"][0]) + "-" + measure_text(p["auc"]["ci"][1]),
               value(p["accuracy"]), value(p["precision"]), value(p["recall"]), value(p["f1"]), value(p["dice"]),
               p["hd95_um"]["value"].is_null() ? "-" : fixed_text(p["hd95_um"]["value"], 1)});
  }
  std::cout << table.text();
  if (!survival.is_null()) {
    TextTable models({"survival", "model", "AUC", "95% CI", "log-rank p"});
    for (const auto& m : survival["models"])
      models.add({m["set"], m["model"], measure_text(m["auc"]), measure_text(m["auc_ci"][0]) + "-" + measure_text(m["auc_ci"][1]),
                  measure_text(m["log_rank"]["p"])});
    std::cout << '\n' << models.text();
  }
  std::cout << "out-of-fold predictions of " << summary["images"] << " images of " << summary["patients"] << " patients\n  "
            << (out / "report.html").string() << '\n';
}

int run_cv(const CvArgs& args, const Session& session) {
  require_gnuplot();
  const TrainingSetup setup = read_training_setup(args.config);
  nets::select_device(args.device);  // a device that is not there is said now
  set_network_threads(args.threads, args.jobs);
  ProgressBar bar;
  const CvData data = read_cv_data(args, setup, bar);
  const json configuration = configuration_of(args, setup);
  const RunFolder run(args.out, configuration);
  const std::vector<FoldPlace> places = places_of(args, data, run);
  if (!args.only_fold.empty()) return run_one_fold(args, setup, data, places, bar);
  write_folds(run.path() / "folds.csv", data);
  if (!std::all_of(places.begin(), places.end(), is_finished))
    run.write_run(json::object());  // what it said of an end no longer holds
  run_folds(args, setup, data, places, bar);
  bar.record_to(run.path() / "progress.json");
  const CvResults results = write_cv_results({args, setup, data, places, configuration, run.path(), nets::select_device(args.device)},
                                             bar);
  run.write_run({{"images", results.summary["images"]}, {"device", nets::select_device(args.device).str()}, {"finished", true}});
  if (session.json) {
    print_json(results.summary);
  } else {
    print_summary(results.summary, results.survival, run.path());
  }
  return 0;
}

void add_clinical_options(CLI::App& command, ClinicalArgs& clinical) {
  CLI::Option* table = command.add_option("--clinical", clinical.file, "CSV with one row a patient: adds the survival part");
  command.add_option("--time", clinical.time, "Column of --clinical: time until the event or the end of follow-up")->needs(table);
  command.add_option("--event", clinical.event, "Column of --clinical: 1 event, 0 censored")->needs(table);
  command
      .add_option("--patient", clinical.patient,
                  "Column of --clinical with the manifest's patient_id (default: patient_id or Patient-ID)")
      ->needs(table);
  command
      .add_option("--horizon", clinical.horizon, "Time by which the event is predicted (default: the median of the event times)")
      ->needs(table)
      ->check(CLI::PositiveNumber);
  command.add_option("--missing", clinical.missing, "What stands for 'missing' beside an empty field and NA; may be repeated")
      ->needs(table)
      ->allow_extra_args(false);
  command.add_option("--covariates", clinical.covariates, "Columns of --clinical for the sets clinical and both")
      ->needs(table)
      ->delimiter(',');
  command.add_option("--trees", clinical.trees, "Trees of the random forests")
      ->needs(table)
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
}

}  // namespace

void add_cv(CLI::App& app, Session& session) {
  auto args = std::make_shared<CvArgs>();
  CLI::App* command = add_command(
      app, session, "cv", "Cross-validate training on labelled images, patient by patient, to a report that can be published",
      "clmnet cv --manifest ebhi.csv --folds 5 --config configs/cv.toml -o runs/cv\n  clmnet cv --manifest ebhi.csv --clinical "
      "patients.csv --time months "
      "--event died --horizon 36 --covariates age,stage -o runs/cv\n  clmnet status runs/cv",
      [args, &session] { return run_cv(*args, session); });
  command->add_option("--manifest", args->manifests, "CSV with image,mask,patient_id,diagnosis,tumour,um_per_px; may be repeated")
      ->required();
  command->add_option("--train-manifest", args->train_manifests, "The same: trained on in every fold, never tested");
  command->add_option("--test-manifest", args->test_manifests, "The same, of other patients: tests a final model of all data");
  command->add_option("--folds", args->folds, "Parts of the patients")->capture_default_str()->check(CLI::Range(2, 1000));
  command->add_option("--folds-file", args->folds_file, "CSV with patient_id,fold instead of --folds");
  command->add_option("--repeats", args->repeats, "Times that the patients are dealt anew")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  command->add_flag("--final-model", args->final_model, "Also train a model on all data");
  command->add_option("--permute-labels", args->permute_labels,
                      "Deal the labels anew between patients with this seed: a test against leaks, AUC should be 0.5");
  add_clinical_options(*command, args->clinical);
  command->add_option("-o,--output", args->out, "Folder of the run; the same command goes on in it")->required();
  command->add_option("--config", args->config, "TOML with the keys of configs/cv.toml");
  command->add_option("--device", args->device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  command->add_option("--jobs", args->jobs, "Folds side by side, each in a process of its own, on the GPU with the fewest where there are several")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command
      ->add_option("--threads", args->threads,
                   "Threads of the networks, all jobs together, at most the cores; 0: all cores. Other numbers of threads a job round otherwise")
      ->capture_default_str()
      ->check(CLI::Range(0, 4096));
  command->add_option("--only-fold", args->only_fold)->group("");
  command->add_option("--fold-device", args->fold_device)->group("");
}

}  // namespace clmnet::tools
