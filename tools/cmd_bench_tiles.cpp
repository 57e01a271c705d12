#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>

#include <sys/resource.h>

#include "tools/base/cores.h"
#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/tile_rivals.h"
#include "wsi/grid.h"
#include "wsi/tile_stream.h"
#include "wsi/tissue.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

struct BenchTilesArgs {
  std::string slide;
  int tile_px = 256;
  int threads = 0;
  int repetitions = 5;
  int batch = 8;
  std::size_t most_tiles = 0;
};

/// One timed pass over the tiles.
struct Pass {
  double wall_seconds = 0;
  double cpu_seconds = 0;   ///< of all threads; what a busy machine does not disturb as much
  std::int64_t stored_tiles = 0;
};

double cpu_seconds_so_far() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec); };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Pass time_pass(const std::function<std::int64_t()>& work) {
  const double cpu = cpu_seconds_so_far();
  const auto start = std::chrono::steady_clock::now();
  Pass pass;
  pass.stored_tiles = work();
  pass.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  pass.cpu_seconds = cpu_seconds_so_far() - cpu;
  return pass;
}

double peak_rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

/// Median and spread over repetitions.
json summary(const std::vector<double>& values) {
  return {{"median", median(values)},
          {"min", *std::min_element(values.begin(), values.end())},
          {"max", *std::max_element(values.begin(), values.end())}};
}

/// What is measured in each repetition, one after the other, so that a machine that slows down slows all of them.
struct Measured {
  std::vector<Pass> ours, raw, openslide, overlapping, coarse;
};

class TileBench {
 public:
  TileBench(const wsi::Slide& slide, const BenchTilesArgs& args) : slide_(slide), args_(args) {
    const auto tissue = wsi::find_tissue(slide_);
    scan_ = slide_.um_per_px();
    aligned_ = grid(tissue, 1, args_.tile_px);
    overlapping_ = grid(tissue, 1, args_.tile_px * 3 / 4);
    coarse_ = grid(tissue, 2, args_.tile_px);
    if (aligned_.empty()) throw InputError(slide_.path().filename().string() + ": no tissue was found; nothing to measure");
    ours(aligned_, 1);  // warms the page cache
    own_peak_rss_mib_ = peak_rss_mib();
    rivals_ = std::make_unique<TileRivals>(slide_.path(), aligned_, args_.tile_px, threads());
  }

  json run() {
    for (int repetition = 0; repetition < args_.repetitions; ++repetition) {
      measured_.raw.push_back(time_pass([&] { return rivals_->decode_raw(); }));
      measured_.ours.push_back(time_pass([&] { return ours(aligned_, 1); }));
      measured_.overlapping.push_back(time_pass([&] { return ours(overlapping_, 1); }));
      measured_.coarse.push_back(time_pass([&] { return ours(coarse_, 2); }));
      measured_.openslide.push_back(time_pass([&] { return rivals_->read_openslide(); }));
    }
    return report();
  }

 private:
  int threads() const { return args_.threads > 0 ? args_.threads : usable_cores(); }

  std::vector<wsi::TileSpec> grid(const wsi::TissueMask& tissue, int coarser, int stride_px) const {
    wsi::GridOptions options;
    options.tile_px = args_.tile_px;
    options.stride_px = stride_px;
    options.um_per_px = {scan_.x * coarser, scan_.y * coarser};
    auto tiles = wsi::plan_grid(tissue, options);
    if (args_.most_tiles > 0 && tiles.size() > args_.most_tiles) tiles.resize(args_.most_tiles);
    return tiles;
  }

  std::int64_t ours(const std::vector<wsi::TileSpec>& tiles, int coarser) const {
    wsi::StreamOptions options;
    options.tile_px = args_.tile_px;
    options.um_per_px = {scan_.x * coarser, scan_.y * coarser};
    options.threads = threads();
    options.batch = args_.batch;
    return wsi::for_each_batch(slide_, tiles, options, [](wsi::TileBatch&) {}).stored_tiles_decoded;
  }

  json report() const;

  const wsi::Slide& slide_;
  BenchTilesArgs args_;
  wsi::UmPerPx scan_;
  std::vector<wsi::TileSpec> aligned_, overlapping_, coarse_;
  std::unique_ptr<TileRivals> rivals_;
  double own_peak_rss_mib_ = 0;
  Measured measured_;
};

/// units / second, by pass.
std::vector<double> rates(const std::vector<Pass>& passes, const std::function<double(const Pass&)>& units, bool cpu) {
  std::vector<double> rate;
  for (const auto& pass : passes) rate.push_back(units(pass) / (cpu ? pass.cpu_seconds : pass.wall_seconds));
  return rate;
}

std::vector<double> ratios(const std::vector<double>& of, const std::vector<double>& to) {
  std::vector<double> ratio;
  for (std::size_t i = 0; i < of.size(); ++i) ratio.push_back(of[i] / to[i]);
  return ratio;
}

/// Keys, by clock at the top and the same by CPU time of all threads under "per_cpu_second"; medians over the repetitions:
///   tiles_per_s                    our tile stream, all tissue tiles side by side
///   raw_decode_tiles_per_s         libjpeg-turbo on the same stored tiles from memory, the limit
///   openslide_tiles_per_s          OpenSlide's read_region of the same tiles
///   of_raw                         stored tiles that our stream decodes a second, over the limit; aim 0.90
///   overlapping_of_raw             the same for tiles that overlap by a quarter (stride 192 at 256 px); aim 0.75
///   over_openslide                 tiles_per_s / openslide_tiles_per_s; aim 7
///   mm2_per_s, mm2_per_s_at_half_resolution, half_resolution_over_full
///                                  area a second at the scan's resolution, at twice its µm/px, and their ratio; aim 1.25
///   spread                         {median, min, max} over the repetitions
/// peak_rss_mib is that of our stream alone, before OpenSlide and the limit have run.
json TileBench::report() const {
  const auto count = [](const std::vector<wsi::TileSpec>& tiles) {
    return [n = static_cast<double>(tiles.size())](const Pass&) { return n; };
  };
  const auto stored = [](const Pass& pass) { return static_cast<double>(pass.stored_tiles); };
  const auto area_mm2 = [&](const std::vector<wsi::TileSpec>& tiles, int coarser) {
    const double side_um2 = scan_.x * scan_.y * std::pow(static_cast<double>(args_.tile_px * coarser), 2);
    return [area = static_cast<double>(tiles.size()) * side_um2 * 1e-6](const Pass&) { return area; };
  };
  json document = {{"slide", slide_.path().filename().string()}, {"reader", slide_.info().reader},
                   {"tile_px", args_.tile_px},                   {"threads", threads()},
                   {"cores", usable_cores()}, {"repetitions", args_.repetitions},
                   {"tiles", aligned_.size()},                   {"peak_rss_mib", own_peak_rss_mib_}};
  for (const bool cpu : {false, true}) {
    const auto ours = rates(measured_.ours, count(aligned_), cpu);
    const auto raw = rates(measured_.raw, stored, cpu);
    const auto ours_stored = rates(measured_.ours, stored, cpu);
    const auto openslide = rates(measured_.openslide, count(aligned_), cpu);
    const auto overlapping = rates(measured_.overlapping, stored, cpu);
    const auto fine_area = rates(measured_.ours, area_mm2(aligned_, 1), cpu);
    const auto coarse_area = rates(measured_.coarse, area_mm2(coarse_, 2), cpu);
    json part = {{"tiles_per_s", median(ours)},
                 {"openslide_tiles_per_s", median(openslide)},
                 {"over_openslide", median(ratios(ours, openslide))},
                 {"mm2_per_s", median(fine_area)},
                 {"mm2_per_s_at_half_resolution", median(coarse_area)},
                 {"half_resolution_over_full", median(ratios(coarse_area, fine_area))},
                 {"spread", {{"tiles_per_s", summary(ours)}, {"openslide_tiles_per_s", summary(openslide)}}}};
    if (rivals_->has_raw()) {
      part["raw_decode_tiles_per_s"] = median(raw);
      part["of_raw"] = median(ratios(ours_stored, raw));
      part["overlapping_of_raw"] = median(ratios(overlapping, raw));
      part["spread"]["of_raw"] = summary(ratios(ours_stored, raw));
      part["spread"]["raw_decode_tiles_per_s"] = summary(raw);
    }
    if (cpu) {
      document["per_cpu_second"] = part;
    } else {
      document.update(part);
    }
  }
  return document;
}

void print_table(const json& result) {
  const auto line = [&](const char* what, const char* key, const char* unit) {
    if (!result.contains(key)) return;
    std::printf("%-44s %10.2f %-8s %10.2f\n", what, result[key].get<double>(), unit, result["per_cpu_second"][key].get<double>());
  };
  std::printf("%zu tiles of %d px, %d threads, %s\n%-44s %10s %-8s %10s\n", result["tiles"].get<std::size_t>(),
              result["tile_px"].get<int>(), result["threads"].get<int>(), result["reader"].get<std::string>().c_str(), "",
              "by clock", "", "by CPU");
  line("tile stream", "tiles_per_s", "tiles/s");
  line("libjpeg-turbo alone, the limit", "raw_decode_tiles_per_s", "tiles/s");
  line("OpenSlide read_region", "openslide_tiles_per_s", "tiles/s");
  line("of the limit", "of_raw", "");
  line("of the limit, tiles overlapping by a quarter", "overlapping_of_raw", "");
  line("over OpenSlide", "over_openslide", "");
  line("area at half the resolution, over full", "half_resolution_over_full", "");
  std::printf("%-44s %10.0f MiB\n", "peak memory", result["peak_rss_mib"].get<double>());
}

}  // namespace

void add_bench_tiles(CLI::App& parent, Session& session) {
  auto args = std::make_shared<BenchTilesArgs>();
  auto* command = add_command(parent, session, "tiles", "Reading tissue tiles: ours, the codec's limit, and OpenSlide, in one run",
                              "clmnet bench tiles case_017.svs --tile-px 256 --threads 2 --json", [args, &session] {
                                const wsi::Slide slide(args->slide);
                                const auto result = TileBench(slide, *args).run();
                                if (session.json) {
                                  print_json(result);
                                } else {
                                  print_table(result);
                                }
                                return 0;
                              });
  command->add_option("slide", args->slide, "Slide file")->required();
  command->add_option("--tile-px", args->tile_px, "Side of a tile, px of the scan")->check(CLI::Range(16, 4096))->capture_default_str();
  command->add_option("--threads", args->threads, "Threads that decode; 0: one per core")->check(CLI::Range(0, 1024));
  command->add_option("--batch", args->batch, "Tiles per batch")->check(CLI::Range(1, 4096))->capture_default_str();
  command->add_option("--repetitions", args->repetitions, "Passes of which the median counts")->check(CLI::Range(1, 1000))->capture_default_str();
  command->add_option("--tiles", args->most_tiles, "At most so many tiles; 0: all with tissue");
}

}  // namespace clmnet::tools
