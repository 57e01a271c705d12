#include "nets/inference/slide_analysis.h"

#include <chrono>
#include <cstring>
#include <future>
#include <map>
#include <mutex>

#include <oneapi/tbb/parallel_for_each.h>
#include <oneapi/tbb/task_group.h>
#include <opencv2/imgproc.hpp>

#include "nets/crf/dense_crf.h"
#include "nets/ensemble.h"
#include "nets/inference/stain_target.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Batches in page-locked memory, so that copies to the GPU run beside the networks; kept for the stream's next batch.
class PinnedPool {
 public:
  std::uint8_t* allocate(std::size_t bytes) {
    const auto options = torch::TensorOptions().dtype(torch::kUInt8).pinned_memory(true);
    torch::Tensor memory = torch::empty({static_cast<std::int64_t>(bytes)}, options);
    auto* address = memory.data_ptr<std::uint8_t>();
    const std::lock_guard lock(mutex_);
    held_.emplace(address, std::move(memory));
    return address;
  }
  void release(std::uint8_t* address) {
    const std::lock_guard lock(mutex_);
    held_.erase(address);
  }

 private:
  std::mutex mutex_;
  std::map<std::uint8_t*, torch::Tensor> held_;
};

/// Rows of tiles that could be decoded, collected batch by batch.
class TileTable {
 public:
  TileTable(std::size_t tiles, std::size_t members, int classes, int features) : members_(members) {
    const int rows = static_cast<int>(tiles);
    probability_.create(rows, classes, CV_32F);
    for (std::size_t k = 0; k < members; ++k) member_.emplace_back(rows, classes, CV_32F);
    if (features > 0) features_.create(rows, features, CV_32F);
  }

  void add(const Prediction& said, std::int64_t tile) {
    copy_row(said.probability[tile], probability_);
    for (std::size_t k = 0; k < members_; ++k) {
      copy_row(said.member_probability[tile][static_cast<std::int64_t>(k)], member_[k]);
    }
    if (!features_.empty()) copy_row(said.features[tile], features_);
    ++rows_;
  }

  void finish(SlideAnalysis& out) const {
    out.probability = probability_.rowRange(0, rows_).clone();
    for (const auto& table : member_) out.member_probability.push_back(table.rowRange(0, rows_).clone());
    if (!features_.empty()) out.features = features_.rowRange(0, rows_).clone();
  }

 private:
  void copy_row(const torch::Tensor& row, cv::Mat& table) const {
    const torch::Tensor values = row.contiguous();
    std::memcpy(table.ptr(rows_), values.data_ptr<float>(), static_cast<std::size_t>(values.numel()) * sizeof(float));
  }

  std::size_t members_;
  int rows_ = 0;
  cv::Mat probability_, features_;
  std::vector<cv::Mat> member_;
};

/// Fused and single maps, and activations where there are any, as the stitcher takes them: [N,1+K,h,w] or [N,1+2K,h,w].
std::vector<float> stacked_maps(const Prediction& said) {
  std::vector<torch::Tensor> maps = {said.map.unsqueeze(1), said.member_map};
  if (said.activation.defined()) maps.push_back(said.activation);
  const torch::Tensor all = torch::cat(maps, 1).contiguous();
  return {all.data_ptr<float>(), all.data_ptr<float>() + all.numel()};
}

/// Leaves glass out: the networks were never shown any, and what they say of it means nothing.
void keep_tissue(const cv::Mat& tissue, wsi::ProbabilityMap& map) {
  cv::Mat on_map;
  cv::resize(tissue, on_map, map.valid.size(), 0, 0, cv::INTER_NEAREST);
  map.valid.setTo(0, on_map == 0);
  const cv::Mat glass = map.valid == 0;
  tbb::parallel_for_each(map.probability, [&](cv::Mat& channel) { channel.setTo(0, glass); });
}

/// A model without maps says one number a tile: a map px is then a whole part of the tile, an eighth of it or a little less.
std::int64_t map_px_for(const ModelConfig& model, const SlideAnalysisOptions& options) {
  if (model.has_map()) return options.map_px > 0 ? options.map_px : model.map_px;
  std::int64_t px = std::max<std::int64_t>(1, model.patch_size_px / 8);
  while (model.patch_size_px % px != 0) --px;
  return px;
}

/// What brings the slide's colours to the model's; none where the model takes them as they are or too little is stained.
std::optional<wsi::StainNormaliser> fit_stain(const wsi::Slide& slide, const ModelConfig& model, const std::vector<wsi::TileSpec>& grid,
                                              SlideAnalysis& out) {
  const auto reference = stain_reference_of(model);
  if (!reference || grid.empty()) return std::nullopt;
  try {
    const cv::Mat sample = wsi::sample_tiles(slide, grid, out.grid);
    if (sample.empty()) throw InputError("no tile can be read");
    return wsi::normaliser_for(sample, *reference).normaliser;
  } catch (const InputError& error) {
    out.stain_warning = std::string("the colours were left as they are, though the model wants them normalised: ") + error.what();
    return std::nullopt;
  }
}

void run_networks(const wsi::Slide& slide, Ensemble& ensemble, const SlideAnalysisOptions& options,
                  const std::vector<wsi::TileSpec>& grid, const std::optional<wsi::StainNormaliser>& stain, SlideAnalysis& out,
                  const TileProgress& progress) {
  const ModelConfig& model = ensemble.config();
  const auto patch = static_cast<int>(model.patch_size_px);
  const std::size_t members = model.members.size();
  wsi::StitchOptions stitch;
  stitch.tile_px = patch;
  stitch.tile_um_per_px = out.grid.um_per_px;
  const std::int64_t map_px = map_px_for(model, options);
  stitch.map_um_per_px = model.spacing_um_per_px * static_cast<double>(map_px);
  stitch.channels = static_cast<int>(1 + members + (ensemble.options().class_activation ? members : 0));
  wsi::Stitcher stitcher(slide.extent(), slide.um_per_px(), stitch);
  // Beside the networks, which do not always have work for every core.
  std::future<cv::Mat> overview = std::async(std::launch::async, [&slide, &stitcher] { return wsi::read_overview(slide, stitcher.geometry()); });
  TileTable table(grid.size(), members, static_cast<int>(model.class_names.size()), static_cast<int>(model.feature_size()));

  wsi::StreamOptions stream;
  stream.tile_px = patch;
  stream.um_per_px = out.grid.um_per_px;
  stream.batch = options.batch;
  stream.threads = options.decode_threads;
  PinnedPool pinned;
  if (ensemble.device().is_cuda()) {
    stream.allocate = [&pinned](std::size_t bytes) { return pinned.allocate(bytes); };
    stream.release = [&pinned](std::uint8_t* memory) { pinned.release(memory); };
  }
  if (stain) stream.change = [&stain](cv::Mat& tile) { stain->apply(tile); };
  // One batch is put together beside the networks' next one; LibTorch's own threads belong to the networks alone.
  struct Done {
    Prediction said;
    std::vector<float> maps;
    std::vector<wsi::TileSpec> tiles;
    std::vector<std::uint8_t> complete;
  };
  const auto keep = [&](const Done& batch) {
    const cv::Size map(static_cast<int>(batch.said.map.size(2)), static_cast<int>(batch.said.map.size(1)));
    stitcher.add(batch.tiles, batch.maps, map.height, map.width, batch.complete);
    for (std::size_t i = 0; i < batch.tiles.size(); ++i) {
      (batch.complete[i] != 0 ? out.tiles : out.incomplete).push_back(batch.tiles[i]);
      if (batch.complete[i] != 0) table.add(batch.said, static_cast<std::int64_t>(i));
    }
  };
  tbb::task_group keeping;
  const auto started = Clock::now();
  const wsi::StreamStats stats = wsi::for_each_batch(slide, grid, stream, [&](wsi::TileBatch& batch) {
    const auto count = static_cast<std::int64_t>(batch.tiles.size());
    const auto began = Clock::now();
    // from_blob does not own; predict copies to its device before it returns.
    const torch::Tensor rgb = torch::from_blob(const_cast<std::uint8_t*>(batch.rgb), {count, patch, patch, 3}, torch::kUInt8);
    Prediction said = ensemble.predict(rgb, map_px);
    out.timings.networks += seconds_since(began);
    std::vector<float> maps = stacked_maps(said);
    keeping.wait();
    keeping.run([&keep, done = Done{std::move(said), std::move(maps), batch.tiles, batch.complete}] { keep(done); });
    if (progress) progress(batch.first_index + batch.tiles.size(), grid.size());
  });
  keeping.wait();
  out.timings.tiles = seconds_since(started);
  out.timings.waiting_for_tiles = stats.waiting_for_decode_seconds;
  out.overview = overview.get();
  out.raw = stitcher.take();
  keep_tissue(out.tissue.mask, out.raw);
  table.finish(out);
}

/// The fused map after the CRF, window by window.
cv::Mat refine_map(const wsi::ProbabilityMap& raw, const cv::Mat& guide, const CrfOptions& crf) {
  const cv::Mat& before = raw.probability[0];
  if (!before.isContinuous() || !guide.isContinuous() || !raw.valid.isContinuous()) {
    throw std::invalid_argument("refine_map: rows must follow each other");
  }
  cv::Mat after(before.size(), CV_32F);
  refine_windowed({guide.ptr(), before.ptr<float>(), raw.valid.ptr(), before.rows, before.cols}, after.ptr<float>(), crf);
  return after;
}

}  // namespace

SlideAnalysis analyze_slide(const wsi::Slide& slide, Ensemble& ensemble, const SlideAnalysisOptions& options,
                            const TileProgress& progress) {
  SlideAnalysis out;
  auto started = Clock::now();
  out.tissue = wsi::find_tissue(slide, options.tissue);
  const ModelConfig& model = ensemble.config();
  out.grid.tile_px = static_cast<int>(model.patch_size_px);
  out.grid.stride_px = options.stride_px > 0 ? options.stride_px : out.grid.tile_px * 7 / 8;
  out.grid.um_per_px = {model.spacing_um_per_px, model.spacing_um_per_px};
  out.grid.min_tissue = options.min_tissue;
  const std::vector<wsi::TileSpec> grid = wsi::plan_grid(out.tissue, out.grid);
  out.timings.tissue = seconds_since(started);

  const std::optional<wsi::StainNormaliser> stain = fit_stain(slide, model, grid, out);
  run_networks(slide, ensemble, options, grid, stain, out, progress);

  started = Clock::now();
  const bool refine = options.refine && model.has_map() && !out.tiles.empty();
  cv::Mat guide = out.overview;
  if (refine && stain) {  // the CRF was chosen in the colours that the networks see
    guide = guide.clone();
    stain->apply(guide);
  }
  const cv::Mat fused = refine ? refine_map(out.raw, guide, model.crf) : out.raw.probability[0].clone();
  out.refined = {out.raw.geometry, {fused}, out.raw.valid.clone()};
  out.timings.crf = seconds_since(started);
  return out;
}

}  // namespace clmnet::nets
