#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/view/grey_layer.h"
#include "tools/view/slide_tiles.h"

namespace clmnet::tools::view {

/// One slide of a run as it is shown.
struct ViewSlide {
  std::string id;                     ///< its folder's name in RUN
  nlohmann::json summary;             ///< summary.json
  std::filesystem::path folder;       ///< RUN/<id>
  std::filesystem::path file;         ///< the scan; empty when it was not found
  std::string missing;                ///< why there is no scan
  wsi::SizePx extent;                 ///< level 0
  wsi::UmPerPx um_per_px;             ///< as analyze used it

  /// "file" of the summary; a missing or odd value is an empty text.
  std::string text(const std::string& key) const;
  double number(const std::string& key, double otherwise) const;
};

/// A slide's layers, and why others could not be opened.
struct LayerSet {
  std::vector<std::unique_ptr<GreyLayer>> layers;
  std::vector<std::string> problems;

  const GreyLayer* find(const std::string& id) const;
};

/// A run folder, read only. Files are taken from RUN and the slides that it names, and from nowhere else.
class ViewRun {
 public:
  /// `slides` is where scans lie that the run does not give a path of; empty: beside RUN and as recorded.
  /// `icc` says whether colours are shown in sRGB through the slides' ICC profiles; empty: as the run read them.
  /// Throws InputError when the folder is no finished run of analyze, and with icc as wsi::Slide for the first scan whose
  /// colours cannot be brought to sRGB.
  ViewRun(const std::filesystem::path& folder, const std::filesystem::path& slides, std::optional<bool> icc = {});

  const std::filesystem::path& folder() const { return folder_; }
  const nlohmann::json& document() const { return document_; }
  const std::vector<ViewSlide>& slides() const { return slides_; }
  /// Whether slides are shown through their ICC profiles.
  bool icc() const { return icc_; }
  const ViewSlide* find(const std::string& id) const;

  /// Opened at the first call and kept (bounded). Any thread may call.
  std::shared_ptr<const LayerSet> layers(const ViewSlide& slide);
  /// tumour.geojson as text; empty when there is none.
  std::string outlines(const ViewSlide& slide) const;

 private:
  void find_scan(ViewSlide& slide, const std::filesystem::path& slides) const;
  std::shared_ptr<const LayerSet> open_layers(const ViewSlide& slide) const;

  std::filesystem::path folder_;
  nlohmann::json document_;
  bool icc_ = false;
  std::vector<ViewSlide> slides_;
  LruCache<LayerSet> open_{16};
};

}  // namespace clmnet::tools::view
