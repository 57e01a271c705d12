#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "wsi/slide.h"

namespace clmnet::tools {

/// What every command that opens a slide takes: --mpp, --reader and --icc.
struct SlideArgs {
  std::optional<double> um_per_px;  ///< --mpp, µm; the same in x and y
  std::string reader = "auto";
  bool icc = false;                 ///< --icc
  std::string flag = "--mpp";       ///< another name where --mpp is the resolution of what comes out

  void add_to(CLI::App& command);
  wsi::SlideOptions options() const;
};

}  // namespace clmnet::tools
