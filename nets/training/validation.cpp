#include "nets/training/validation.h"

#include "nets/blocks.h"
#include "nets/ensemble.h"
#include "tools/base/error.h"

namespace clmnet::nets {

Validation validate(Member& member, const TrainingData& data, const ModelConfig& config, LossOptions options, int workers,
                    torch::Device device, const std::function<bool()>& stop_requested) {
  const torch::NoGradGuard no_grad;
  options.label_smoothing = 0;
  options.focal_gamma = 0;  // epochs are compared by what probabilities are worth
  options.bag_weight = 0;  // the maps are judged where masks are
  member.eval();
  Validation result;
  double loss_sum = 0, right = 0, known = 0, overlap = 0, pixels = 0, images = 0;
  const auto load = [&](std::size_t row) { return fit_to_patch(data.load(data.rows[row]), config.patch_size_px); };
  for_each_batch(data.split.validation, 16, workers, false, load, [&](const Batch& batch) {
    if (stop_requested && stop_requested()) throw Interrupted("interrupted; what was trained before this epoch is kept");
    Batch on_device = batch;
    on_device.label = batch.label.to(device);
    on_device.mask = batch.mask.to(device);
    const MemberOutput output = member.predict(normalise(batch.rgb, config, device));
    const auto n = static_cast<double>(batch.rows.size());
    loss_sum += n * multi_task_loss(output, on_device, options).total.item<double>();
    images += n;
    const torch::Tensor labelled = on_device.label.ge(0);
    known += labelled.sum().item<double>();
    right += output.class_logits.argmax(1).eq(on_device.label).logical_and(labelled).sum().item<double>();
    const torch::Tensor logits = map_at(output.map_logits, batch.mask.size(1), batch.mask.size(2));
    const torch::Tensor masked = on_device.mask.ge(0);
    const torch::Tensor said = logits.argmax(1).gt(0).logical_and(masked);
    const torch::Tensor truth = on_device.mask.gt(0);
    overlap += said.logical_and(truth).sum().item<double>();
    pixels += said.sum().item<double>() + truth.sum().item<double>();
  });
  result.loss = loss_sum / images;
  result.accuracy = known > 0 ? right / known : 0;
  result.dice = pixels > 0 ? 2 * overlap / pixels : 0;
  return result;
}

}  // namespace clmnet::nets
