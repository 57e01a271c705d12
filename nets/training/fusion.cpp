#include "nets/training/fusion.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "nets/ensemble.h"
#include "nets/training/calibration.h"
#include "nets/training/map_score.h"
#include "nets/training/random.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace F = torch::nn::functional;

namespace {

constexpr double kRidge = 0.01;     // nats per squared distance from equal weights
constexpr double kLogOddsSd = 1.0;  // see balanced_threshold

/// Minimises `loss` over `parameters`; small, smooth problems.
void minimise(const std::vector<torch::Tensor>& parameters, const std::function<torch::Tensor()>& loss) {
  torch::optim::LBFGS optimizer(parameters, torch::optim::LBFGSOptions(0.5).max_iter(60).line_search_fn("strong_wolfe"));
  optimizer.step([&] {
    optimizer.zero_grad();
    torch::Tensor value = loss();
    value.backward();
    return value;
  });
}

torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& target) {
  return F::cross_entropy(logits, target, F::CrossEntropyFuncOptions().ignore_index(-1));
}

double fit_temperature(const torch::Tensor& logits, const torch::Tensor& target) {
  torch::Tensor log_temperature = torch::zeros({}, torch::requires_grad());
  minimise({log_temperature}, [&] { return cross_entropy(logits / log_temperature.exp(), target); });
  return std::clamp(std::exp(log_temperature.item<double>()), 0.05, 20.0);
}

/// Weights >= 0, as softplus of free numbers; at the start they are equal and add up to 1.
class Weights {
 public:
  explicit Weights(std::size_t count)
      : start_(1.0 / static_cast<double>(count)),
        free_(torch::full({static_cast<std::int64_t>(count)}, std::log(std::expm1(start_)), torch::requires_grad())) {}
  torch::Tensor values() const { return F::softplus(free_); }
  torch::Tensor ridge() const { return kRidge * (values() - start_).square().sum(); }
  const torch::Tensor& free() const { return free_; }
  std::vector<double> fitted() const {
    const torch::Tensor w = values().detach().to(torch::kFloat64).contiguous();
    return {w.data_ptr<double>(), w.data_ptr<double>() + w.numel()};
  }

 private:
  double start_;
  torch::Tensor free_;
};

torch::Tensor weighted_sum(const std::vector<torch::Tensor>& logits, const torch::Tensor& weights) {
  torch::Tensor sum;
  for (std::size_t k = 0; k < logits.size(); ++k) {
    const torch::Tensor part = logits[k] * weights[static_cast<std::int64_t>(k)];
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

torch::Tensor tumour_probability(const torch::Tensor& logits) { return 1 - torch::softmax(logits, 1).select(1, 0); }

/// The operating point of class probabilities; 0.5 where nothing is known.
double class_threshold(const torch::Tensor& logits, const torch::Tensor& label, double sensitivity) {
  const torch::Tensor known = label.ge(0);
  const torch::Tensor p = tumour_probability(logits).masked_select(known), truth = label.masked_select(known).gt(0);
  return sensitivity > 0 ? threshold_for_sensitivity(p, truth, sensitivity) : balanced_threshold(p, truth);
}

/// Nothing where no label is known.
std::optional<double> calibration_error(const torch::Tensor& logits, const torch::Tensor& label) {
  if (!label.ge(0).any().item<bool>()) return std::nullopt;
  return expected_calibration_error(torch::softmax(logits, 1), label);
}

/// Of a map's probabilities; 0.5 where no mask is known.
double map_threshold(const torch::Tensor& logits, const torch::Tensor& mask) {
  MapScores scores;
  scores.add(tumour_probability(logits), mask);
  return scores.best().threshold;
}

}  // namespace

ValidationOutputs run_on_validation(const std::vector<std::shared_ptr<Member>>& members, const TrainingData& data,
                                    const ModelConfig& config, const AugmentOptions& augment_options, int views,
                                    std::int64_t map_px, std::uint64_t seed, int workers, torch::Device device,
                                    const std::function<bool()>& stop_requested) {
  const torch::NoGradGuard no_grad;
  for (const auto& member : members) member->eval();
  std::vector<std::vector<torch::Tensor>> class_logits(members.size()), map_logits(members.size());
  std::vector<torch::Tensor> labels, masks, guides;
  AugmentOptions view_options = augment_options;
  view_options.output_px = static_cast<int>(config.patch_size_px);
  for (int view = 0; view <= views; ++view) {
    const auto load = [&](std::size_t row) {
      const LabelledImage image = data.load(data.rows[row]);
      if (view == 0) return fit_to_patch(image, config.patch_size_px);
      return augment(image, view_options, mix_seed(mix_seed(seed, 1000 + static_cast<std::uint64_t>(view)), row));
    };
    for_each_batch(data.split.validation, 16, workers, false, load, [&](const Batch& batch) {
      if (stop_requested && stop_requested()) throw Interrupted("interrupted; the networks are trained, --resume fuses them");
      const std::int64_t height = batch.rgb.size(1) / map_px, width = batch.rgb.size(2) / map_px;
      const torch::Tensor x = normalise(batch.rgb, config, device);
      for (std::size_t k = 0; k < members.size(); ++k) {
        const MemberOutput said = members[k]->predict(x);
        class_logits[k].push_back(said.class_logits.cpu());
        map_logits[k].push_back(map_at(said.map_logits, height, width).cpu());
      }
      if (view == 0) {
        const torch::Tensor colours = torch::avg_pool2d(batch.rgb.permute({0, 3, 1, 2}).to(torch::kFloat32), map_px);
        guides.push_back(colours.add(0.5).to(torch::kUInt8).permute({0, 2, 3, 1}).contiguous());
      }
      labels.push_back(batch.label);
      const torch::Tensor tumour = torch::avg_pool2d(batch.mask.gt(0).to(torch::kFloat32).unsqueeze(1), map_px).squeeze(1);
      const torch::Tensor unknown = torch::max_pool2d(batch.mask.lt(0).to(torch::kFloat32).unsqueeze(1), map_px).squeeze(1);
      masks.push_back(tumour.ge(0.5).to(torch::kInt64).masked_fill(unknown.gt(0), -1));
    });
  }
  ValidationOutputs out;
  for (std::size_t k = 0; k < members.size(); ++k) {
    out.class_logits.push_back(torch::cat(class_logits[k]));
    out.map_logits.push_back(torch::cat(map_logits[k]));
  }
  out.label = torch::cat(labels);
  out.mask = torch::cat(masks);
  out.guide = torch::cat(guides);
  return out;
}

ClassLogLoss fit_fusion(const ValidationOutputs& outputs, ModelConfig& config) {
  const std::size_t count = config.members.size();
  const bool have_masks = outputs.mask.ge(0).any().item<bool>();
  std::vector<torch::Tensor> class_logits, map_logits;
  for (std::size_t k = 0; k < count; ++k) {
    MemberConfig& member = config.members[k];
    member.class_temperature = fit_temperature(outputs.class_logits[k], outputs.label);
    if (have_masks) member.map_temperature = fit_temperature(outputs.map_logits[k], outputs.mask);
    class_logits.push_back(outputs.class_logits[k] / member.class_temperature);
    map_logits.push_back(outputs.map_logits[k] / member.map_temperature);
  }
  Weights class_weights(count);
  minimise({class_weights.free()}, [&] {
    return cross_entropy(weighted_sum(class_logits, class_weights.values()), outputs.label) + class_weights.ridge();
  });
  const torch::Tensor fused_class = weighted_sum(class_logits, class_weights.values()).detach();

  Weights map_weights(count), from_class(1);
  const auto fused_map = [&] {
    return weighted_sum(map_logits, map_weights.values()) +
           from_class.values() * fused_class.unsqueeze(-1).unsqueeze(-1);
  };
  if (have_masks) {
    minimise({map_weights.free(), from_class.free()}, [&] {
      return cross_entropy(fused_map(), outputs.mask) + map_weights.ridge() + kRidge * from_class.values().square().sum();
    });
  }
  for (std::size_t k = 0; k < count; ++k) {
    config.members[k].class_weight = class_weights.fitted()[k];
    config.members[k].map_weight = map_weights.fitted()[k];
  }
  config.map_from_class_weight = have_masks ? from_class.fitted()[0] : 0.0;

  const torch::NoGradGuard no_grad;
  ClassLogLoss loss;
  for (std::size_t k = 0; k < count; ++k) {
    loss.networks.push_back(cross_entropy(class_logits[k], outputs.label).item<double>());
    config.members[k].class_threshold = class_threshold(class_logits[k], outputs.label, config.sensitivity);
    config.members[k].ece_before = calibration_error(outputs.class_logits[k], outputs.label);
    config.members[k].ece = calibration_error(class_logits[k], outputs.label);
    config.members[k].map_threshold = map_threshold(map_logits[k], outputs.mask);
  }
  loss.ensemble = cross_entropy(fused_class, outputs.label).item<double>();
  config.class_threshold = class_threshold(fused_class, outputs.label, config.sensitivity);
  config.ece = calibration_error(fused_class, outputs.label);
  config.raw_map_threshold = map_threshold(fused_map(), outputs.mask);
  config.map_threshold = config.raw_map_threshold;  // until a CRF is chosen
  return loss;
}

torch::Tensor fused_tumour_map(const ValidationOutputs& outputs, const ModelConfig& config) {
  std::vector<double> class_weights, class_temperatures, map_weights, map_temperatures;
  for (const MemberConfig& member : config.members) {
    class_weights.push_back(member.class_weight);
    class_temperatures.push_back(member.class_temperature);
    map_weights.push_back(member.map_weight);
    map_temperatures.push_back(member.map_temperature);
  }
  const torch::Tensor fused_class = fuse_logits(outputs.class_logits, class_weights, class_temperatures);
  return tumour_probability(fuse_logits(outputs.map_logits, map_weights, map_temperatures) +
                            config.map_from_class_weight * fused_class.unsqueeze(-1).unsqueeze(-1));
}

double balanced_threshold(const torch::Tensor& probability, const torch::Tensor& truth) {
  const torch::Tensor log_odds = torch::logit(probability.to(torch::kFloat64), 1e-6), positive = truth.gt(0);
  const torch::Tensor of_positives = log_odds.masked_select(positive), of_negatives = log_odds.masked_select(positive.logical_not());
  if (of_positives.numel() == 0 || of_negatives.numel() == 0) return 0.5;
  const double scale = kLogOddsSd * std::sqrt(3.0) / std::numbers::pi;  // of a logistic distribution with that deviation
  const auto share_below = [&](const torch::Tensor& values, double at) {
    return torch::sigmoid((at - values) / scale).mean().item<double>();
  };
  constexpr int kSteps = 240;
  constexpr double kStep = 0.025, kEqual = 1e-9;
  double best = -2, chosen = 0;
  for (int step = 0; step <= kSteps; ++step) {  // outwards from 0.5, so that it is the nearest of equal ones
    for (const double at : {step * kStep, -step * kStep}) {
      const double score = share_below(of_negatives, at) - share_below(of_positives, at);
      if (score > best + kEqual) best = score, chosen = at;
    }
  }
  return 1 / (1 + std::exp(-chosen));
}

}  // namespace clmnet::nets
