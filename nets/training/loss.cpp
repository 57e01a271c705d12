#include "nets/training/loss.h"

#include "nets/blocks.h"

namespace clmnet::nets {
namespace F = torch::nn::functional;

namespace {

/// Mean over the known images of w_y (1 - p_y)^gamma times the smoothed cross entropy, by the sum of w_y.
torch::Tensor focal_loss(const torch::Tensor& logits, const torch::Tensor& label, const LossOptions& options) {
  const torch::Tensor known = label.ge(0);
  const torch::Tensor log_p = torch::log_softmax(logits.index({known}), 1);
  const torch::Tensor truth = label.index({known});
  const torch::Tensor log_p_truth = log_p.gather(1, truth.unsqueeze(1)).squeeze(1);
  const torch::Tensor entropy = -(1 - options.label_smoothing) * log_p_truth - options.label_smoothing * log_p.mean(1);
  const torch::Tensor weight = options.class_balance.empty()
                                   ? torch::ones_like(entropy)
                                   : torch::tensor(options.class_balance, torch::kFloat32).to(logits.device()).index({truth});
  const torch::Tensor easy = (1 - log_p_truth.exp()).clamp_min(0).pow(options.focal_gamma);
  return (weight * easy * entropy).sum() / weight.sum();
}

torch::Tensor class_loss(const torch::Tensor& logits, const torch::Tensor& label, const LossOptions& options) {
  if (options.focal_gamma > 0) return focal_loss(logits, label, options);
  F::CrossEntropyFuncOptions settings;
  settings.ignore_index(-1).label_smoothing(options.label_smoothing);
  if (!options.class_balance.empty()) {
    settings.weight(torch::tensor(options.class_balance, torch::kFloat32).to(logits.device()));
  }
  return F::cross_entropy(logits, label, settings);
}

/// Cross entropy plus soft Dice over the pixels whose mask is known.
torch::Tensor mask_loss(const torch::Tensor& logits, const torch::Tensor& mask) {
  const torch::Tensor known = mask.ge(0).to(torch::kFloat32);
  const torch::Tensor tumour = mask.gt(0).to(torch::kFloat32);
  const torch::Tensor entropy = F::cross_entropy(logits, mask, F::CrossEntropyFuncOptions().ignore_index(-1));
  const torch::Tensor probability = (1 - torch::softmax(logits, 1).select(1, 0)) * known;
  constexpr double kSmooth = 1.0;  // pixels; keeps a batch without tumour defined
  const torch::Tensor dice =
      (2 * (probability * tumour).sum() + kSmooth) / (probability.sum() + tumour.sum() + kSmooth);
  return entropy + 1 - dice;
}

/// Cross entropy of the images named by `bags` [N] bool, see multi_task_loss().
torch::Tensor bag_loss(const torch::Tensor& logits, const torch::Tensor& label, const torch::Tensor& bags) {
  const torch::Tensor chosen = logits.index({bags});
  const std::int64_t classes = chosen.size(1);
  const torch::Tensor log_odds = (torch::logsumexp(chosen.narrow(1, 1, classes - 1), 1) - chosen.select(1, 0)).flatten(1);
  const std::int64_t quarter = std::max<std::int64_t>(1, log_odds.size(1) / 4);
  const torch::Tensor most = std::get<0>(log_odds.topk(quarter, 1)).mean(1);
  return F::binary_cross_entropy_with_logits(most, label.index({bags}).gt(0).to(most.scalar_type()));
}

}  // namespace

Loss multi_task_loss(const MemberOutput& output, const Batch& batch, const LossOptions& options) {
  Loss loss;
  loss.total = torch::zeros({}, output.class_logits.options());
  if (options.class_weight > 0 && batch.label.ge(0).any().item<bool>()) {
    const torch::Tensor part = class_loss(output.class_logits, batch.label, options);
    loss.class_loss = part.item<double>();
    loss.total = loss.total + options.class_weight * part;
  }
  if (options.mask_weight > 0 && batch.mask.ge(0).any().item<bool>()) {
    torch::Tensor logits = output.map_logits;
    const std::int64_t height = batch.mask.size(1), width = batch.mask.size(2);
    if (logits.size(2) != height || logits.size(3) != width) logits = resize_bilinear(logits, height, width);
    const torch::Tensor part = mask_loss(logits, batch.mask);
    loss.mask_loss = part.item<double>();
    loss.total = loss.total + options.mask_weight * part;
  }
  if (options.mask_weight > 0 && options.bag_weight > 0) {
    const torch::Tensor bags = batch.label.ge(0).logical_and(batch.mask.flatten(1).lt(0).all(1));
    if (bags.any().item<bool>()) {
      const torch::Tensor part = options.bag_weight * bag_loss(output.map_logits, batch.label, bags);
      loss.mask_loss += part.item<double>();
      loss.total = loss.total + options.mask_weight * part;
    }
  }
  return loss;
}

}  // namespace clmnet::nets
