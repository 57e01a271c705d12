#pragma once

#include <nlohmann/json.hpp>

#include "tools/config_file.h"
#include "tools/tile_labels.h"
#include "wsi/grid.h"
#include "wsi/label_mask.h"
#include "wsi/tissue.h"

namespace clmnet::tools {

/// How a slide and its annotation become labelled tiles, for `clmnet tile` and for slides in a manifest.
struct TileCutOptions {
  wsi::GridOptions grid;
  wsi::TissueOptions tissue;
  ClassMap classes = ClassMap::usual();
  AnnotationFrame frame = AnnotationFrame::automatic;
  wsi::TileLabelOptions labels;
};

/// "scan", "bounds" or "auto". Throws InputError for another text.
AnnotationFrame annotation_frame(const std::string& text);

/// Takes tiles.min_tissue and the sections [tissue] and [annotations] of configs/tile.toml. Throws InputError as ConfigFile.
void take_tile_cut(ConfigFile& file, TileCutOptions& cut);

/// For what is recorded of a run.
nlohmann::json tissue_json(const wsi::TissueOptions& tissue);
nlohmann::json annotations_json(const TileCutOptions& cut);

}  // namespace clmnet::tools
