#include "nets/training/crf_choice.h"

#include "nets/crf/dense_crf.h"
#include "nets/ensemble.h"

namespace clmnet::nets {
namespace {

/// From weak to strong. Widths are in px of the map; colours in grey levels.
std::vector<CrfOptions> candidates() {
  std::vector<CrfOptions> list;
  for (const double weight : {1.0, 2.0, 4.0}) {
    for (const double colour : {8.0, 13.0, 20.0}) {
      for (const double position : {8.0, 20.0}) {
        for (const double smooth : {1.0, 3.0}) {
          CrfOptions crf;
          crf.gauss_sxy_px = 2;
          crf.gauss_weight = smooth;
          crf.bilat_weight = weight;
          crf.bilat_srgb = colour;
          crf.bilat_sxy_px = position;
          crf.iterations = 5;
          list.push_back(crf);
        }
      }
    }
  }
  return list;
}

/// Tumour pixels said, true and both, summed over images.
struct Overlap {
  double said = 0, truth = 0, both = 0;
  double dice() const { return said + truth > 0 ? 2 * both / (said + truth) : 0; }
};

/// probability [h,w] float, mask [h,w] int64 with -1 unknown.
void count(const torch::Tensor& probability, const torch::Tensor& mask, double threshold, Overlap& sums) {
  const torch::Tensor said = probability.ge(threshold).logical_and(mask.ge(0)), truth = mask.gt(0);
  sums.said += said.sum().item<double>();
  sums.truth += truth.sum().item<double>();
  sums.both += said.logical_and(truth).sum().item<double>();
}

}  // namespace

CrfChoice choose_crf(const ValidationOutputs& outputs, ModelConfig& config) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor fused = fused_tumour_map(outputs, config);
  const std::int64_t images = outputs.guide.size(0);
  const int height = static_cast<int>(fused.size(1)), width = static_cast<int>(fused.size(2));
  CrfChoice choice;
  choice.crf = config.crf;
  choice.crf.gauss_weight = choice.crf.bilat_weight = 0;
  Overlap before;
  for (std::int64_t i = 0; i < images; ++i) count(fused[i], outputs.mask[i], config.map_threshold, before);
  choice.dice_before = choice.dice_after = before.dice();
  for (const CrfOptions& crf : candidates()) {
    Overlap after;
    for (std::int64_t i = 0; i < images; ++i) {
      if (outputs.mask[i].lt(0).all().item<bool>()) continue;
      const torch::Tensor p = fused[i].contiguous(), rgb = outputs.guide[i].contiguous();
      std::vector<float> refined = refine(rgb.data_ptr<std::uint8_t>(), p.data_ptr<float>(), height, width, crf);
      count(torch::from_blob(refined.data(), {height, width}), outputs.mask[i], config.map_threshold, after);
    }
    if (after.dice() > choice.dice_after + 1e-6) {
      choice.dice_after = after.dice();
      choice.crf = crf;
    }
  }
  config.crf = choice.crf;
  return choice;
}

}  // namespace clmnet::nets
