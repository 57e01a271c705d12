#include "tools/tile_config.h"

#include "tools/base/error.h"

namespace clmnet::tools {

AnnotationFrame annotation_frame(const std::string& text) {
  if (text == "scan") return AnnotationFrame::scan;
  if (text == "bounds") return AnnotationFrame::bounds;
  if (text == "auto") return AnnotationFrame::automatic;
  throw InputError("annotations.frame is '" + text + "', expected auto, scan or bounds");
}

void take_tile_cut(ConfigFile& file, TileCutOptions& cut) {
  file.take("tiles.min_tissue", cut.grid.min_tissue, 0, 1);
  file.take("tissue.um_per_px", cut.tissue.um_per_px, 0.5, 100);
  file.take("tissue.min_piece_mm2", cut.tissue.min_piece_mm2, 0, 1000);
  file.take("tissue.min_hole_mm2", cut.tissue.min_hole_mm2, 0, 1000);
  std::vector<std::string> classes;
  file.take("annotations.classes", classes);
  cut.classes.add(classes);
  std::string outside = "0", frame = "auto";
  file.take("annotations.outside", outside);
  if (outside != "0" && outside != "ignore") throw InputError("annotations.outside is '" + outside + "', expected 0 or ignore");
  cut.labels.outside = outside == "0" ? 0 : wsi::kUnknownLabel;
  file.take("annotations.label_share", cut.labels.min_share, 1e-6, 1);
  file.take("annotations.frame", frame);
  cut.frame = annotation_frame(frame);
}

nlohmann::json tissue_json(const wsi::TissueOptions& tissue) {
  return {{"um_per_px", tissue.um_per_px}, {"min_piece_mm2", tissue.min_piece_mm2}, {"min_hole_mm2", tissue.min_hole_mm2}};
}

nlohmann::json annotations_json(const TileCutOptions& cut) {
  const char* frame = cut.frame == AnnotationFrame::scan ? "scan" : cut.frame == AnnotationFrame::bounds ? "bounds" : "auto";
  return {{"classes", cut.classes.text()},
          {"outside", cut.labels.outside == 0 ? "0" : "ignore"},
          {"label_share", cut.labels.min_share},
          {"frame", frame}};
}

}  // namespace clmnet::tools
