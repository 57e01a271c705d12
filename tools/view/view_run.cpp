#include "tools/view/view_run.h"

#include <algorithm>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/view/safe_path.h"
#include "tools/view/tissue_layers.h"

namespace clmnet::tools::view {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_json(const fs::path& root, const fs::path& folder, const std::string& name) {
  const fs::path file = file_inside(root, folder, name);
  try {
    return json::parse(read_whole_file(file));
  } catch (const json::exception& error) {
    throw InputError((folder / name).string() + ": is no JSON (" + error.what() + "); analyse the slide again");
  }
}

std::string title_of(const std::string& stem) {
  if (stem == "heatmap") return "Tumour probability, after CRF";
  if (stem == "heatmap_raw") return "Tumour probability, before CRF";
  if (stem.rfind("heatmap_", 0) == 0) return stem.substr(8) + ", per pixel";
  if (stem.rfind("activation_", 0) == 0) return stem.substr(11) + ", class activation";
  return stem;
}

/// The order in which layers are offered: the refined map first.
int rank_of(const std::string& stem) {
  return stem == "heatmap" ? 0 : stem == "heatmap_raw" ? 1 : stem.rfind("heatmap_", 0) == 0 ? 2 : 3;
}

/// Whether the run read colours through the slides' ICC profiles.
bool run_icc(const json& run) {
  const json::json_pointer at("/configuration/icc");
  return run.contains(at) && run.at(at) == true;
}

/// As the run found tissue; what its configuration does not say is as clmnet tissue has it.
wsi::TissueOptions tissue_options(const json& run) {
  wsi::TissueOptions options;
  const auto configuration = run.value("configuration", json::object());
  const auto tissue = configuration.is_object() ? configuration.value("tissue", json::object()) : json::object();
  const auto take = [&](const char* key, double& value, double low, double high) {
    if (!tissue.is_object() || !tissue.contains(key) || !tissue.at(key).is_number()) return;
    value = std::clamp(tissue.at(key).get<double>(), low, high);
  };
  take("um_per_px", options.um_per_px, 0.5, 100);
  take("min_piece_mm2", options.min_piece_mm2, 0, 1000);
  take("min_hole_mm2", options.min_hole_mm2, 0, 1000);
  return options;
}

}  // namespace

std::string ViewSlide::text(const std::string& key) const {
  return summary.contains(key) && summary.at(key).is_string() ? summary.at(key).get<std::string>() : std::string();
}

double ViewSlide::number(const std::string& key, double otherwise) const {
  return summary.contains(key) && summary.at(key).is_number() ? summary.at(key).get<double>() : otherwise;
}

const GreyLayer* LayerSet::find(const std::string& id) const {
  for (const auto& layer : layers) {
    if (layer->id == id) return layer.get();
  }
  return nullptr;
}

ViewRun::ViewRun(const fs::path& folder, const fs::path& slides, std::optional<bool> icc) : folder_(folder) {
  std::error_code error;
  if (!fs::is_directory(folder_, error)) throw InputError(folder_.string() + ": no such folder; give the RUN of clmnet analyze");
  if (!fs::exists(folder_ / "run.json", error)) {
    throw InputError(folder_.string() + ": holds no run.json; give the folder that clmnet analyze wrote (-o)");
  }
  if (!slides.empty() && !fs::is_directory(slides, error)) {
    throw InputError(slides.string() + ": no such folder; give the folder of the slide files to --slides");
  }
  folder_ = fs::canonical(folder_);
  document_ = read_json(folder_, folder_, "run.json");
  icc_ = icc.value_or(run_icc(document_));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.is_directory() && !entry.is_symlink() && fs::exists(entry.path() / "summary.json")) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  for (const auto& name : names) {
    if (!is_plain_name(name)) continue;
    ViewSlide slide;
    slide.id = name;
    slide.folder = folder_ / name;
    slide.summary = read_json(folder_, slide.folder, "summary.json");
    slide.extent = {static_cast<std::int64_t>(slide.number("width_level0_px", 0)),
                    static_cast<std::int64_t>(slide.number("height_level0_px", 0))};
    slide.um_per_px = {slide.number("um_per_px_x", 0), slide.number("um_per_px_y", 0)};
    if (slide.extent.width < 1 || slide.extent.height < 1 || !(slide.um_per_px.x > 0) || !(slide.um_per_px.y > 0)) {
      throw InputError((slide.folder / "summary.json").string() +
                       ": width_level0_px, height_level0_px, um_per_px_x or um_per_px_y is missing; analyse the slide again");
    }
    find_scan(slide, slides);
    if (icc == true && slide.missing.empty()) wsi::Slide(slide.file, {.um_per_px = {}, .icc = true});  // now rather than tile by tile
    slides_.push_back(std::move(slide));
  }
  if (slides_.empty()) throw InputError(folder_.string() + ": no slide of this run is finished; run clmnet analyze to its end");
}

void ViewRun::find_scan(ViewSlide& slide, const fs::path& slides) const {
  const std::string recorded = slide.text("slide_path");
  std::error_code error;
  try {
    if (!slides.empty()) {
      slide.file = file_inside(slides, slides, slide.text("file"));
    } else if (!recorded.empty() && fs::path(recorded).is_absolute() && fs::is_regular_file(recorded, error)) {
      slide.file = fs::canonical(recorded);
    } else {
      slide.missing = slide.text("file") + ": the run does not say where it lies; start clmnet view with --slides DIR";
    }
  } catch (const InputError& problem) {
    slide.missing = problem.what();
  }
}

const ViewSlide* ViewRun::find(const std::string& id) const {
  const auto found = std::find_if(slides_.begin(), slides_.end(), [&](const ViewSlide& slide) { return slide.id == id; });
  return found == slides_.end() ? nullptr : &*found;
}

std::shared_ptr<const LayerSet> ViewRun::layers(const ViewSlide& slide) {
  if (auto kept = open_.find(slide.id)) return kept;
  auto opened = open_layers(slide);
  open_.put(slide.id, opened, 1);
  return opened;
}

std::shared_ptr<const LayerSet> ViewRun::open_layers(const ViewSlide& slide) const {
  auto set = std::make_shared<LayerSet>();
  std::vector<std::string> stems;
  bool has_risk = false;
  for (const auto& entry : fs::directory_iterator(slide.folder)) {
    if (entry.path().extension() != ".tiff") continue;
    if (entry.path().stem() == "risk") has_risk = true;
    else stems.push_back(entry.path().stem().string());
  }
  std::sort(stems.begin(), stems.end(), [](const std::string& a, const std::string& b) {
    return std::pair(rank_of(a), a) < std::pair(rank_of(b), b);
  });
  const auto trying = [&](const auto& add) {
    try {
      add();
    } catch (const InputError& problem) {
      set->problems.push_back(problem.what());
    }
  };
  for (const auto& stem : stems) {
    trying([&] {
      auto layer = open_heatmap(file_inside(folder_, slide.folder, stem + ".tiff"), slide.extent);
      layer->id = stem;
      layer->title = title_of(stem);
      set->layers.push_back(std::move(layer));
    });
  }
  trying([&] {
    for (auto& layer : layers_of_tiles(file_inside(folder_, slide.folder, "tiles.csv"))) set->layers.push_back(std::move(layer));
  });
  if (has_risk) {
    trying([&] {
      auto layer = open_risk_map(file_inside(folder_, slide.folder, "risk.tiff"), file_inside(folder_, slide.folder, "tiles.csv"),
                                 slide.um_per_px);
      layer->id = "risk";
      layer->title = "Survival risk, per tile";
      set->layers.push_back(std::move(layer));
    });
  }
  if (slide.missing.empty()) {
    for (auto& layer : tissue_layers(slide.file, slide.extent, slide.um_per_px, tissue_options(document_), run_icc(document_))) {
      set->layers.push_back(std::move(layer));
    }
  }
  return set;
}

std::string ViewRun::outlines(const ViewSlide& slide) const {
  std::error_code error;
  if (!fs::exists(slide.folder / "tumour.geojson", error)) return {};
  return read_whole_file(file_inside(folder_, slide.folder, "tumour.geojson"));
}

}  // namespace clmnet::tools::view
