#include "tools/tile_slide.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include <oneapi/tbb/parallel_for.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/file_fingerprint.h"
#include "tools/tile_folder.h"
#include "wsi/picture_file.h"
#include "wsi/tile_stream.h"
#include "wsi/tiles_h5.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Everything of one slide while its tiles come by.
class SlideTiler {
 public:
  SlideTiler(const wsi::Slide& slide, const json& inputs, const TileSetup& setup, const fs::path& folder)
      : slide_(slide), inputs_(inputs), setup_(setup), folder_(folder) {}

  json run(const std::function<void(std::size_t, std::size_t)>& progress) {
    std::error_code ignored;
    fs::remove(folder_ / "summary.json", ignored);
    const auto tissue = wsi::find_tissue(slide_, setup_.tissue);
    tissue_area_mm2_ = tissue.area_mm2;
    grid_ = wsi::plan_grid(tissue, setup_.grid);
    side_ = wsi::tile_side_level0(setup_.grid, slide_.um_per_px());
    info_ = wsi::describe_tiles(slide_, setup_.grid, folder_ / "tiles.h5");
    read_annotation();
    fit_stain();
    remove_leftovers();
    if (setup_.images == TileImages::none) {
      for (const auto& tile : grid_) rows_.push_back({tile.origin, -1, 0});
      wsi::write_tiles_h5(folder_ / "tiles.h5", grid_, info_);
    } else {
      write_images(progress);
    }
    return finish();
  }

 private:
  bool picture_files() const { return setup_.images == TileImages::jpeg || setup_.images == TileImages::png; }
  const char* ending() const { return setup_.images == TileImages::jpeg ? ".jpg" : ".png"; }

  void read_annotation() {
    if (setup_.annotations.empty()) return;
    annotation_ = read_slide_annotation(inputs_.at("annotation_file").get<std::string>(), slide_.info(), setup_.classes, setup_.frame);
    painter_.emplace(annotation_->regions, setup_.labels);
    if (annotation_->without_area > 0) {
      warnings_.push_back(std::to_string(annotation_->without_area) + " points, lines or empty outlines of the annotation have no area");
    }
  }

  void fit_stain() {
    if (!setup_.stain || grid_.empty()) return;
    const cv::Mat sample = wsi::sample_tiles(slide_, grid_, setup_.grid);
    if (sample.empty()) throw InputError(slide_.path().filename().string() + ": no tile can be read, so its stain is not known");
    stain_.emplace(wsi::normaliser_for(sample, *setup_.stain));
  }

  void remove_leftovers() const {
    for (const char* name : {"images", "images.part", "masks", "masks.part"}) {
      std::error_code error;
      fs::remove_all(folder_ / name, error);
    }
  }

  void write_images(const std::function<void(std::size_t, std::size_t)>& progress) {
    std::optional<wsi::TileImagesH5> h5;
    if (setup_.images == TileImages::hdf5) h5.emplace(folder_ / "tiles.h5", info_);
    if (picture_files()) images_.emplace(folder_ / "images");
    if (painter_) masks_.emplace(folder_ / "masks");
    wsi::StreamOptions stream;
    stream.tile_px = setup_.grid.tile_px;
    stream.um_per_px = setup_.grid.um_per_px;
    stream.threads = setup_.threads;
    std::vector<wsi::TileSpec> kept;
    std::size_t done = 0;
    progress(0, grid_.size());
    wsi::for_each_batch(slide_, grid_, stream, [&](wsi::TileBatch& batch) {
      auto tiles = batch_images(batch);
      for (std::size_t i = 0; i < tiles.size(); ++i) {
        if (batch.complete[i] == 0) {
          undecodable_.push_back({batch.tiles[i].origin.x, batch.tiles[i].origin.y});
          continue;
        }
        kept.push_back(batch.tiles[i]);
        rows_.push_back({batch.tiles[i].origin, tiles[i].label, tiles[i].share});
        if (h5) h5->add(tiles[i].rgb.data);
      }
      progress(done += tiles.size(), grid_.size());
    });
    if (images_) images_->commit();
    if (masks_) masks_->commit();
    std::vector<std::int64_t> labels;
    for (const auto& row : rows_) {
      if (painter_) labels.push_back(row.label);
    }
    if (h5) {
      h5->commit(kept, labels);
    } else {
      wsi::write_tiles_h5(folder_ / "tiles.h5", kept, info_, labels);
    }
  }

  struct TileImage {
    cv::Mat rgb;
    int label = -1;
    double share = 0;
  };

  /// Colours, encodes and labels the tiles of a batch, in parallel.
  std::vector<TileImage> batch_images(const wsi::TileBatch& batch) const {
    std::vector<TileImage> tiles(batch.tiles.size());
    const int px = setup_.grid.tile_px;
    const std::size_t bytes = static_cast<std::size_t>(px) * static_cast<std::size_t>(px) * 3;
    oneapi::tbb::parallel_for(std::size_t{0}, tiles.size(), [&](std::size_t i) {
      if (batch.complete[i] == 0) return;
      TileImage& tile = tiles[i];
      tile.rgb.create(px, px, CV_8UC3);
      std::memcpy(tile.rgb.data, batch.rgb + i * bytes, bytes);
      if (stain_) stain_->normaliser.apply(tile.rgb);
      const auto& origin = batch.tiles[i].origin;
      if (images_) {
        cv::Mat bgr;
        cv::cvtColor(tile.rgb, bgr, cv::COLOR_RGB2BGR);
        std::vector<int> how;
        if (setup_.images == TileImages::jpeg) how = {cv::IMWRITE_JPEG_QUALITY, setup_.jpeg_quality};
        images_->write(tile_file(origin, ending()), wsi::encode_picture(ending(), bgr, how));
      }
      if (painter_) {
        const auto painted = painter_->paint(origin, side_, px);
        tile.label = painted.label;
        tile.share = painted.share;
        masks_->write(tile_file(origin, ".png"), wsi::encode_picture(".png", painted.mask));
      }
    });
    return tiles;
  }

  /// Whether some level has the resolution of the tiles, to one part in a hundred.
  bool resolution_is_stored() const {
    const double wanted = setup_.grid.um_per_px.x / slide_.um_per_px().x;
    const auto& levels = slide_.info().levels;
    return std::any_of(levels.begin(), levels.end(), [&](const auto& level) { return std::abs(level.downsample_x / wanted - 1) < 0.01; });
  }

  void add_warnings() {
    const auto scan = slide_.um_per_px();
    if (setup_.grid.um_per_px.x < scan.x * 0.999 || setup_.grid.um_per_px.y < scan.y * 0.999) {
      char text[120];
      std::snprintf(text, sizeof text, "%.4g µm/px is finer than the scan (%.4g x %.4g): the tiles are enlarged", setup_.grid.um_per_px.x,
                    scan.x, scan.y);
      warnings_.emplace_back(text);
    }
    if (setup_.images == TileImages::none && !resolution_is_stored()) {
      warnings_.emplace_back("no level of the slide has the tiles' resolution: CLAM, which reads patch_size px of patch_level, would see "
                             "another field than these tiles; TRIDENT resamples");
    }
    if (grid_.empty()) warnings_.emplace_back("no tissue was found: there are no tiles");
    if (!undecodable_.empty()) {
      warnings_.push_back(std::to_string(undecodable_.size()) + " of " + std::to_string(grid_.size()) +
                          " tiles lie on stored tiles that are corrupt or missing; they are left out");
    }
  }

  json finish() {
    add_warnings();
    write_atomically(folder_ / "tiles.csv", tiles_csv(rows_, std::llround(side_.width), std::llround(side_.height), painter_.has_value()));
    std::map<std::string, int> labels;
    for (const auto& row : rows_) ++labels[std::to_string(row.label)];
    json summary = {{"slide", slide_.path().filename().string()},
                    {"inputs", inputs_},
                    {"reader", slide_.info().reader},
                    {"level0_um_per_px", {{"x", slide_.um_per_px().x}, {"y", slide_.um_per_px().y}}},
                    {"level0_um_per_px_source", slide_.info().um_per_px_source},
                    {"icc_profile", slide_.info().icc_profile.empty() ? json() : json(slide_.info().icc_profile)},
                    {"um_per_px", setup_.grid.um_per_px.x},
                    {"tissue_area_mm2", tissue_area_mm2_},
                    {"tiles", rows_.size()},
                    {"tiles_undecodable", setup_.images == TileImages::none ? json() : json(undecodable_.size())},
                    {"undecodable", json::array()},
                    {"warnings", warnings_}};
    if (const auto& bounds = slide_.info().bounds) {
      summary["bounds"] = {{"x", bounds->origin.x}, {"y", bounds->origin.y}, {"width", bounds->size.width}, {"height", bounds->size.height}};
    }
    for (const auto& origin : undecodable_) summary["undecodable"].push_back({origin.x, origin.y});
    if (stain_) summary["stain"] = wsi::to_json(stain_->slide).at("reference");
    if (annotation_) {
      summary["annotated_regions"] = annotation_->counts;
      summary["tiles_by_label"] = labels;
    }
    std::vector<std::pair<std::string, std::string>> folders;
    if (images_) folders.emplace_back("images", ending());
    if (masks_) folders.emplace_back("masks", ".png");
    finish_slide(folder_, summary, {"tiles.h5", "tiles.csv"}, folders, rows_);
    return summary;
  }

  const wsi::Slide& slide_;
  const json& inputs_;
  const TileSetup& setup_;
  fs::path folder_;
  double tissue_area_mm2_ = 0;
  std::vector<wsi::TileSpec> grid_;
  wsi::TileSideLevel0 side_;
  wsi::TilesInfo info_;
  std::optional<SlideAnnotation> annotation_;
  std::optional<wsi::LabelPainter> painter_;
  std::optional<wsi::FittedNormaliser> stain_;
  std::optional<AtomicFolder> images_, masks_;
  std::vector<TileRow> rows_;
  std::vector<wsi::Level0Px> undecodable_;
  std::vector<std::string> warnings_;
};

}  // namespace

json tile_inputs(const fs::path& slide, const TileSetup& setup) {
  json inputs = {{"slide", fingerprint(slide)}};
  if (setup.annotations.empty()) return inputs;
  const std::string name = slide.stem().string();
  const fs::path annotation = find_annotation(setup.annotations, name);
  const auto patient = setup.patients.find(name);
  inputs["annotation"] = fingerprint(annotation);
  inputs["annotation_file"] = annotation.string();
  inputs["patient"] = {{"id", patient.patient}, {"diagnosis", patient.diagnosis}, {"known", patient.known}};
  return inputs;
}

json tile_slide(const wsi::Slide& slide, const json& inputs, const TileSetup& setup, const fs::path& folder,
                const std::function<void(std::size_t, std::size_t)>& progress) {
  return SlideTiler(slide, inputs, setup, folder).run(progress);
}

}  // namespace clmnet::tools
