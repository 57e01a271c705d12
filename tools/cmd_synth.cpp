#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>

#include <opencv2/core.hpp>

#include "tools/commands.h"
#include "wsi/geojson.h"
#include "wsi/overlay.h"
#include "wsi/slide_writer.h"
#include "wsi/synth.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;

struct SynthArgs {
  std::string file, mask, geojson;
  std::uint64_t seed = 1;
  std::int64_t width_px = 8192, height_px = 8192;
  double um_per_px = 0.5;
  int quality = 85;
};

int run_synth(const SynthArgs& args, const Session& session) {
  const auto start = std::chrono::steady_clock::now();
  const wsi::SynthSlide drawn({args.seed, {args.width_px, args.height_px}, args.um_per_px});
  wsi::TiffSlideOptions options;
  options.um_per_px = {args.um_per_px, args.um_per_px};
  options.jpeg_quality = args.quality;
  options.objective_power = std::round(10 / args.um_per_px);
  wsi::write_tiff_slide(args.file, {args.width_px, args.height_px}, [&](wsi::Level0Px origin, cv::Mat& rgb) {
    stop_if_interrupted("no file was written");
    drawn.paint(origin, rgb);
  }, options);
  const auto geometry = wsi::fit_map({args.width_px, args.height_px}, options.um_per_px, std::max(8.0, args.um_per_px));
  const cv::Mat truth = drawn.tumour_mask(geometry);
  if (!args.mask.empty()) wsi::write_png(args.mask, truth);
  auto traced = wsi::trace_regions(truth, geometry);
  const double area_mm2 = cv::countNonZero(truth) * geometry.pixel_area_mm2();
  if (!args.geojson.empty()) {
    std::vector<wsi::Annotation> annotations;
    for (auto& region : traced.regions) {
      wsi::Annotation annotation;
      annotation.class_name = "Tumor";
      annotation.measurements = {{"area_mm2", region.area_px * geometry.pixel_area_mm2()}};
      annotation.polygon = std::move(region);
      annotations.push_back(std::move(annotation));
    }
    wsi::write_geojson(args.geojson, annotations);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (session.json) {
    print_json({{"slide", args.file}, {"seed", args.seed}, {"width_px", args.width_px}, {"height_px", args.height_px},
                {"um_per_px", args.um_per_px}, {"tumour_area_mm2", area_mm2}, {"tumour_regions", traced.regions.size()},
                {"bytes", fs::file_size(args.file)}, {"seconds", seconds}});
  } else {
    std::cout << args.file << ": " << args.width_px << " x " << args.height_px << " px at " << args.um_per_px << " µm/px, "
              << traced.regions.size() << " tumour nests of " << area_mm2 << " mm² in all; drawn, not from a patient\n";
  }
  return 0;
}

}  // namespace

void add_synth(CLI::App& app, Session& session) {
  auto args = std::make_shared<SynthArgs>();
  auto* command = add_command(app, session, "synth", "Draws an H&E-like slide with known tumour nests (Aperio pyramid)",
                              "clmnet synth -o drawn.svs --seed 7 --mask drawn-truth.png",
                              [args, &session] { return run_synth(*args, session); });
  command->add_option("-o,--output", args->file, "Slide to write, .svs or .tif")->required();
  command->add_option("--seed", args->seed, "The same seed draws the same slide")->capture_default_str();
  command->add_option("--width-px", args->width_px, "Width of level 0")->capture_default_str()->check(CLI::Range(256, 200000));
  command->add_option("--height-px", args->height_px, "Height of level 0")->capture_default_str()->check(CLI::Range(256, 200000));
  command->add_option("--um-per-px", args->um_per_px, "Resolution of level 0")->capture_default_str()->check(CLI::Range(0.1, 4.0));
  command->add_option("--quality", args->quality, "JPEG quality")->capture_default_str()->check(CLI::Range(1, 100));
  command->add_option("--mask", args->mask, "Also the truth as PNG at 8 µm/px, 255 is tumour");
  command->add_option("--geojson", args->geojson, "Also the truth as GeoJSON in level-0 pixels");
}

}  // namespace clmnet::tools
