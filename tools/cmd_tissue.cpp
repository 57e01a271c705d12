#include <filesystem>
#include <iostream>
#include <memory>

#include <opencv2/core.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/slide_args.h"
#include "wsi/geojson.h"
#include "wsi/overlay.h"
#include "wsi/quality.h"
#include "wsi/tissue.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct TissueArgs {
  std::string slide, folder;
  SlideArgs how;
  wsi::TissueOptions options;
};

json region_json(const wsi::RegionQuality& quality, double blurred_below) {
  return {{"area_mm2", quality.area_mm2},
          {"focus", quality.focus},
          {"blurred", quality.focus < blurred_below},
          {"blurred_share", quality.blurred_share},
          {"fold_share", quality.fold_share},
          {"samples", quality.samples}};
}

std::vector<wsi::Annotation> annotations(const wsi::RegionPolygons& regions, const std::vector<wsi::RegionQuality>& quality) {
  std::vector<wsi::Annotation> result;
  for (std::size_t i = 0; i < regions.regions.size(); ++i) {
    wsi::Annotation annotation;
    annotation.polygon = regions.regions[i];
    annotation.class_name = "Tissue";
    annotation.colour = {0, 140, 60};
    annotation.measurements = {{"area_mm2", quality[i].area_mm2}, {"fold_share", quality[i].fold_share}};
    if (quality[i].samples > 0) annotation.measurements.emplace_back("focus", quality[i].focus);
    result.push_back(std::move(annotation));
  }
  return result;
}

int run_tissue(const TissueArgs& args, const Session& session) {
  const wsi::Slide slide(args.slide, args.how.options());
  const wsi::UmPerPx scan = slide.um_per_px();
  const auto geometry = wsi::fit_map(slide.extent(), scan, std::max({args.options.um_per_px, scan.x, scan.y}));
  cv::Mat filled;
  const cv::Mat overview = wsi::read_overview(slide, geometry, &filled);
  const auto tissue = wsi::find_tissue(overview, geometry, args.options);
  const auto regions = wsi::trace_regions(tissue.mask, geometry);
  const cv::Mat folds = wsi::find_folds(overview, tissue);
  stop_if_interrupted("nothing was written");
  const wsi::QualityOptions quality_options;
  const auto quality = wsi::assess_regions(slide, tissue, regions, folds, quality_options);

  const double ink_mm2 = cv::countNonZero(tissue.ink) * geometry.pixel_area_mm2();
  json document = {{"slide", slide.path().string()},
                   {"level0_um_per_px", {{"x", scan.x}, {"y", scan.y}}},
                   {"level0_um_per_px_source", slide.info().um_per_px_source},
                   {"icc_profile", slide.info().icc_profile.empty() ? json() : json(slide.info().icc_profile)},
                   {"um_per_px", {{"x", geometry.um_per_px().x}, {"y", geometry.um_per_px().y}}},
                   {"tissue_area_mm2", tissue.area_mm2},
                   {"ink_area_mm2", ink_mm2},
                   {"unreadable_area_mm2", cv::countNonZero(filled) * geometry.pixel_area_mm2()},
                   {"fold_area_mm2", cv::countNonZero(folds) * geometry.pixel_area_mm2()},
                   {"min_piece_mm2", args.options.min_piece_mm2},
                   {"min_hole_mm2", args.options.min_hole_mm2},
                   {"blurred_below", quality_options.blurred_below},
                   {"warnings", json::array()},
                   {"regions", json::array()}};
  if (tissue.area_mm2 == 0) document["warnings"].push_back("no tissue was found");
  if (ink_mm2 > tissue.area_mm2 && tissue.area_mm2 > 0) {
    document["warnings"].push_back("more pen than tissue was found: is the slide stained with haematoxylin and eosin? See overlay.png");
  }
  if (cv::countNonZero(filled) > 0) {
    document["warnings"].push_back("stored tiles are corrupt or missing (unreadable_area_mm2): there, tissue is taken to go on as around it");
  }
  for (const auto& region : quality) document["regions"].push_back(region_json(region, quality_options.blurred_below));

  std::error_code error;
  fs::create_directories(args.folder, error);
  if (error) throw InputError(args.folder + ": the folder cannot be made (" + error.message() + ")");
  const fs::path folder = args.folder;
  wsi::write_png(folder / "tissue.png", tissue.mask);
  wsi::write_geojson(folder / "tissue.geojson", annotations(regions, quality));
  wsi::OverlayOptions overlay;
  overlay.title = slide.name();
  wsi::write_overlay(folder / "overlay.png", overview, {}, tissue, {}, overlay);
  write_atomically(folder / "quality.json", document.dump(2) + "\n");
  for (const auto& warning : document["warnings"]) std::cerr << "clmnet: " << args.slide << ": " << warning.get<std::string>() << '\n';
  if (session.json) {
    print_json(document);
  } else {
    std::cout << args.slide << ": " << tissue.area_mm2 << " mm² of tissue in " << quality.size() << " regions, "
              << document["ink_area_mm2"] << " mm² of ink; see " << (folder / "overlay.png").string() << '\n';
  }
  return 0;
}

}  // namespace

void add_tissue(CLI::App& app, Session& session) {
  auto args = std::make_shared<TissueArgs>();
  auto* command = add_command(app, session, "tissue", "Where the tissue is, without pen and dirt, and how sharp it is",
                              "clmnet tissue case_017.svs -o case_017-tissue",
                              [args, &session] { return run_tissue(*args, session); });
  command->add_option("slide", args->slide, "Slide file")->required();
  command->add_option("-o,--output", args->folder, "Folder for tissue.png, tissue.geojson, quality.json and overlay.png")->required();
  command->add_option("--mask-mpp", args->options.um_per_px, "µm per pixel of the mask")->capture_default_str()->check(CLI::Range(1.0, 64.0));
  command->add_option("--min-piece-mm2", args->options.min_piece_mm2, "Smaller pieces are dropped")
      ->capture_default_str()->check(CLI::Range(0.0, 1e6));
  command->add_option("--min-hole-mm2", args->options.min_hole_mm2, "Smaller holes are filled")
      ->capture_default_str()->check(CLI::Range(0.0, 1e6));
  args->how.add_to(*command);
}

}  // namespace clmnet::tools
