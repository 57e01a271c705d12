#include "tools/evaluation.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>

#include "nets/blocks.h"
#include "nets/crf/dense_crf.h"
#include "nets/training/augment.h"
#include "nets/training/batches.h"
#include "nets/training/calibration.h"
#include "survival/groups.h"
#include "survival/roc.h"
#include "tools/stats/mean_interval.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr int kResamples = 2000;
constexpr std::uint64_t kBootstrapSeed = 1;

/// How one map lies on a mask; NaN where undefined.
struct MapScore {
  double dice = kUndefined;
  double false_share = kUndefined;
};

/// map [h,w], mask [H,W] (undefined: unknown).
MapScore score_map(const torch::Tensor& map, const torch::Tensor& mask, double threshold) {
  MapScore score;
  if (!mask.defined()) return score;
  const std::int64_t side = std::min(mask.size(0), mask.size(1));
  const torch::Tensor truth =
      mask.narrow(0, (mask.size(0) - side) / 2, side).narrow(1, (mask.size(1) - side) / 2, side).gt(0);
  const torch::Tensor said = nets::resize_bilinear(map.unsqueeze(0).unsqueeze(0), side, side)[0][0].ge(threshold);
  const double true_pixels = truth.sum().item<double>(), said_pixels = said.sum().item<double>();
  if (true_pixels > 0) {
    score.dice = 2 * said.logical_and(truth).sum().item<double>() / (true_pixels + said_pixels);
  } else {
    score.false_share = said_pixels / static_cast<double>(side * side);
  }
  return score;
}

void add_map(const torch::Tensor& map, const torch::Tensor& mask, Predictor& predictor) {
  const MapScore score = score_map(map, mask, predictor.map_threshold);
  predictor.dice.push_back(score.dice);
  predictor.false_share.push_back(score.false_share);
}

/// The map after the CRF, which works at the resolution that slides' maps have.
/// map [h,w], rgb uint8 [h,w,3]; [h,w] -> [h/px,w/px]
torch::Tensor refined_map(const torch::Tensor& map, const torch::Tensor& rgb, const nets::ModelConfig& model) {
  const std::int64_t px = model.map_px;
  const auto coarse = [&](const torch::Tensor& x) { return torch::avg_pool2d(x, px).contiguous(); };  // [1,C,h,w]
  torch::Tensor p = coarse(map.unsqueeze(0).unsqueeze(0)).clamp(0, 1);
  const torch::Tensor guide = coarse(rgb.permute({2, 0, 1}).unsqueeze(0).to(torch::kFloat32)).add(0.5).to(torch::kUInt8)[0].permute({1, 2, 0}).contiguous();
  const auto height = static_cast<int>(p.size(2)), width = static_cast<int>(p.size(3));
  std::vector<float> refined = nets::refine(guide.data_ptr<std::uint8_t>(), p.data_ptr<float>(), height, width, model.crf);
  return torch::from_blob(refined.data(), {height, width}).clone();
}

json number_or_null(double value) { return std::isfinite(value) ? json(value) : json(); }

json ratio(double part, double whole) { return whole > 0 ? json(part / whole) : json(); }

/// Rows without a patient are each a patient of their own.
survival::Groups patients_of(const std::vector<nets::ManifestRow>& rows) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].label >= 0) names.push_back(rows[i].patient.empty() ? "image " + std::to_string(i) : rows[i].patient);
  }
  return survival::make_groups(names);
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
      add_map(mask.defined() ? refined_map(said.map[n], batch.rgb[n], model) : said.map[n], mask, predictors[0]);
      predictors[0].dice_before_crf.push_back(score_map(said.map[n], mask, model.raw_map_threshold).dice);
      for (std::size_t k = 1; k < predictors.size(); ++k) {
        const auto member = static_cast<std::int64_t>(k - 1);
        predictors[k].probability.push_back(1 - said.member_probability[n][member][0].item<double>());
        add_map(said.member_map[n][member], mask, predictors[k]);
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
              {"auc_ci", nullptr},
              {"dice", number_or_null(mean_of_defined(predictor.dice))},
              {"false_tumour_share", number_or_null(mean_of_defined(predictor.false_share))}};
  if (!predictor.dice_before_crf.empty()) out["dice_before_crf"] = number_or_null(mean_of_defined(predictor.dice_before_crf));
  if (tp + fn == 0 || fp + tn == 0) return out;
  out["auc"] = number_or_null(survival::auc(scored));
  const survival::Interval interval =
      patients ? survival::bootstrap_auc(scored, survival::BootstrapUnit::cluster, patients_of(rows), kResamples, kBootstrapSeed)
               : survival::delong(scored).interval(0.95);
  out["auc_ci"] = json::array({number_or_null(interval.lower), number_or_null(interval.upper)});
  out["auc_ci_method"] = patients ? "bootstrap over patients, 2000 resamples" : "DeLong";
  return out;
}

}  // namespace clmnet::tools
