#include "tools/robustness.h"

#include "tools/evaluation.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

constexpr std::uint64_t kSeed = 1;

/// Nothing is changed: the whole image, as it lies.
nets::AugmentOptions unchanged() {
  nets::AugmentOptions options;
  options.flip_rotate = false;
  options.scale_min = options.scale_max = 1;
  options.stain_sigma = options.stain_shift = options.colour_gain = options.blur_px = options.noise = options.glass = 0;
  return options;
}

Variation variation(const std::string& name, const std::string& what, const std::function<void(nets::AugmentOptions&)>& change) {
  Variation made{name, what, unchanged()};
  change(made.options);
  return made;
}

}  // namespace

const std::vector<Variation>& variations() {
  static const std::vector<Variation> kAll = {
      variation("as they are", "", [](auto&) {}),
      variation("finer", "1.6 times the px per µm, the middle alone", [](auto& o) { o.scale_min = o.scale_max = 1.6; }),
      variation("coarser", "0.7 times the px per µm, mirrored at the edges", [](auto& o) { o.scale_min = o.scale_max = 0.7; }),
      variation("stain", "each stain times exp(N(0, 0.4)) and plus N(0, 0.08) in optical density",
                [](auto& o) { o.stain_sigma = 0.4, o.stain_shift = 0.08; }),
      variation("colour", "each RGB channel times exp(N(0, 0.15))", [](auto& o) { o.colour_gain = 0.15; }),
      variation("focus", "half the images blurred, by a deviation of up to 2.5 px", [](auto& o) { o.blur_px = 2.5; }),
  };
  return kAll;
}

nets::LabelledImage varied(const nets::LabelledImage& image, const Variation& variation, std::int64_t patch_px, std::size_t index) {
  nets::AugmentOptions options = variation.options;
  options.output_px = static_cast<int>(patch_px);
  nets::LabelledImage as_it_is = image;
  as_it_is.colours = nullptr;  // a laboratory's slides differ before a model normalises them
  nets::LabelledImage fitted = nets::fit_to_patch(as_it_is, patch_px);
  fitted.colours = image.colours;
  return nets::augment(fitted, options, kSeed + index);
}

json robustness(nets::Ensemble& ensemble, const std::vector<nets::ManifestRow>& rows, const nets::ImageLoader& load,
                const std::function<void(std::size_t done)>& progress) {
  json out = json::object();
  std::size_t before = 0;
  for (const Variation& variation : variations()) {
    std::vector<nets::ManifestRow> seen = rows;  // with the class of each view
    const auto view = [&](const nets::ManifestRow& row) {  // one of `rows` itself, as predict_manifest hands them out
      const auto index = static_cast<std::size_t>(&row - rows.data());
      nets::LabelledImage image = varied(load(row), variation, ensemble.config().patch_size_px, index);
      seen[index].label = image.label;
      return image;
    };
    const auto predictors = predict_manifest(ensemble, rows, view, 1, [&](std::size_t done) {
      if (progress) progress(before + done);
    });
    before += rows.size();
    for (const Predictor& predictor : predictors) out[variation.name][predictor.name] = score(predictor, seen);
  }
  return out;
}

}  // namespace clmnet::tools
