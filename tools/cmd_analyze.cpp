#include <chrono>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include <tbb/global_control.h>

#include "nets/device.h"
#include "nets/ensemble.h"
#include "nets/inference/slide_analysis.h"
#include "tools/analysis_outputs.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/config_file.h"
#include "tools/default_model.h"
#include "tools/network_threads.h"
#include "tools/progress.h"
#include "tools/run_folder.h"
#include "tools/slide_args.h"
#include "wsi/picture_file.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct AnalyzeArgs {
  std::vector<std::string> slides;
  std::string out, model, config;
  std::string device = "auto";
  SlideArgs how;
  int batch = 16;
  int threads = 0;
};

struct AnalyzeSetup {
  nets::SlideAnalysisOptions analysis;
  OutputOptions outputs;
  nets::EnsembleOptions ensemble;
  bool threshold_given = false;
};

AnalyzeSetup read_setup(const AnalyzeArgs& args) {
  ConfigFile file = args.config.empty() ? ConfigFile() : ConfigFile(args.config);
  AnalyzeSetup setup;
  file.take("tiles.stride_px", setup.analysis.stride_px, 0, 4096);
  file.take("tiles.min_tissue", setup.analysis.min_tissue, 0, 1);
  file.take("map.px", setup.analysis.map_px, 0, 64);
  file.take("map.each_network", setup.outputs.network_maps);
  file.take("map.class_activation", setup.ensemble.class_activation);
  file.take("model.tta", setup.ensemble.flips_and_turns);
  file.take("tissue.um_per_px", setup.analysis.tissue.um_per_px, 0.5, 100);
  file.take("tissue.min_piece_mm2", setup.analysis.tissue.min_piece_mm2, 0, 1000);
  file.take("tissue.min_hole_mm2", setup.analysis.tissue.min_hole_mm2, 0, 1000);
  file.take("crf.refine", setup.analysis.refine);
  double threshold = -1;
  file.take("tumour.threshold", threshold, 0, 1);
  setup.threshold_given = threshold >= 0;
  if (setup.threshold_given) setup.outputs.map_threshold = threshold;
  file.take("tumour.min_area_mm2", setup.outputs.min_tumour_mm2, 0, 1000);
  file.finish();
  setup.analysis.batch = args.batch;
  return setup;
}

/// All that decides a slide's results; batch, threads and device change nothing but the time.
json configuration(const AnalyzeArgs& args, const AnalyzeSetup& setup, const nets::ModelConfig& model, const std::string& checksum) {
  const auto& a = setup.analysis;
  return {{"command", "analyze"},
          {"version", CLMNET_VERSION},
          {"model", model.name},
          {"model_sha256", checksum},
          {"um_per_px", args.how.um_per_px ? json(*args.how.um_per_px) : json()},
          {"reader", args.how.reader},
          {"icc", args.how.icc},
          {"tiles", {{"stride_px", a.stride_px}, {"min_tissue", a.min_tissue}}},
          {"map",
           {{"px", a.map_px}, {"each_network", setup.outputs.network_maps}, {"class_activation", setup.ensemble.class_activation}}},
          {"tta", setup.ensemble.flips_and_turns},
          {"tissue",
           {{"um_per_px", a.tissue.um_per_px}, {"min_piece_mm2", a.tissue.min_piece_mm2}, {"min_hole_mm2", a.tissue.min_hole_mm2}}},
          {"crf", {{"refine", a.refine}}},
          {"tumour", {{"threshold", setup.outputs.map_threshold}, {"min_area_mm2", setup.outputs.min_tumour_mm2}}}};
}

/// Results lie under the slides' names, so two slides may not share one.
void check_names(const std::vector<std::string>& slides) {
  std::map<std::string, std::string> seen;
  for (const auto& slide : slides) {
    const auto [it, added] = seen.emplace(fs::path(slide).stem().string(), slide);
    if (!added) {
      throw InputError(slide + ": has the same name as " + it->second + "; results lie in a folder of the slide's name, so " +
                       "analyse them into different folders");
    }
  }
}

json analyze_one(const std::string& path, const AnalyzeArgs& args, const AnalyzeSetup& setup, nets::Ensemble& ensemble,
                 const std::string& checksum, const RunFolder& run, ProgressBar& bar) {
  const auto started = std::chrono::steady_clock::now();
  const wsi::Slide slide(path, args.how.options());
  const std::string name = slide.name();
  const nets::SlideAnalysis analysis =
      nets::analyze_slide(slide, ensemble, setup.analysis, [&](std::size_t done, std::size_t total) {
        stop_if_interrupted("finished slides are kept; the same command goes on");
        bar.update(name, done, total, "tiles");
      });
  const auto seconds = [](auto from) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count(); };
  const auto writing = std::chrono::steady_clock::now();
  WrittenOutputs written =
      write_outputs(run.slide_folder(name), slide, analysis, ensemble.config(), checksum, setup.outputs);
  const double output_seconds = seconds(writing), total = seconds(started);
  const nets::AnalysisTimings& t = analysis.timings;
  written.summary["seconds"] = {{"total", total},
                                {"networks", t.networks},
                                {"tissue", t.tissue},
                                {"waiting_for_tiles", t.waiting_for_tiles},
                                {"crf", t.crf},
                                {"outputs", output_seconds}};
  written.summary["network_share_of_time"] = t.networks / total;
  run.finish(name, written.summary, written.files);
  return written.summary;
}

void print_summary(const std::string& folder, const json& summary) {
  std::cout << std::fixed << std::setprecision(2) << summary["slide"].get<std::string>() << ": tissue "
            << summary["tissue_area_mm2"].get<double>() << " mm2, tumour " << summary["tumour_area_mm2"].get<double>()
            << " mm2 in " << summary["tumour_regions"] << " regions; " << summary["tiles"] << " tiles, "
            << summary["tiles_tumour"] << " of tumour; " << std::setprecision(1)
            << summary["seconds"]["total"].get<double>() << " s, networks "
            << std::setprecision(0) << 100 * summary["network_share_of_time"].get<double>() << " % of it\n";
  for (const auto& warning : summary["warnings"]) std::cout << "  warning: " << warning.get<std::string>() << '\n';
  std::cout << "  " << folder << "/overlay.png\n";
}

int run_analyze(const AnalyzeArgs& args, const Session& session) {
  AnalyzeSetup setup = read_setup(args);
  check_names(args.slides);
  const torch::Device device = nets::select_device(args.device);
  set_network_threads(args.threads);
  const int threads = torch::get_num_threads();
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads) + 1);
  // Decoding a tile costs a few hundredths of what the networks do with it on a CPU.
  setup.analysis.decode_threads = device.is_cuda() ? threads : std::max(std::min(2, threads), threads / 4);

  const std::jthread warm(wsi::load_picture_files);  // loads while the model is read what would hold up the outputs
  const fs::path model_folder = args.model.empty() ? default_model_folder() : fs::path(args.model);
  nets::Ensemble ensemble(model_folder, device, setup.ensemble);
  const std::string checksum = sha256_of_file(model_folder / "config.json");
  if (!setup.threshold_given) {
    const nets::ModelConfig& model = ensemble.config();
    setup.outputs.map_threshold = setup.analysis.refine && model.has_map() ? model.map_threshold : model.raw_map_threshold;
  }
  const RunFolder run(args.out, configuration(args, setup, ensemble.config(), checksum));

  ProgressBar bar;
  bar.record_to(run.path() / "progress.json");
  json slides = json::array(), failures = json::array();
  for (const auto& path : args.slides) {
    const std::string name = fs::path(path).stem().string();
    json summary = run.finished(name);
    std::error_code gone;
    const std::uintmax_t bytes = fs::file_size(path, gone);
    if (!summary.is_null() && (gone || summary.value("file_bytes", std::uintmax_t{0}) == bytes)) {
      bar.line(name + ": finished before, left as it is");
    } else {
      try {
        summary = analyze_one(path, args, setup, ensemble, checksum, run, bar);
      } catch (const Interrupted&) {
        throw;
      } catch (const std::exception& error) {
        failures.push_back({{"slide", path}, {"error", error.what()}});
        bar.line("clmnet: " + std::string(error.what()));
        continue;
      }
    }
    if (!session.json) print_summary((run.path() / name).string(), summary);
    slides.push_back(std::move(summary));
  }
  const json results = {{"slides", slides}, {"failures", failures}, {"device", device.str()}, {"threads", threads}};
  run.write_run(results);
  if (session.json) print_json(results);
  if (failures.empty()) return 0;
  if (args.slides.size() == 1) return 1;  // its message stands above
  bar.line("clmnet: " + std::to_string(failures.size()) + " of " + std::to_string(args.slides.size()) + " slides failed:");
  for (const auto& failure : failures) bar.line("  " + failure["error"].get<std::string>());
  return 1;
}

}  // namespace

void add_analyze(CLI::App& app, Session& session) {
  auto args = std::make_shared<AnalyzeArgs>();
  CLI::App* command = add_command(app, session, "analyze", "Heatmap, tumour outlines and features of slides",
                                  "clmnet analyze case_017.svs case_018.svs -o runs/first --threads 8",
                                  [args, &session] { return run_analyze(*args, session); });
  command->add_option("slides", args->slides, "Slide files")->required();
  command->add_option("-o,--output", args->out, "Folder of the run; the same command goes on in it")->required();
  command->add_option("--model", args->model,
                      "Folder of the model; default: the one that comes with clmnet. A folder of WSInfer's zoo (config.json and "
                      "torchscript_model.pt) is a program and is run: name only folders that you trust");
  command->add_option("--device", args->device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  command->add_option("--config", args->config, "TOML with the keys of configs/analyze.toml");
  command->add_option("--batch", args->batch, "Tiles that the networks see at once")->capture_default_str()->check(CLI::Range(1, 4096));
  command->add_option("--threads", args->threads, "Threads, at most the cores; 0: all cores")->capture_default_str()->check(CLI::Range(0, 4096));
  args->how.add_to(*command);
}

}  // namespace clmnet::tools
