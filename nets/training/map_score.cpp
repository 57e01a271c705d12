#include "nets/training/map_score.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace clmnet::nets {

void MapScores::add(const float* probability, const std::int64_t* truth, std::int64_t n) {
  Image image{std::vector<std::uint32_t>(kBins + 1, 0), std::vector<std::uint32_t>(kBins + 1, 0)};
  for (std::int64_t i = 0; i < n; ++i) {
    if (truth[i] < 0) continue;
    const auto bin = static_cast<std::size_t>(std::clamp(probability[i], 0.0F, 1.0F) * static_cast<float>(kBins));
    ++(truth[i] > 0 ? image.tumour : image.other)[bin];
  }
  for (std::size_t bin = kBins; bin-- > 0;) {
    image.tumour[bin] += image.tumour[bin + 1];
    image.other[bin] += image.other[bin + 1];
  }
  if (image.tumour[0] + image.other[0] > 0) images_.push_back(std::move(image));
}

void MapScores::add(const torch::Tensor& probability, const torch::Tensor& truth) {
  if (!probability.sizes().equals(truth.sizes())) throw std::invalid_argument("MapScores: maps and masks of different sizes");
  const torch::Tensor p = probability.to(torch::kFloat32).contiguous(), t = truth.to(torch::kInt64).contiguous();
  const std::int64_t n = p.size(1) * p.size(2);
  for (std::int64_t i = 0; i < p.size(0); ++i) add(p.data_ptr<float>() + i * n, t.data_ptr<std::int64_t>() + i * n, n);
}

MapScore MapScores::at(std::size_t bin) const {
  double dice = 0, right = 0, with_tumour = 0, without = 0;
  for (const Image& image : images_) {
    const double truth = image.tumour[0], both = image.tumour[bin], wrong = image.other[bin];
    if (truth > 0) {
      dice += 2 * both / (truth + both + wrong);
      ++with_tumour;
    } else {
      right += 1 - wrong / image.other[0];
      ++without;
    }
  }
  MapScore score;
  score.threshold = static_cast<double>(bin) / static_cast<double>(kBins);
  if (with_tumour > 0) score.dice = dice / with_tumour;
  if (without > 0) right /= without;
  score.score = with_tumour == 0 ? right : without == 0 ? score.dice : 0.5 * (score.dice + right);
  return score;
}

MapScore MapScores::best() const {
  MapScore best = at(kBins / 2);
  for (std::size_t bin = 0; bin <= kBins; ++bin) {
    const MapScore here = at(bin);
    const bool nearer = std::abs(here.threshold - 0.5) < std::abs(best.threshold - 0.5);
    if (here.score > best.score + 1e-12 || (here.score > best.score - 1e-12 && nearer)) best = here;
  }
  return best;
}

}  // namespace clmnet::nets
