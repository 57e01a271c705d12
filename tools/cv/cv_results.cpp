#include "tools/cv/cv_results.h"

#include <algorithm>
#include <map>
#include <set>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/command.h"
#include "tools/cv/cv_examples.h"
#include "tools/cv/cv_report.h"
#include "tools/cv/cv_summary.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

CvTable joined_folds(const CvRun& run) {
  CvTable table;
  for (const auto& place : run.places) append(table, read_cv_table(place.folder / "predictions.csv"));
  write_cv_table(run.folder / "predictions.csv", table);
  write_cv_table(run.folder / "predictions_patients.csv", by_patient(join_repeats(table)), "images");
  return table;
}

/// Temperatures that the folds learned; empty for more than two classes, where they cannot be taken back from probabilities.
FoldTemperatures read_temperatures(const CvRun& run) {
  FoldTemperatures out;
  for (const auto& place : run.places) {
    const json fold = json::parse(read_whole_file(place.folder / "fold.json"));
    if (fold["classes"] != 2) return {};
    out[{place.repeat + 1, place.fold + 1}] = fold["class_temperature"].get<std::map<std::string, double>>();
  }
  return out;
}

/// features.h5: each image by the networks that did not see its patient.
void write_out_of_fold_features(const CvRun& run) {
  CvFeatures all;
  std::vector<CvFeatures> parts;
  Eigen::Index rows = 0;
  for (const auto& place : run.places) {
    CvFeatures fold = read_cv_features(place.folder / "features.h5");
    std::set<std::string> tested;
    for (const auto& row : rows_of_fold(run.data, place.repeat, place.fold).test) tested.insert(row.image.string());
    std::vector<Eigen::Index> kept;
    for (std::size_t i = 0; i < fold.image.size(); ++i) {
      if (!tested.contains(fold.image[i])) continue;
      kept.push_back(static_cast<Eigen::Index>(i));
      all.image.push_back(fold.image[i]);
      all.patient.push_back(fold.patient[i]);
      all.repeat.push_back(fold.repeat[i]);
      all.fold.push_back(fold.fold[i]);
    }
    fold.features = CvFeatures::Matrix(fold.features(kept, Eigen::all));
    rows += fold.features.rows();
    all.parts = fold.parts;
    parts.push_back(std::move(fold));
  }
  all.features.resize(rows, parts.front().features.cols());
  Eigen::Index at = 0;
  for (const auto& part : parts) {
    all.features.middleRows(at, part.features.rows()) = part.features;
    at += part.features.rows();
  }
  const CvFeatures patients = mean_by_patient(all);
  write_cv_features(run.folder / "features.h5", all, &patients);
}

/// Trains on everything and tests on the test manifest; null where neither is wanted.
json final_model(const CvRun& run, ProgressBar& bar) {
  if (!run.args.final_model && run.data.test.empty()) return nullptr;
  std::vector<nets::ManifestRow> all = run.data.rows;
  all.insert(all.end(), run.data.train_only.begin(), run.data.train_only.end());
  const fs::path model = run.folder / "model";
  train_part(run.data, all, run.setup, kFinalModelPart, "final model ", model, run.device, bar);
  json test;
  if (run.data.test.empty()) return test;
  for (const auto& predictor : predict_rows(run.data, model, run.data.test, "final model ", run.device, bar))
    test[predictor.name] = score(predictor, run.data.test);
  return test;
}

std::size_t patients_in(const std::vector<nets::ManifestRow>& rows) {
  std::set<std::string> names;
  for (const auto& row : rows) {
    if (!row.patient.empty()) names.insert(row.patient);
  }
  return names.size();
}

std::string counts(std::size_t images, std::size_t patients) {
  return std::to_string(images) + " images of " + std::to_string(patients) + " patients";
}

std::vector<FlowBox> flow_boxes(const CvRun& run, const json& s) {
  const CvData& data = run.data;
  std::vector<FlowBox> boxes = {
      {{std::to_string(data.rows.size() + data.train_only.size() + data.test.size() + data.without_class) +
        " images in the manifests"}}};
  if (data.without_class > 0)
    boxes.push_back({{"Left out: " + std::to_string(data.without_class) + " images of unknown class"}, true});
  if (!data.train_only.empty())
    boxes.push_back(
        {{"Trained on in every fold, never tested:", counts(data.train_only.size(), patients_in(data.train_only))}, true});
  if (!data.test.empty())
    boxes.push_back({{"Kept for the final model's test:", counts(data.test.size(), patients_in(data.test))}, true});
  boxes.push_back({{"Cross-validated: " + counts(data.rows.size(), patients_in(data.rows)),
                    "with tumour: " + counts(s["tumour_images"], s["tumour_patients"]),
                    std::to_string(data.fold_count()) + " folds by patient" +
                        (run.args.repeats > 1 ? ", " + std::to_string(run.args.repeats) + " times" : "")}});
  if (!data.clinical) return boxes;
  const ClinicalData& c = *data.clinical;
  FlowBox outside{{"Not in the survival part:"}, true};
  if (!c.without_outcome.empty())
    outside.lines.push_back("patients without outcome: " + std::to_string(c.without_outcome.size()));
  if (!c.without_images.empty())
    outside.lines.push_back("in the clinical table without images: " + std::to_string(c.without_images.size()));
  if (outside.lines.size() > 1) boxes.push_back(outside);
  boxes.push_back({{"Survival: " + std::to_string(c.patient.size()) + " patients with outcome and images",
                    std::to_string(c.outcome.events()) + " events"}});
  return boxes;
}

/// survival.json, and what the figures need.
CvSurvival survival_part(const CvRun& run, ProgressBar& bar) {
  const auto features_of = [&](int repeat, int fold) {
    const auto place = std::find_if(run.places.begin(), run.places.end(),
                                    [&](const FoldPlace& one) { return one.repeat == repeat && one.fold == fold; });
    return read_cv_features(place->folder / "features.h5");
  };
  CvSurvival survival = cross_validate_survival(*run.data.clinical, run.data.patient_folds(), run.args.clinical,
                                                run.setup.training.seed, features_of, [&](std::size_t done, std::size_t total) {
                                                  stop_if_interrupted("the folds are kept; the same command goes on");
                                                  bar.update("survival", done, total, "models");
                                                });
  write_atomically(run.folder / "survival.json", survival.document.dump(2) + "\n");
  return survival;
}

}  // namespace

CvResults write_cv_results(const CvRun& run, ProgressBar& bar) {
  const CvTable table = joined_folds(run);
  write_out_of_fold_features(run);
  CvResults results;
  json& s = results.summary;
  s = summarise(table, read_temperatures(run));
  s["folds"] = run.data.fold_count();
  s["repeats"] = run.args.repeats;
  s["images_without_class"] = run.data.without_class;
  s["images_trained_on_only"] = run.data.train_only.size();
  s["permuted_labels"] = run.configuration["permute_labels"];
  s["split"] = describe_split(run.data, run.setup);
  if (const json test = final_model(run, bar); !test.is_null()) s["test"] = test;
  std::error_code error;
  const fs::path figures = run.folder / "figures";
  fs::create_directories(figures, error);
  if (error) throw InputError(figures.string() + ": the folder cannot be made (" + error.message() + ")");
  CvReport report;
  if (run.data.clinical) {
    const CvSurvival survival = survival_part(run, bar);
    results.survival = survival.document;
    bar.line("drawing the survival figures");
    report.survival_figures = draw_survival_figures(figures, survival, *run.data.clinical);
  }
  bar.line("drawing figures and examples");
  report.flow = draw_flow(figures, flow_boxes(run, s));
  report.prediction_figures = draw_prediction_figures(figures, join_repeats(table), s);
  report.learning_figures = draw_learning_figures(figures, run.folder);
  report.examples = draw_examples(run.folder, table, run.data, run.device, bar);
  report.summary = s;
  report.survival = results.survival;
  report.configuration = run.configuration;
  write_cv_report(run.folder, report);
  write_atomically(run.folder / "metrics.json", s.dump(2) + "\n");
  return results;
}

}  // namespace clmnet::tools
