#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/slide_args.h"
#include "tools/tile_config.h"
#include "wsi/stain_reference.h"

namespace clmnet::tools {

enum class TileImages { none, hdf5, jpeg, png };

/// The command line of `clmnet tile`.
struct TileArgs {
  std::vector<std::string> slides, classes;
  std::string out, config, images = "none", annotations, patients, outside, frame, stain, stain_reference;
  std::optional<double> um_per_px, min_tissue, label_share;
  std::optional<int> jpeg_quality;
  int tile_px = 256, stride_px = 0, threads = 0;
  SlideArgs how{{}, "auto", false, "--slide-mpp"};
};

/// Command line and configuration file put together: all that decides what comes out.
struct TileSetup : TileCutOptions {
  TileImages images = TileImages::none;
  int jpeg_quality = 90;
  int threads = 0;
  std::string annotations;           ///< file or folder; empty: none
  PatientTable patients;
  std::optional<wsi::StainReference> stain;  ///< colours that all slides are brought to
  nlohmann::json configuration;      ///< recorded in run.json; another one does not go on in the same folder
};

/// Throws InputError for a configuration, reference or table that cannot be used, and for options that do not go together.
TileSetup read_tile_setup(const TileArgs& args);

}  // namespace clmnet::tools
