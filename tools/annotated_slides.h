#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "nets/training/manifest.h"
#include "tools/tile_config.h"
#include "wsi/stain_reference.h"

namespace clmnet::tools {

/// How annotated slides of a manifest become tiles: as `clmnet tile --annotations` cuts and labels them.
struct AnnotatedSlideOptions : TileCutOptions {
  bool icc = false;               ///< colours to sRGB through each slide's ICC profile
};

/// Takes what take_tile_cut takes, and tiles.um_per_px, tiles.tile_px, tiles.stride_px (default: tile_px) and tiles.icc. The
/// grid of `options` holds the defaults: the model's.
void take_annotated_slides(ConfigFile& file, AnnotatedSlideOptions& options);

nlohmann::json to_json(const AnnotatedSlideOptions& options);

/// The images of manifests, whether they are files or tiles of annotated slides, for train, evaluate and cv.
class ManifestReader {
 public:
  /// stain  colours that views of images and tiles are brought to, each by its own (LabelledImage::colours); one with too little stain
  ///        is left as it is
  explicit ManifestReader(const AnnotatedSlideOptions& slides, std::optional<wsi::StainReference> stain = {});

  /// Reads and joins manifests. A row of a slide is replaced by a row for each tile of known class, in the order of the grid:
  /// the positions, labels and masks of `clmnet tile --annotations`; that of an image with um_per_px by those of tiles_of_image. Of
  /// a slide without patient_id the patient is what PatientTable makes of its name, without diagnosis it is the name of the label's
  /// class.
  /// classes  that the model knows
  /// note     takes a line for each slide: its tiles, and how many were left out because a stored tile is corrupt or missing; and one
  ///          for all images with um_per_px
  /// Throws InputError as nets::read_manifests, tiles_of_image, wsi::Slide and read_slide_annotation; for a slide that stands twice,
  /// has no tile of known class, or a label that is no class; Interrupted when the user stops it.
  std::vector<nets::ManifestRow> read(const std::vector<std::filesystem::path>& files, std::int64_t classes,
                                      const std::function<void(const std::string&)>& note = {}) const;

  /// Reads the pixels and the mask of any row that read() gave. Any thread may call it, also when the reader is gone; at most 16
  /// slides are open at once. Throws InputError as load_labelled_image, and for a tile that cannot be decoded.
  nets::ImageLoader loader() const;

 private:
  class Slides;
  std::shared_ptr<const Slides> slides_;
  std::optional<wsi::StainReference> stain_;
};

}  // namespace clmnet::tools
