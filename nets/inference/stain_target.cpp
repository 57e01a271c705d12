#include "nets/inference/stain_target.h"

namespace clmnet::nets {
namespace {

wsi::Rgb3 three(const std::vector<double>& values, std::size_t at) { return {values.at(at), values.at(at + 1), values.at(at + 2)}; }

}  // namespace

std::optional<wsi::StainReference> stain_reference_of(const ModelConfig& model) {
  if (!model.stain) return std::nullopt;
  const std::vector<double>& values = model.stain->reference;
  if (model.stain->method == "macenko") {
    return wsi::StainReference{wsi::MacenkoFit{three(values, 0), three(values, 3), {values.at(6), values.at(7)}}, {}, model.stain->strength};
  }
  return wsi::StainReference{{}, wsi::ReinhardFit{three(values, 0), three(values, 3)}, model.stain->strength};
}

StainTarget stain_target_of(const wsi::StainReference& reference) {
  StainTarget target{{}, {}, reference.strength};
  const auto put = [&](const auto& values) { target.reference.insert(target.reference.end(), values.begin(), values.end()); };
  if (reference.macenko) {
    target.method = "macenko";
    put(reference.macenko->haematoxylin);
    put(reference.macenko->eosin);
    put(reference.macenko->strongest);
  } else {
    target.method = "reinhard";
    put(reference.reinhard.value().mean);
    put(reference.reinhard->deviation);
  }
  return target;
}

}  // namespace clmnet::nets
