#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>

#include <oneapi/tbb/global_control.h>

#include "tools/base/cores.h"
#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/run_folder.h"
#include "tools/tile_folder.h"
#include "tools/tile_manifest.h"
#include "tools/tile_setup.h"
#include "tools/tile_slide.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Results lie under the slides' names, so two slides may not share one.
void check_names(const std::vector<std::string>& slides) {
  std::map<std::string, std::string> seen;
  for (const auto& slide : slides) {
    const auto [it, added] = seen.emplace(fs::path(slide).stem().string(), slide);
    if (!added) {
      throw InputError(slide + ": has the same name as " + it->second + "; results lie in a folder of the slide's name, so tile " +
                       "them into different folders");
    }
  }
}

void print_summary(const fs::path& folder, const json& summary) {
  std::cout << summary["slide"].get<std::string>() << ": " << summary["tiles"] << " tiles on " << summary["tissue_area_mm2"].get<double>()
            << " mm² of tissue";
  if (summary.contains("tiles_by_label")) {
    for (const auto& [label, count] : summary["tiles_by_label"].items()) {
      std::cout << ", " << count << (label == "-1" ? " of unknown class" : " of class " + label);
    }
  }
  std::cout << "; " << (folder / "tiles.h5").string() << '\n';
  for (const auto& warning : summary["warnings"]) std::cout << "  warning: " << warning.get<std::string>() << '\n';
}

/// Without the lists of single files, which only a restart needs.
json for_people(json summary) {
  summary.erase("files");
  summary.erase("folders");
  return summary;
}

class TileRun {
 public:
  TileRun(const TileArgs& args, const Session& session)
      : args_(args), session_(session), setup_(read_tile_setup(args)), run_(args.out, setup_.configuration) {}

  int run() {
    for (const auto& slide : args_.slides) {
      try {
        run_one(slide);
      } catch (const Interrupted&) {
        throw;
      } catch (const std::exception& error) {
        failures_.push_back({{"slide", slide}, {"error", error.what()}});
        bar_.line("clmnet: " + std::string(error.what()));
      }
    }
    json results = {{"slides", slides_}, {"failures", failures_}};
    if (!setup_.annotations.empty()) results["manifest_lines"] = write_tile_manifest(run_.path(), setup_);
    run_.write_run(results);
    if (session_.json) {
      print_json(results);
    } else if (results.contains("manifest_lines")) {
      std::cout << (run_.path() / "manifest.csv").string() << ": " << results["manifest_lines"] << " tiles\n";
    }
    if (failures_.empty()) return 0;
    bar_.line("clmnet: " + std::to_string(failures_.size()) + " of " + std::to_string(args_.slides.size()) + " slides failed");
    return 1;
  }

 private:
  void run_one(const std::string& path) {
    const std::string name = fs::path(path).stem().string();
    const fs::path folder = run_.path() / name;
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) {
      throw InputError(path + (fs::exists(path, ignored) ? ": is a folder, expected a slide file" : ": no such file; give the path of a slide"));
    }
    const json inputs = tile_inputs(path, setup_);
    std::string why;
    json summary = finished_slide(folder, inputs, why);
    if (!summary.is_null()) {
      bar_.line(name + ": finished before, left as it is");
    } else {
      if (!why.empty()) bar_.line(name + ": made again, because " + why);
      const wsi::Slide slide(path, args_.how.options());
      summary = tile_slide(slide, inputs, setup_, run_.slide_folder(name), [&](std::size_t done, std::size_t total) {
        stop_if_interrupted("finished slides are kept; the same command goes on");
        bar_.update(name, done, total, "tiles");
      });
    }
    if (inputs.contains("patient") && !inputs["patient"]["known"].get<bool>()) {
      bar_.line("clmnet: " + name + ": patient unknown, the slide's name stands in; give --patients where slides share one");
    }
    if (!session_.json) print_summary(folder, summary);
    slides_.push_back(for_people(std::move(summary)));
  }

  const TileArgs& args_;
  const Session& session_;
  TileSetup setup_;
  RunFolder run_;
  ProgressBar bar_;
  json slides_ = json::array(), failures_ = json::array();
};

int run_tile(const TileArgs& args, const Session& session) {
  check_names(args.slides);
  const int threads = args.threads > 0 ? args.threads : usable_cores();
  const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads) + 1);
  return TileRun(args, session).run();
}

void add_label_options(CLI::App& command, TileArgs& args) {
  command.add_option("--annotations", args.annotations,
                     "QuPath GeoJSON, ImageScope XML or ASAP XML; a folder: one file of the slide's name each")->group("Labels");
  command.add_option("--class", args.classes, "NAME=LABEL of a class in the annotation: a number (1 is tumour), ignore or skip; may be repeated")
      ->take_all()->group("Labels");
  command.add_option("--outside", args.outside, "What no annotation covers: 0 (not tumour) or ignore; default 0")
      ->check(CLI::IsMember({"0", "ignore"}))->group("Labels");
  command.add_option("--label-share", args.label_share, "A class is the tile's label from this share of its area on; default 0.1")
      ->check(CLI::Range(1e-6, 1.0))->group("Labels");
  command.add_option("--annotation-frame", args.frame, "Where GeoJSON's coordinates begin on a slide with bounds: scan or bounds (QuPath's); default auto")
      ->check(CLI::IsMember({"auto", "scan", "bounds"}))->group("Labels");
  command.add_option("--patients", args.patients, "CSV with slide, patient_id and, if known, diagnosis")->group("Labels");
}

}  // namespace

void add_tile(CLI::App& app, Session& session) {
  auto args = std::make_shared<TileArgs>();
  auto* command = add_command(app, session, "tile", "Tiles of tissue: where they are, their pixels, and labels from annotations",
                              "clmnet tile case_017.svs case_018.svs -o tiles --mpp 0.5 --tile-px 256 --images png --annotations outlines",
                              [args, &session] { return run_tile(*args, session); });
  command->add_option("slides", args->slides, "Slide files")->required();
  command->add_option("-o,--output", args->out, "Folder of the run; the same command goes on in it")->required();
  command->add_option("--mpp", args->um_per_px, "µm per pixel of the tiles")->required()->check(CLI::Range(0.05, 64.0));
  command->add_option("--tile-px", args->tile_px, "Side of a tile, px of --mpp")->check(CLI::Range(16, 8192))->capture_default_str();
  command->add_option("--stride-px", args->stride_px, "From one tile to the next, px of --mpp; 0: --tile-px")->check(CLI::Range(0, 8192))->capture_default_str();
  command->add_option("--min-tissue", args->min_tissue, "Least share of a tile that is tissue; default 0.1")->check(CLI::Range(0.0, 1.0));
  command->add_option("--images", args->images, "Pixels: none, hdf5 (imgs in tiles.h5), jpeg or png (a file per tile)")
      ->check(CLI::IsMember({"none", "hdf5", "jpeg", "png"}))->capture_default_str();
  command->add_option("--jpeg-quality", args->jpeg_quality, "Of --images jpeg; default 90")->check(CLI::Range(1, 100));
  add_label_options(*command, *args);
  command->add_option("--stain-normalise", args->stain, "Bring the colours of every slide to those of a reference: macenko or reinhard")
      ->check(CLI::IsMember({"macenko", "reinhard"}));
  command->add_option("--stain-reference", args->stain_reference, "Picture whose colours are wanted; default: the values of Macenko's authors, usual ones for reinhard");
  command->add_option("--config", args->config, "TOML with the keys of configs/tile.toml");
  command->add_option("--threads", args->threads, "Threads; 0: all cores")->capture_default_str()->check(CLI::Range(0, 4096));
  args->how.add_to(*command);
}

}  // namespace clmnet::tools
