#include "nets/training/crf_choice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "nets/crf/dense_crf.h"
#include "nets/ensemble.h"

namespace clmnet::nets {
namespace {

/// From weak to strong. Widths are in px of the map; colours in grey levels. Narrower kernels touch nearly as many lattice points
/// as there are pixels: on a slide they cost several times as much.
std::vector<CrfOptions> candidates() {
  std::vector<CrfOptions> list;
  for (const double weight : {0.5, 1.0, 2.0, 4.0}) {
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

/// Pixels by probability, apart by what they are: every threshold's Dice coefficient from one pass.
class Histogram {
 public:
  /// probability [n] float, truth [n] 1, 0 or -1 unknown
  void add(const float* probability, const std::int64_t* truth, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      if (truth[i] < 0) continue;
      const auto bin = static_cast<std::size_t>(std::clamp(probability[i], 0.0F, 1.0F) * kBins);
      ++(truth[i] > 0 ? tumour_ : other_)[bin];
    }
  }
  /// Dice coefficient and threshold.
  std::pair<double, double> best() const {
    const double truth = std::accumulate(tumour_.begin(), tumour_.end(), 0.0);
    double both = 0, said = 0;
    std::pair<double, double> best{-1, 0.5};
    for (std::size_t bin = kBins + 1; bin-- > 0;) {
      both += tumour_[bin];
      said += tumour_[bin] + other_[bin];
      const double dice = truth + said > 0 ? 2 * both / (truth + said) : 0;
      const double threshold = static_cast<double>(bin) / kBins;
      const bool nearer = std::abs(threshold - 0.5) < std::abs(best.second - 0.5);
      if (dice > best.first + 1e-12 || (dice > best.first - 1e-12 && nearer)) best = {dice, threshold};
    }
    return best;
  }

 private:
  static constexpr std::size_t kBins = 256;
  std::array<double, kBins + 1> tumour_{}, other_{};
};

}  // namespace

CrfChoice choose_crf(const ValidationOutputs& outputs, ModelConfig& config) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor fused = fused_tumour_map(outputs, config).contiguous(), guide = outputs.guide.contiguous();
  const torch::Tensor mask = outputs.mask.contiguous();
  const std::int64_t images = guide.size(0), pixels = fused.size(1) * fused.size(2);
  const int height = static_cast<int>(fused.size(1)), width = static_cast<int>(fused.size(2));
  const auto map_of = [&](std::int64_t i) { return fused.data_ptr<float>() + i * pixels; };
  const auto mask_of = [&](std::int64_t i) { return mask.data_ptr<std::int64_t>() + i * pixels; };
  CrfChoice choice;
  Histogram before;
  for (std::int64_t i = 0; i < images; ++i) before.add(map_of(i), mask_of(i), pixels);
  choice.dice_before = before.best().first;
  choice.dice_after = -1;
  for (const CrfOptions& crf : candidates()) {
    Histogram after;
    for (std::int64_t i = 0; i < images; ++i) {
      if (std::all_of(mask_of(i), mask_of(i) + pixels, [](std::int64_t truth) { return truth < 0; })) continue;
      const std::vector<float> refined = refine(guide.data_ptr<std::uint8_t>() + i * pixels * 3, map_of(i), height, width, crf);
      after.add(refined.data(), mask_of(i), pixels);
    }
    const auto [dice, threshold] = after.best();
    if (dice > choice.dice_after + 1e-6) {
      choice.dice_after = dice;
      choice.threshold = threshold;
      choice.crf = crf;
    }
  }
  config.crf = choice.crf;
  config.map_threshold = choice.threshold;
  return choice;
}

}  // namespace clmnet::nets
