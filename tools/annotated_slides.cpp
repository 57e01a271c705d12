#include "tools/annotated_slides.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "tools/base/error.h"
#include "tools/command.h"
#include "tools/image_loader.h"
#include "tools/image_tiles.h"
#include "tools/report/numbers.h"
#include "tools/view/lru_cache.h"
#include "wsi/tile_stream.h"

namespace clmnet::tools {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kOpenSlides = 16;

}  // namespace

/// A slide, open, with its annotation.
struct AnnotatedSlide {
  AnnotatedSlide(const nets::SlideSource& source, const AnnotatedSlideOptions& options)
      : slide(source.slide, slide_options(source, options)),
        annotation(read_slide_annotation(source.annotation, slide.info(), options.classes, options.frame)),
        painter(annotation.regions, options.labels),
        side(wsi::tile_side_level0(options.grid, slide.um_per_px())) {}

  static wsi::SlideOptions slide_options(const nets::SlideSource& source, const AnnotatedSlideOptions& options) {
    wsi::SlideOptions how;
    how.um_per_px_flag = "um_per_px in the manifest";
    how.icc = options.icc;
    if (source.um_per_px > 0) how.um_per_px = wsi::UmPerPx{source.um_per_px, source.um_per_px};
    return how;
  }

  wsi::Slide slide;
  SlideAnnotation annotation;
  wsi::LabelPainter painter;
  wsi::TileSideLevel0 side;
};

void take_annotated_slides(ConfigFile& file, AnnotatedSlideOptions& options) {
  take_tile_cut(file, options);
  double um_per_px = options.grid.um_per_px.x;
  file.take("tiles.um_per_px", um_per_px, 0.05, 64);
  options.grid.um_per_px = {um_per_px, um_per_px};
  file.take("tiles.tile_px", options.grid.tile_px, 16, 8192);
  options.grid.stride_px = options.grid.tile_px;
  file.take("tiles.stride_px", options.grid.stride_px, 1, options.grid.tile_px);
  file.take("tiles.icc", options.icc);
}

nlohmann::json to_json(const AnnotatedSlideOptions& options) {
  return {{"tiles",
           {{"um_per_px", options.grid.um_per_px.x},
            {"tile_px", options.grid.tile_px},
            {"stride_px", options.grid.stride_px},
            {"min_tissue", options.grid.min_tissue},
            {"icc", options.icc}}},
          {"tissue", tissue_json(options.tissue)},
          {"annotations", annotations_json(options)}};
}

/// Cuts slides into rows and reads their tiles.
class ManifestReader::Slides {
 public:
  explicit Slides(const AnnotatedSlideOptions& options) : options_(options) {}

  std::vector<nets::ManifestRow> tiles_of(const nets::ManifestRow& row, std::int64_t classes,
                                          const std::function<void(const std::string&)>& note) const {
    const auto open = this->open(*row.slide);
    const std::string name = row.slide->slide.filename().string();
    const auto patient = row.patient.empty() ? PatientTable().find(row.slide->slide.stem().string()).patient : row.patient;
    wsi::StreamOptions stream;
    stream.tile_px = options_.grid.tile_px;
    stream.um_per_px = options_.grid.um_per_px;
    const auto grid = wsi::plan_grid(wsi::find_tissue(open->slide, options_.tissue), options_.grid);
    std::vector<nets::ManifestRow> tiles;
    // Tiles are decoded here, so that hours of training do not end at one that is broken.
    const auto stats = wsi::for_each_batch(open->slide, grid, stream, [&](const wsi::TileBatch& batch) {
      stop_if_interrupted("nothing was done with the slides yet");
      for (std::size_t i = 0; i < batch.tiles.size(); ++i) {
        if (batch.complete[i] == 0) continue;
        const auto& origin = batch.tiles[i].origin;
        const int label = open->painter.paint(origin, open->side, options_.grid.tile_px).label;
        if (label < 0) continue;
        if (label >= classes) {
          throw InputError(row.slide->annotation.string() + ": label " + std::to_string(label) + " of '" +
                           options_.classes.name_of(label) + "', expected a class from 0 to " + std::to_string(classes - 1) +
                           "; give it another label in annotations.classes");
        }
        nets::ManifestRow tile = row;
        tile.slide->whole = false;
        tile.slide->x = origin.x;
        tile.slide->y = origin.y;
        tile.image = tile_name(tile.slide->slide, origin.x, origin.y);
        tile.label = label;
        tile.patient = patient;
        if (tile.diagnosis.empty()) tile.diagnosis = options_.classes.name_of(label);
        tiles.push_back(std::move(tile));
      }
    });
    if (tiles.empty()) {
      throw InputError(row.slide->slide.string() + ": none of its " + std::to_string(stats.tiles) + " tiles on tissue has a known " +
                       "class; look at its annotation, or take its row out of the manifest");
    }
    const auto count = [&](int label) { return std::count_if(tiles.begin(), tiles.end(), [&](const auto& t) { return t.label == label; }); };
    std::string line = name + ": " + std::to_string(tiles.size()) + " tiles, " + std::to_string(count(0)) + " of class 0; " +
                       std::to_string(stats.tiles - stats.incomplete - static_cast<std::int64_t>(tiles.size())) + " of unknown class left out";
    if (stats.incomplete > 0) {
      line += ", " + std::to_string(stats.incomplete) + " on stored tiles that are corrupt or missing left out";
    }
    if (note) note(line);
    return tiles;
  }

  const wsi::GridOptions& grid() const { return options_.grid; }

  nets::LabelledImage load(const nets::ManifestRow& row) const {
    const auto open = this->open(*row.slide);
    const wsi::Level0Px origin{row.slide->x, row.slide->y};
    const int px = options_.grid.tile_px;
    const auto region = open->slide.read(origin, options_.grid.um_per_px, {px, px});
    if (!region.complete) throw InputError(row.image.string() + ": a stored tile under it is corrupt or missing; copy the slide again");
    nets::LabelledImage image;
    image.label = row.label;
    image.rgb = to_tensor(region.rgb);
    image.mask = nets::tumour_mask(row, to_tensor(open->painter.paint(origin, open->side, px).mask));
    return image;
  }

 private:
  std::shared_ptr<const AnnotatedSlide> open(const nets::SlideSource& source) const {
    const std::lock_guard lock(opening_);  // two threads that want one slide open it once
    const std::string key = source.slide.string() + '\n' + source.annotation.string() + '\n' + std::to_string(source.um_per_px);
    if (auto found = open_.find(key)) return found;
    auto opened = std::make_shared<const AnnotatedSlide>(source, options_);
    open_.put(key, opened, 1);
    return opened;
  }

  AnnotatedSlideOptions options_;
  mutable std::mutex opening_;
  mutable view::LruCache<AnnotatedSlide> open_{kOpenSlides};
};

ManifestReader::ManifestReader(const AnnotatedSlideOptions& slides, std::optional<wsi::StainReference> stain)
    : slides_(std::make_shared<const Slides>(slides)), stain_(std::move(stain)) {}

std::vector<nets::ManifestRow> ManifestReader::read(const std::vector<fs::path>& files, std::int64_t classes,
                                                    const std::function<void(const std::string&)>& note) const {
  std::vector<nets::ManifestRow> rows;
  std::set<fs::path> seen;
  std::size_t cut = 0, tiles_cut = 0;
  for (auto& row : nets::read_manifests(files, classes, nets::SlideRows::keep)) {
    if (row.cut) {
      stop_if_interrupted("nothing was done with the images yet");
      const auto tiles = tiles_of_image(row, slides_->grid());
      rows.insert(rows.end(), tiles.begin(), tiles.end());
      ++cut;
      tiles_cut += tiles.size();
      continue;
    }
    if (!row.slide) {
      rows.push_back(std::move(row));
      continue;
    }
    if (!seen.insert(fs::canonical(row.slide->slide)).second) {
      throw InputError(row.slide->slide.string() + ": stands twice in the manifests; keep one row");
    }
    for (auto& tile : slides_->tiles_of(row, classes, note)) rows.push_back(std::move(tile));
  }
  if (cut > 0 && note) {
    note(std::to_string(cut) + " images with um_per_px: " + std::to_string(tiles_cut) + " tiles at " +
         number_text(slides_->grid().um_per_px.x) + " µm/px");
  }
  return rows;
}

nets::ImageLoader ManifestReader::loader() const {
  return [slides = slides_, stain = stain_](const nets::ManifestRow& row) {
    nets::LabelledImage image = row.slide ? slides->load(row)
                                : row.cut ? load_image_tile(row, slides->grid())
                                          : load_labelled_image(row);
    if (stain) image.colours = [stain = *stain](torch::Tensor& rgb) { normalise_stain(rgb, stain); };
    return image;
  };
}

}  // namespace clmnet::tools
