#include "wsi/stain_reference.h"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "wsi/picture_file.h"

namespace clmnet::wsi {
namespace {

constexpr std::size_t kTiles = 48;

cv::Mat reference_picture(const std::string& file) {
  const std::string bytes = read_whole_file(file);
  cv::Mat picture = decode_picture(bytes, cv::IMREAD_COLOR);
  if (picture.empty()) throw InputError(file + ": no picture (PNG, JPEG, TIFF); give a region with the colours wanted");
  cv::cvtColor(picture, picture, cv::COLOR_BGR2RGB);
  return picture;
}

}  // namespace

StainReference read_stain_reference(const std::string& method, const std::string& picture) {
  if (method != "macenko" && method != "reinhard") {
    throw InputError("stain normalisation: no method '" + method + "'; there are: macenko, reinhard");
  }
  if (picture.empty()) {
    if (method == "macenko") return {published_macenko_reference(), {}};
    return {{}, usual_reinhard_reference()};
  }
  const cv::Mat rgb = reference_picture(picture);
  try {
    if (method == "macenko") return {fit_macenko(rgb), {}};
    return {{}, fit_reinhard(rgb)};
  } catch (const InputError& error) {
    throw InputError(picture + ": " + error.what());
  }
}

nlohmann::json to_json(const StainReference& reference) {
  if (reference.macenko) {
    const MacenkoFit& fit = *reference.macenko;
    return {{"method", "macenko"},
            {"strength", reference.strength},
            {"reference", {{"haematoxylin", fit.haematoxylin}, {"eosin", fit.eosin}, {"strongest", fit.strongest}}}};
  }
  const ReinhardFit& fit = reference.reinhard.value();
  return {{"method", "reinhard"}, {"strength", reference.strength}, {"reference", {{"mean", fit.mean}, {"deviation", fit.deviation}}}};
}

FittedNormaliser normaliser_for(const cv::Mat& sample, const StainReference& reference) {
  if (reference.macenko) {
    const MacenkoFit fit = fit_macenko(sample);
    return {StainNormaliser::macenko(fit, *reference.macenko, reference.strength), {fit, {}}};
  }
  const ReinhardFit fit = fit_reinhard(sample);
  return {StainNormaliser::reinhard(fit, reference.reinhard.value(), reference.strength), {{}, fit}};
}

cv::Mat sample_tiles(const Slide& slide, const std::vector<TileSpec>& grid, const GridOptions& options) {
  const std::size_t count = std::min(grid.size(), kTiles);
  cv::Mat sample;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& tile = grid[count == 1 ? 0 : i * (grid.size() - 1) / (count - 1)];
    const auto region = slide.read(tile.origin, options.um_per_px, {options.tile_px, options.tile_px});
    if (region.complete) sample.push_back(region.rgb);
  }
  return sample;
}

}  // namespace clmnet::wsi
