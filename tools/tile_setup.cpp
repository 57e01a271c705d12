#include "tools/tile_setup.h"

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/config_file.h"

namespace clmnet::tools {

using nlohmann::json;

namespace {

void take_config(const TileArgs& args, TileSetup& setup) {
  ConfigFile file = args.config.empty() ? ConfigFile() : ConfigFile(args.config);
  take_tile_cut(file, setup);
  file.take("images.jpeg_quality", setup.jpeg_quality, 1, 100);
  file.finish();
}

TileImages images_of(const std::string& name) {
  if (name == "hdf5") return TileImages::hdf5;
  if (name == "jpeg") return TileImages::jpeg;
  return name == "png" ? TileImages::png : TileImages::none;
}

void read_stain(const TileArgs& args, TileSetup& setup) {
  if (args.stain.empty()) {
    if (!args.stain_reference.empty()) throw InputError("--stain-reference without --stain-normalise; give macenko or reinhard");
    return;
  }
  if (setup.images == TileImages::none) throw InputError("--stain-normalise changes pixels; give --images hdf5, jpeg or png");
  setup.stain = wsi::read_stain_reference(args.stain, args.stain_reference);
}

json configuration_of(const TileArgs& args, const TileSetup& setup) {
  return {{"command", "tile"},
          {"version", CLMNET_VERSION},
          {"slide_um_per_px", args.how.um_per_px ? json(*args.how.um_per_px) : json()},
          {"reader", args.how.reader},
          {"icc", args.how.icc},
          {"tiles",
           {{"um_per_px", setup.grid.um_per_px.x},
            {"tile_px", setup.grid.tile_px},
            {"stride_px", setup.grid.stride_px},
            {"min_tissue", setup.grid.min_tissue}}},
          {"tissue", tissue_json(setup.tissue)},
          {"images", args.images},
          {"jpeg_quality", setup.images == TileImages::jpeg ? json(setup.jpeg_quality) : json()},
          {"annotations", setup.annotations.empty() ? json() : annotations_json(setup)},
          {"stain", setup.stain ? wsi::to_json(*setup.stain) : json()}};
}

}  // namespace

TileSetup read_tile_setup(const TileArgs& args) {
  TileSetup setup;
  setup.images = images_of(args.images);
  take_config(args, setup);
  setup.grid.um_per_px = {args.um_per_px.value(), args.um_per_px.value()};
  setup.grid.tile_px = args.tile_px;
  setup.grid.stride_px = args.stride_px > 0 ? args.stride_px : args.tile_px;
  if (setup.grid.stride_px > setup.grid.tile_px) {
    throw InputError(std::string("--stride-px is ") + std::to_string(setup.grid.stride_px) + ", expected at most --tile-px (" +
                     std::to_string(setup.grid.tile_px) + "); a larger one would leave tissue out between the tiles");
  }
  if (args.min_tissue) setup.grid.min_tissue = *args.min_tissue;
  if (args.label_share) setup.labels.min_share = *args.label_share;
  if (args.jpeg_quality) setup.jpeg_quality = *args.jpeg_quality;
  setup.threads = args.threads;
  setup.classes.add(args.classes);
  setup.annotations = args.annotations;
  if (!args.outside.empty()) setup.labels.outside = args.outside == "0" ? 0 : wsi::kUnknownLabel;
  if (!args.frame.empty()) setup.frame = annotation_frame(args.frame);
  if (!args.annotations.empty()) {
    if (setup.images != TileImages::jpeg && setup.images != TileImages::png) {
      throw InputError("--annotations makes training images; give --images jpeg or png");
    }
    std::error_code ignored;
    if (!std::filesystem::exists(args.annotations, ignored)) throw InputError(args.annotations + ": no such file or folder");
    if (args.slides.size() > 1 && !std::filesystem::is_directory(args.annotations, ignored)) {
      throw InputError(args.annotations + ": is one file for " + std::to_string(args.slides.size()) +
                       " slides; give a folder with one file per slide, of the slide's name");
    }
  }
  if (!args.patients.empty()) setup.patients = PatientTable(args.patients);
  read_stain(args, setup);
  setup.configuration = configuration_of(args, setup);
  return setup;
}

}  // namespace clmnet::tools
