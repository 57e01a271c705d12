#include <iomanip>
#include <iostream>
#include <sstream>

#include "nets/device.h"
#include "nets/ensemble.h"
#include "nets/inference/stain_target.h"
#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/default_model.h"
#include "tools/evaluation.h"
#include "tools/network_threads.h"
#include "tools/progress.h"
#include "tools/report/numbers.h"
#include "tools/robustness.h"
#include "tools/training_config.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

struct EvaluateArgs {
  std::vector<std::string> manifests;
  std::string model, predictions, config;
  std::string device = "auto";
  std::string validation_of, test_of;
  int threads = 0;
  bool tta = false;
  bool robustness = false;
};

AnnotatedSlideOptions slide_options(const EvaluateArgs& args, const nets::ModelConfig& model) {
  AnnotatedSlideOptions slides = slides_of(model);
  ConfigFile file = args.config.empty() ? ConfigFile() : ConfigFile(args.config);
  take_annotated_slides(file, slides);
  file.finish();
  return slides;
}

/// Keeps the rows of the patients that a training run held out; key says which ones.
void keep_patients(const std::string& model, const std::string& key, std::vector<nets::ManifestRow>& rows) {
  const std::filesystem::path file = std::filesystem::path(model) / "training" / "training.json";
  std::error_code missing;
  const json run = std::filesystem::exists(file, missing) ? json::parse(read_whole_file(file), nullptr, /*allow_exceptions=*/false) : json();
  if (!run.is_object() || !run.contains(key)) {
    throw InputError(file.string() + ": holds no '" + key + "'; name a folder that `clmnet train` of this version wrote");
  }
  const auto held_out = run.at(key).get<std::vector<std::string>>();
  std::erase_if(rows, [&](const nets::ManifestRow& row) {
    return row.patient.empty() || std::find(held_out.begin(), held_out.end(), row.patient) == held_out.end();
  });
  if (rows.empty()) throw InputError(file.string() + ": none of its " + key + " is in the manifest");
}

void write_predictions(const std::string& file, const std::vector<nets::ManifestRow>& rows, const std::vector<Predictor>& predictors) {
  std::ostringstream text;
  text << "image,patient_id,diagnosis,tumour";
  for (const auto& p : predictors) text << ",prob_" << p.name;
  for (const auto& measure : kMapMeasures) {
    for (const auto& p : predictors) text << ',' << measure.name << '_' << p.name;
    text << ',' << measure.name << "_before_crf";
  }
  text << '\n' << std::setprecision(9);
  const auto add = [&](double value) {
    text << ',';
    if (!std::isnan(value)) text << value;
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text << csv_field(rows[i].image.string()) << ',' << csv_field(rows[i].patient) << ',' << csv_field(rows[i].diagnosis)
         << ',' << rows[i].label;
    for (const auto& p : predictors) text << ',' << p.probability[i];
    for (const auto& measure : kMapMeasures) {
      for (const auto& p : predictors) add((p.map.*measure.values)[i]);
      add((predictors.front().map_before_crf.*measure.values)[i]);
    }
    text << '\n';
  }
  write_atomically(file, text.str());
}

void print_table(const json& results) {
  std::cout << std::left << std::setw(12) << "" << std::right;
  for (const char* name : {"AUC", "95 % CI", "accuracy", "precision", "recall", "F1", "Dice", "HD95 um"}) {
    std::cout << std::setw(std::string(name) == "95 % CI" ? 18 : 11) << name;
  }
  std::cout << '\n';
  for (const auto& [name, r] : results.items()) {
    const std::string interval = r["auc_ci"].is_null() ? "-" : measure_text(r["auc_ci"][0]) + "-" + measure_text(r["auc_ci"][1]);
    std::cout << std::left << std::setw(12) << name << std::right << std::setw(11) << measure_text(r["auc"]) << std::setw(18) << interval;
    for (const char* key : {"accuracy", "precision", "recall", "f1", "dice"}) std::cout << std::setw(11) << measure_text(r[key]);
    std::cout << std::setw(11) << (r["hd95_um"].is_null() ? "-" : fixed_text(r["hd95_um"], 1));
    std::cout << '\n';
  }
  const json& first = results.front();
  std::cout << "n " << first["n"] << " images, " << first["positives"] << " of tumour; interval: "
            << first.value("auc_ci_method", "none") << '\n' << kMapConvention << '\n';
}

void print_robustness(const json& all) {
  std::cout << "\nAUC and accuracy when the images are changed\n" << std::left << std::setw(14) << "";
  for (const auto& [predictor, r] : all.front().items()) std::cout << std::setw(18) << predictor;
  std::cout << "images\n";
  for (const Variation& variation : variations()) {
    const json& here = all.at(variation.name);
    std::cout << std::left << std::setw(14) << variation.name;
    for (const auto& [predictor, r] : here.items()) std::cout << std::setw(18) << measure_text(r["auc"]) + "  " + measure_text(r["accuracy"]);
    std::cout << here.front()["n"] << (variation.what.empty() ? "" : "  ") << variation.what << '\n';
  }
}

int run_evaluate(const EvaluateArgs& args, const Session& session) {
  if (!args.predictions.empty()) AtomicFile(args.predictions);  // where nothing can be written it is said now
  set_network_threads(args.threads);
  const std::filesystem::path folder = args.model.empty() ? default_model_folder() : std::filesystem::path(args.model);
  nets::Ensemble ensemble(folder, nets::select_device(args.device), {.flips_and_turns = args.tta});
  ProgressBar bar;
  const ManifestReader manifests(slide_options(args, ensemble.config()), nets::stain_reference_of(ensemble.config()));
  std::vector<nets::ManifestRow> rows =
      manifests.read({args.manifests.begin(), args.manifests.end()}, static_cast<std::int64_t>(ensemble.config().class_names.size()),
                     [&](const std::string& line) { bar.line(line); });
  if (!args.validation_of.empty()) keep_patients(args.validation_of, "validation_patients", rows);
  if (!args.test_of.empty()) keep_patients(args.test_of, "test_patients", rows);
  const auto predictors = predict_manifest(ensemble, rows, manifests.loader(), 1, [&](std::size_t done) {
    stop_if_interrupted("nothing was written");
    bar.update("evaluate", done, rows.size(), "images");
  });
  json results = json::object();
  for (const auto& predictor : predictors) results[predictor.name] = score(predictor, rows);
  if (!args.predictions.empty()) write_predictions(args.predictions, rows, predictors);
  if (!session.json) print_table(results);
  if (args.robustness) {
    results["robustness"] = robustness(ensemble, rows, manifests.loader(), [&](std::size_t done) {
      stop_if_interrupted(args.predictions.empty() ? "nothing was written" : args.predictions + " is written");
      bar.update("robustness", done, rows.size() * variations().size(), "images");
    });
    if (!session.json) print_robustness(results["robustness"]);
  }
  if (session.json) print_json(results);
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& app, Session& session) {
  auto args = std::make_shared<EvaluateArgs>();
  CLI::App* command = add_command(app, session, "evaluate", "Accuracy, AUC and Dice of a model on labelled images",
                                  "clmnet evaluate --model nets/zoo/clmnet-s --manifest ebhi.csv",
                                  [args, &session] { return run_evaluate(*args, session); });
  command
      ->add_option("--manifest", args->manifests,
                   "CSV with image,mask,patient_id,diagnosis,tumour,um_per_px or slide,annotation,patient_id; may be repeated")
      ->required();
  command->add_option("--model", args->model, "Folder of the model; default: the one that comes with clmnet");
  command->add_option("--config", args->config, "TOML with [tiles], [tissue] and [annotations] of configs/slides.toml, for rows of slides");
  command->add_option("--validation-of", args->validation_of,
                      "Folder that `clmnet train` wrote: only the patients that it held out for validation");
  command->add_option("--test-of", args->test_of, "The same: only the patients of its test part")->excludes("--validation-of");
  command->add_option("--predictions", args->predictions, "CSV to write, one row per image: probabilities, Dice, HD95 (hd95_um_, µm) and maps without tumour (map_empty_)");
  command->footer(command->get_footer() + "\n" + kMapConvention + ".");
  command->add_option("--device", args->device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  command->add_flag("--tta", args->tta, "Test-time augmentation: means over the eight flips and quarter turns; eight times the work");
  command->add_flag("--robustness", args->robustness,
                    "Also with the images changed as another centre's may differ: finer, coarser, stain, colour, focus; six times the work");
  command->add_option("--threads", args->threads, "Threads of the networks, at most the cores; 0: all cores")->capture_default_str()->check(CLI::Range(0, 4096));
}

}  // namespace clmnet::tools
