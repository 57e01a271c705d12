#include "tools/measure_map.h"

#include <algorithm>
#include <limits>
#include <span>

#include "nets/blocks.h"
#include "survival/segmentation.h"

namespace clmnet::tools {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

/// [h,w] -> [h/px,w/px]
torch::Tensor pooled(const torch::Tensor& map, std::int64_t px) {
  return torch::avg_pool2d(map.to(torch::kFloat32).unsqueeze(0), px)[0];
}

/// The mask must be uint8 and contiguous, and outlive the view.
survival::MaskView view_of(const torch::Tensor& mask) {
  return {static_cast<int>(mask.size(0)), static_cast<int>(mask.size(1)),
          std::span(mask.data_ptr<std::uint8_t>(), static_cast<std::size_t>(mask.numel()))};
}

void add_boundary(const torch::Tensor& map, const MapTruth& truth, double threshold, MapMeasures& measures) {
  const torch::Tensor coarse = map.sizes() == truth.coarse.sizes() ? map : pooled(map, truth.map_px);
  const torch::Tensor said = coarse.ge(threshold).to(torch::kUInt8).contiguous();
  const double distance =
      survival::hd95_or_diagonal(view_of(truth.coarse), view_of(said), {truth.map_um_per_px, truth.map_um_per_px});
  measures.hd95_um.push_back(distance);
  measures.map_empty.push_back(std::isnan(distance) ? kUndefined : said.any().item<bool>() ? 0 : 1);
}

}  // namespace

MapTruth map_truth(const torch::Tensor& mask, const torch::Tensor& patch_mask, const nets::ModelConfig& model) {
  MapTruth truth;
  if (!mask.defined()) return truth;
  const std::int64_t side = std::min(mask.size(0), mask.size(1));
  truth.own = mask.narrow(0, (mask.size(0) - side) / 2, side).narrow(1, (mask.size(1) - side) / 2, side).gt(0).to(torch::kUInt8).contiguous();
  truth.coarse = pooled(patch_mask.gt(0), model.map_px).ge(0.5).to(torch::kUInt8).contiguous();
  truth.map_px = model.map_px;
  truth.map_um_per_px = model.spacing_um_per_px * static_cast<double>(model.map_px);
  return truth;
}

void measure_map(const torch::Tensor& map, const MapTruth& truth, double threshold, MapMeasures& measures) {
  survival::OverlapCounts pixels;
  if (truth.own.defined()) {
    const torch::Tensor whole = nets::resize_bilinear(map.unsqueeze(0).unsqueeze(0), truth.own.size(0), truth.own.size(1))[0][0];
    const torch::Tensor said = whole.ge(threshold).to(torch::kUInt8).contiguous();
    pixels = survival::overlap(view_of(truth.own), view_of(said));
  }
  if (pixels.tp + pixels.fn == 0) {
    for (auto* values : {&measures.dice, &measures.hd95_um, &measures.map_empty}) values->push_back(kUndefined);
    measures.false_tumour_share.push_back(truth.own.defined() ? pixels.fp / (pixels.fp + pixels.tn) : kUndefined);
    return;
  }
  measures.dice.push_back(pixels.dice());
  add_boundary(map, truth, threshold, measures);
  measures.false_tumour_share.push_back(kUndefined);
}

}  // namespace clmnet::tools
