#include "tools/evaluation.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "nets/blocks.h"
#include "nets/crf/dense_crf.h"
#include "nets/training/augment.h"
#include "nets/training/batches.h"
#include "nets/training/calibration.h"
#include "survival/groups.h"
#include "survival/roc.h"
#include "tools/measure_map.h"
#include "tools/report/numbers.h"
#include "tools/stats/mean_interval.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

constexpr int kResamples = 2000;
constexpr std::uint64_t kBootstrapSeed = 1;

/// The map after the CRF, which works at the resolution that slides' maps have.
/// map [h,w], rgb uint8 [h,w,3]; [h,w] -> [h/px,w/px]
torch::Tensor refined_map(const torch::Tensor& map, const torch::Tensor& rgb, const nets::ModelConfig& model) {
  const std::int64_t px = model.map_px;
  const auto coarse = [&](const torch::Tensor& x) { return torch::avg_pool2d(x, px).contiguous(); };  // [1,C,h,w]
  torch::Tensor p = coarse(map.unsqueeze(0).unsqueeze(0)).clamp(0, 1);
  const torch::Tensor guide = coarse(rgb.permute({2, 0, 1}).unsqueeze(0).to(torch::kFloat32)).add(0.5).to(torch::kUInt8)[0].permute({1, 2, 0}).contiguous();
  const auto height = static_cast<int>(p.size(2)), width = static_cast<int>(p.size(3));
  std::vector<float> refined = nets::refine({guide.data_ptr<std::uint8_t>(), p.data_ptr<float>(), nullptr, height, width}, model.crf);
  return torch::from_blob(refined.data(), {height, width}).clone();
}

json ratio(double part, double whole) { return whole > 0 ? json(part / whole) : json(); }

/// Rows without a patient are each a patient of their own.
std::string patient_of(const std::vector<nets::ManifestRow>& rows, std::size_t i) {
  return rows[i].patient.empty() ? "image " + std::to_string(i) : rows[i].patient;
}

survival::Groups patients_with_class(const std::vector<nets::ManifestRow>& rows) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].label >= 0) names.push_back(patient_of(rows, i));
  }
  return survival::make_groups(names);
}

json map_measures(const Predictor& predictor, const std::vector<nets::ManifestRow>& rows) {
  std::vector<std::string> patients;
  for (std::size_t i = 0; i < rows.size(); ++i) patients.push_back(patient_of(rows, i));
  json out;
  const auto put = [&](const std::string& name, const std::vector<double>& values) {
    const MeanInterval mean = mean_interval(values, patients, kResamples, kBootstrapSeed, 0.95);
    out[name] = json_number(mean.mean);
    out[name + "_ci"] = json::array({json_number(mean.lower), json_number(mean.upper)});
  };
  for (const auto& measure : kMapMeasures) {
    const auto &after = predictor.map.*measure.values, &before = predictor.map_before_crf.*measure.values;
    put(measure.name, after);
    if (before.empty()) continue;
    put(std::string(measure.name) + "_before_crf", before);
    put(std::string(measure.name) + "_difference_crf", differences(after, before));
  }
  return out;
}

}  // namespace

std::vector<Predictor> predict_manifest(nets::Ensemble& ensemble, const std::vector<nets::ManifestRow>& rows,
                                        const nets::ImageLoader& load, int workers,
                                        const std::function<void(std::size_t done)>& progress) {
  const nets::ModelConfig& model = ensemble.config();
  std::vector<Predictor> predictors(1 + model.members.size());
  predictors[0].name = "ensemble";
  predictors[0].class_threshold = model.class_threshold;
  predictors[0].map_threshold = model.map_threshold;
  for (std::size_t k = 0; k < model.members.size(); ++k) {
    Predictor& member = predictors[k + 1];
    member.name = model.members[k].options.network;
    member.class_threshold = model.members[k].class_threshold;
    member.map_threshold = model.members[k].map_threshold;
  }
  std::vector<std::size_t> order(rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::vector<torch::Tensor> masks(rows.size());  // each row is written by one thread only
  const auto fitted = [&](std::size_t row) {
    const nets::LabelledImage image = load(rows[row]);
    masks[row] = image.mask;
    return nets::fit_to_patch(image, model.patch_size_px);
  };
  nets::for_each_batch(order, 16, workers, false, fitted, [&](const nets::Batch& batch) {
    const nets::Prediction said = ensemble.predict(batch.rgb, 1);
    for (std::size_t i = 0; i < batch.rows.size(); ++i) {
      const auto n = static_cast<std::int64_t>(i);
      torch::Tensor& mask = masks[batch.rows[i]];
      predictors[0].probability.push_back(1 - said.probability[n][0].item<double>());
      const MapTruth truth = map_truth(mask, batch.mask[n], model);
      const auto add = [&](const torch::Tensor& map, Predictor& predictor) {
        measure_map(map, truth, predictor.map_threshold, predictor.map);
      };
      add(mask.defined() ? refined_map(said.map[n], batch.rgb[n], model) : said.map[n], predictors[0]);
      measure_map(said.map[n], truth, model.raw_map_threshold, predictors[0].map_before_crf);
      for (std::size_t k = 1; k < predictors.size(); ++k) {
        const auto member = static_cast<std::int64_t>(k - 1);
        predictors[k].probability.push_back(1 - said.member_probability[n][member][0].item<double>());
        add(said.member_map[n][member], predictors[k]);
      }
      mask = torch::Tensor();
    }
    if (progress) progress(batch.rows.back() + 1);
  });
  return predictors;
}

std::string measure_text(const json& value) {
  if (value.is_null()) return "-";
  std::ostringstream text;
  text << std::fixed << std::setprecision(4) << value.get<double>();
  return text.str();
}

json score(const Predictor& predictor, const std::vector<nets::ManifestRow>& rows) {
  survival::Scored scored;
  double tp = 0, fp = 0, fn = 0, tn = 0;
  bool patients = false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].label < 0) continue;
    const bool positive = rows[i].label > 0, called = predictor.probability[i] >= predictor.class_threshold;
    (positive ? (called ? tp : fn) : (called ? fp : tn)) += 1;
    scored.positive.push_back(positive ? 1 : 0);
    scored.score.push_back(predictor.probability[i]);
    patients = patients || !rows[i].patient.empty();
  }
  const double n = tp + fp + fn + tn;
  json ece;
  if (n > 0) {
    const torch::Tensor tumour = torch::tensor(scored.score, torch::kFloat64);
    const torch::Tensor label = torch::tensor(std::vector<std::int64_t>(scored.positive.begin(), scored.positive.end()));
    ece = nets::expected_calibration_error(torch::stack({1 - tumour, tumour}, 1), label);
  }
  json out = {{"n", static_cast<std::int64_t>(n)},
              {"positives", static_cast<std::int64_t>(tp + fn)},
              {"threshold", predictor.class_threshold},
              {"accuracy", ratio(tp + tn, n)},
              {"precision", ratio(tp, tp + fp)},
              {"recall", ratio(tp, tp + fn)},
              {"specificity", ratio(tn, tn + fp)},
              {"f1", ratio(2 * tp, 2 * tp + fp + fn)},
              {"ece", ece},
              {"auc", nullptr},
              {"auc_ci", nullptr}};
  out.update(map_measures(predictor, rows));
  if (tp + fn == 0 || fp + tn == 0) return out;
  out["auc"] = json_number(survival::auc(scored));
  const survival::Interval interval =
      patients ? survival::bootstrap_auc(scored, survival::BootstrapUnit::cluster, patients_with_class(rows), kResamples,
                                         kBootstrapSeed)
               : survival::delong(scored).interval(0.95);
  out["auc_ci"] = json::array({json_number(interval.lower), json_number(interval.upper)});
  out["auc_ci_method"] = patients ? "bootstrap over patients, 2000 resamples" : "DeLong";
  return out;
}

}  // namespace clmnet::tools
