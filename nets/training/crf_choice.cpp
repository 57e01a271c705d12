#include "nets/training/crf_choice.h"

#include <algorithm>

#include "nets/crf/dense_crf.h"
#include "nets/training/map_score.h"

namespace clmnet::nets {
namespace {

constexpr double kSameScore = 5e-4;  // what fewer iterations may lose: each costs a slide the same time again

/// From weak to strong. Widths are in px of the map; colours in grey levels. Narrower kernels touch nearly as many lattice points
/// as there are pixels: on a slide they cost several times as much.
std::vector<CrfOptions> candidates() {
  std::vector<CrfOptions> list;
  for (const double weight : {0.25, 0.5, 1.0, 2.0, 4.0}) {
    for (const double colour : {13.0, 20.0}) {
      for (const double position : {20.0, 40.0}) {
        for (const double smooth : {0.5, 1.0, 3.0}) {
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

}  // namespace

CrfChoice choose_crf(const ValidationOutputs& outputs, ModelConfig& config) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor guide = outputs.guide.contiguous();
  const std::int64_t images = guide.size(0);
  const torch::Tensor fused = fused_tumour_map(outputs, config).narrow(0, 0, images).contiguous();
  const torch::Tensor mask = outputs.mask.narrow(0, 0, images).contiguous();
  const std::int64_t pixels = fused.size(1) * fused.size(2);
  const int height = static_cast<int>(fused.size(1)), width = static_cast<int>(fused.size(2));
  const auto mask_of = [&](std::int64_t i) { return mask.data_ptr<std::int64_t>() + i * pixels; };
  MapScores before;
  before.add(fused, mask);
  CrfChoice choice;
  choice.dice_before = before.best().dice;
  const auto score = [&](const CrfOptions& crf) {
    MapScores after;
    for (std::int64_t i = 0; i < images; ++i) {
      if (std::all_of(mask_of(i), mask_of(i) + pixels, [](std::int64_t truth) { return truth < 0; })) continue;
      const std::vector<float> refined =
          refine({guide.data_ptr<std::uint8_t>() + i * pixels * 3, fused.data_ptr<float>() + i * pixels, nullptr, height, width}, crf);
      after.add(refined.data(), mask_of(i), pixels);
    }
    return after.best();
  };
  double best = -1;
  const auto take = [&](const CrfOptions& crf, const MapScore& here) {
    best = std::max(best, here.score);
    choice.dice_after = here.dice;
    choice.threshold = here.threshold;
    choice.crf = crf;
  };
  for (const CrfOptions& crf : candidates()) {
    const MapScore here = score(crf);
    if (here.score > best + 1e-6) take(crf, here);
  }
  for (CrfOptions crf = choice.crf; crf.iterations > 1;) {
    --crf.iterations;
    const MapScore here = score(crf);
    if (here.score < best - kSameScore) break;
    take(crf, here);
  }
  config.crf = choice.crf;
  config.map_threshold = choice.threshold;
  return choice;
}

}  // namespace clmnet::nets
