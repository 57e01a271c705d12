#include "tools/cv/cv_fold.h"

#include <numeric>

#include "nets/ensemble.h"
#include "nets/training/batches.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/command.h"
#include "tools/cv/fold_jobs.h"
#include "tools/ensemble_training.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kKept = "what is finished is kept; the same command goes on";

CvTable fold_table(const std::vector<nets::ManifestRow>& rows, const std::vector<Predictor>& predictors, const FoldPlace& place) {
  CvTable table;
  for (const auto& row : rows)
    table.rows.push_back({row.image.string(), row.patient, row.diagnosis, row.label, place.repeat + 1, place.fold + 1});
  for (const auto& predictor : predictors) {
    CvTable::Column column{predictor.name, predictor.probability, {}, predictor.map};
    for (const double p : predictor.probability) column.called.push_back(p >= predictor.class_threshold ? 1 : 0);
    table.columns.push_back(std::move(column));
  }
  table.map_before_crf = predictors.front().map_before_crf;
  return table;
}

CvFeatures features_of_rows(const CvData& data, const fs::path& model, const std::vector<nets::ManifestRow>& rows,
                            const FoldPlace& place, torch::Device device, ProgressBar& bar) {
  constexpr std::size_t batch_images = 16;
  nets::Ensemble ensemble(model, device);
  const std::int64_t patch = ensemble.config().patch_size_px;
  CvFeatures out;
  out.features.resize(static_cast<Eigen::Index>(rows.size()), ensemble.config().feature_size());
  std::int64_t column = 0;
  for (const auto& member : ensemble.config().members) {
    out.parts.push_back({member.options.network, column, column + member.options.feature_size});
    column += member.options.feature_size;
  }
  for (const auto& row : rows) {
    out.image.push_back(row.image.string());
    out.patient.push_back(row.patient);
  }
  out.repeat.assign(rows.size(), place.repeat + 1);
  out.fold.assign(rows.size(), place.fold + 1);
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto fitted = [&](std::size_t row) { return nets::fit_to_patch(data.load(rows[row]), patch); };
  nets::for_each_batch(order, batch_images, 1, false, fitted, [&](const nets::Batch& batch) {
    stop_if_interrupted(kKept);
    const torch::Tensor features = ensemble.predict(batch.rgb, patch).features.contiguous();
    for (std::size_t i = 0; i < batch.rows.size(); ++i) {
      const float* own = features.data_ptr<float>() + static_cast<std::int64_t>(i) * features.size(1);
      out.features.row(static_cast<Eigen::Index>(batch.rows[i])) = Eigen::Map<const Eigen::RowVectorXf>(own, features.size(1));
    }
    bar.update(place.label + "features", batch.rows.back() + 1, rows.size(), "images");
  });
  return out;
}

/// Whether predictions.csv is there with all its columns; one of an older version is made again, which `bar` is told.
bool has_predictions(const FoldPlace& place, ProgressBar* bar) {
  const fs::path file = place.folder / "predictions.csv";
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return false;
  const std::string missing = missing_cv_column(file);
  if (missing.empty()) return true;
  if (bar != nullptr) {
    bar->line(place.label + "predictions.csv lacks '" + missing +
              "', an older version wrote it: the fold is predicted again, its networks are kept");
  }
  return false;
}

}  // namespace

void train_part(const CvData& data, const std::vector<nets::ManifestRow>& rows, const TrainingSetup& setup, std::uint64_t part,
                const std::string& label, const fs::path& folder, torch::Device device, ProgressBar& bar) {
  const fs::path mark = folder / "training" / "finished.json";
  std::error_code error;
  if (fs::exists(mark, error)) return;
  fs::create_directories(folder / "training", error);
  if (error) throw InputError((folder / "training").string() + ": the folder cannot be made (" + error.message() + ")");
  TrainingSetup own = setup;
  own.training = training_of(setup, part);
  nets::TrainingData parts;
  parts.rows = rows;
  parts.split = split_of(rows, setup, part);
  parts.load = data.load;
  bar.line(label + "training on " + std::to_string(parts.split.train.size()) + " images, validating on " +
           std::to_string(parts.split.validation.size()));
  try {
    train_ensemble(own, parts, folder, {/*resume=*/true, /*finish=*/false, label}, device, bar);
  } catch (const Interrupted&) {  // which speaks of train's --resume
    throw Interrupted(std::string("interrupted; ") + kWhatIsKept);
  }
  write_atomically(mark,
                   json{{"trained", parts.split.train.size()}, {"validated", parts.split.validation.size()}}.dump(2) + "\n");
}

std::vector<Predictor> predict_rows(const CvData& data, const fs::path& model, const std::vector<nets::ManifestRow>& rows,
                                    const std::string& label, torch::Device device, ProgressBar& bar) {
  nets::Ensemble ensemble(model, device);
  return predict_manifest(ensemble, rows, data.load, 1, [&](std::size_t done) {
    stop_if_interrupted(kKept);
    bar.update(label + "testing", done, rows.size(), "images");
  });
}

bool is_finished(const FoldPlace& place) {
  std::error_code ignored;
  return fs::exists(place.folder / "fold.json", ignored) && has_predictions(place, nullptr);
}

void run_fold(const CvData& data, const TrainingSetup& setup, const FoldPlace& place, torch::Device device, ProgressBar& bar) {
  if (is_finished(place)) return;
  std::error_code ignored;
  const FoldRows rows = rows_of_fold(data, place.repeat, place.fold);
  train_part(data, rows.train, setup, part_of_fold(place.repeat, place.fold), place.label, place.folder, device, bar);
  if (!has_predictions(place, &bar)) {
    write_cv_table(place.folder / "predictions.csv",
                   fold_table(rows.test, predict_rows(data, place.folder, rows.test, place.label, device, bar), place));
  }
  if (!fs::exists(place.folder / "features.h5", ignored)) {
    write_cv_features(place.folder / "features.h5",
                      features_of_rows(data, place.folder, data.clinical ? data.rows : rows.test, place, device, bar));
  }
  json temperatures = json::object();
  for (const auto& member : nets::read_model_config(place.folder).members)
    temperatures[member.options.network] = member.class_temperature;
  write_atomically(place.folder / "fold.json", json{{"repeat", place.repeat + 1},
                                                    {"fold", place.fold + 1},
                                                    {"tested", rows.test.size()},
                                                    {"class_temperature", temperatures},
                                                    {"classes", setup.model.class_names.size()}}
                                                       .dump(2) +
                                                   "\n");
  fs::remove(place.folder / "failure.json", ignored);
}

}  // namespace clmnet::tools
