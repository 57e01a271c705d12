#include "tools/analysis_outputs.h"

#include <algorithm>
#include <functional>

#include <tbb/parallel_for_each.h>
#include <tbb/parallel_invoke.h>

#include "wsi/features_h5.h"
#include "wsi/geojson.h"
#include "wsi/heatmap.h"
#include "wsi/overlay.h"
#include "wsi/tiles_csv.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// The column of a class that stands for tumour: all but class 0 together.
std::vector<float> tumour_column(const cv::Mat& probability) {
  std::vector<float> column;
  for (int i = 0; i < probability.rows; ++i) column.push_back(1 - probability.at<float>(i, 0));
  return column;
}

json tile_json(const nets::SlideAnalysis& analysis, const nets::ModelConfig& model) {
  const std::vector<float> tumour = tumour_column(analysis.probability);
  const auto over = std::count_if(tumour.begin(), tumour.end(), [&](float p) { return p >= model.class_threshold; });
  json incomplete = json::array();
  for (const auto& tile : analysis.incomplete) incomplete.push_back({tile.origin.x, tile.origin.y});
  json out = {{"tiles", analysis.tiles.size()},
              {"tiles_tumour", over},
              {"tiles_not_decoded", analysis.incomplete.size()},
              {"tiles_not_decoded_level0_px", incomplete},
              {"tile_px", analysis.grid.tile_px},
              {"tile_stride_px", analysis.grid.stride_px},
              {"tile_um_per_px", analysis.grid.um_per_px.x},
              {"tile_threshold", model.class_threshold}};
  if (!tumour.empty()) out["max_tile_probability"] = *std::max_element(tumour.begin(), tumour.end());
  return out;
}

json slide_json(const wsi::Slide& slide) {
  const auto& info = slide.info();
  json out = {{"slide", slide.name()},
              {"file", slide.path().filename().string()},
              {"slide_path", fs::absolute(slide.path()).string()},
              {"file_bytes", fs::file_size(slide.path())},
              {"vendor", info.vendor},
              {"reader", info.reader},
              {"width_level0_px", info.extent.width},
              {"height_level0_px", info.extent.height},
              {"um_per_px_x", slide.um_per_px().x},
              {"um_per_px_y", slide.um_per_px().y},
              {"um_per_px_source", info.um_per_px_source},
              {"icc_profile", info.icc_profile.empty() ? json() : json(info.icc_profile)}};
  if (info.bounds) {
    out["bounds_level0_px"] = {info.bounds->origin.x, info.bounds->origin.y, info.bounds->size.width, info.bounds->size.height};
  }
  return out;
}

void write_tile_table(const fs::path& file, const wsi::Slide& slide, const nets::SlideAnalysis& analysis,
                      const nets::ModelConfig& model) {
  std::vector<wsi::TileColumn> columns;
  for (std::size_t c = 0; c < model.class_names.size(); ++c) {
    columns.push_back({"prob_" + model.class_names[c], {}});
    for (int i = 0; i < analysis.probability.rows; ++i) {
      columns.back().values.push_back(analysis.probability.at<float>(i, static_cast<int>(c)));
    }
  }
  for (std::size_t k = 0; k < model.members.size(); ++k) {
    columns.push_back({model.members[k].options.network + "_prob_tumour", tumour_column(analysis.member_probability[k])});
  }
  wsi::write_tiles_csv(file, analysis.tiles, wsi::tile_side_level0(analysis.grid, slide.um_per_px()), columns);
}

}  // namespace

WrittenOutputs write_outputs(const fs::path& folder, const wsi::Slide& slide, const nets::SlideAnalysis& analysis,
                             const nets::ModelConfig& model, const std::string& model_checksum, const OutputOptions& options) {
  const bool has_features = analysis.features.cols > 0;
  std::vector<std::string> files = {"overlay.png", "tumour.geojson", "tiles.csv"};
  if (has_features) files.emplace_back("features.h5");
  std::vector<std::function<void()>> maps;
  const auto heatmap = [&](const std::string& file, const wsi::ProbabilityMap& map, std::size_t channel, const std::string& what) {
    files.push_back(file);
    wsi::HeatmapOptions how;
    how.channel = static_cast<int>(channel);
    how.description = "clmnet tumour probability " + what + ", model " + model.name;
    maps.emplace_back([path = folder / file, &map, how] { wsi::write_heatmap(path, map, how); });
  };
  heatmap("heatmap.tiff", analysis.refined, 0, "after the CRF");
  heatmap("heatmap_raw.tiff", analysis.raw, 0, "before the CRF");
  const std::size_t members = model.members.size();
  for (std::size_t k = 0; k < members; ++k) {
    const std::string& network = model.members[k].options.network;
    if (options.network_maps) heatmap("heatmap_" + network + ".tiff", analysis.raw, 1 + k, "of " + network + " alone");
    if (analysis.raw.probability.size() > 1 + members) {
      heatmap("activation_" + network + ".tiff", analysis.raw, 1 + members + k, "of a tile where " + network + " sees it (Grad-CAM++)");
    }
  }
  wsi::TumourRegions tumour;
  // Each file is one core's work: coding its pixels.
  tbb::parallel_invoke(
      [&] {
        wsi::TumourOptions tumour_options;
        tumour_options.threshold = options.map_threshold;
        tumour_options.min_area_mm2 = options.min_tumour_mm2;
        tumour = wsi::find_tumour(analysis.refined, tumour_options);
        wsi::write_geojson(folder / "tumour.geojson", tumour.annotations);
        wsi::OverlayOptions overlay;
        overlay.title = slide.name();
        wsi::write_overlay(folder / "overlay.png", analysis.overview, analysis.refined, analysis.tissue, tumour.mask, overlay);
      },
      [&] {
        write_tile_table(folder / "tiles.csv", slide, analysis, model);
        if (!has_features) return;
        const wsi::TilesInfo info =
            wsi::describe_tiles(slide, analysis.grid, folder / "features.h5", model.name + " " + model_checksum);
        wsi::write_features_h5(folder / "features.h5", analysis.tiles, analysis.features, info);
      },
      [&] { tbb::parallel_for_each(maps, [](const auto& write) { write(); }); });

  json summary = slide_json(slide);
  summary["tissue_area_mm2"] = analysis.tissue.area_mm2;
  summary["tumour_area_mm2"] = tumour.area_mm2;
  summary["tumour_regions"] = tumour.annotations.size();
  summary["tumour_share_of_tissue"] = analysis.tissue.area_mm2 > 0 ? json(tumour.area_mm2 / analysis.tissue.area_mm2) : json();
  summary["map_um_per_px"] = analysis.raw.geometry.um_per_px().x;
  summary["map_threshold"] = options.map_threshold;
  summary.update(tile_json(analysis, model));
  summary["model"] = model.name;
  summary["model_sha256"] = model_checksum;
  summary["version"] = CLMNET_VERSION;
  summary["warnings"] = json::array();
  if (!model.has_map()) {
    summary["warnings"].push_back("the model says one class per tile: the map is as coarse as its tiles, without CRF, and there are no features");
  }
  if (!analysis.stain_warning.empty()) summary["warnings"].push_back(analysis.stain_warning);
  if (analysis.tissue.area_mm2 == 0) summary["warnings"].push_back("no tissue was found");
  if (!analysis.incomplete.empty()) {
    summary["warnings"].push_back(std::to_string(analysis.incomplete.size()) + " tiles could not be decoded and were left out");
  }
  if (slide.um_per_px().x > model.spacing_um_per_px * 1.1) {
    summary["warnings"].push_back("the scan is coarser than the model's resolution; it was enlarged");
  }
  return {std::move(summary), std::move(files)};
}

}  // namespace clmnet::tools
