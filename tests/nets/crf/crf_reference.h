#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "nets/crf/dense_crf.h"

namespace clmnet::nets {

/// A case of the expected values: what pydensecrf2 makes of a picture and a probability.
struct CrfReference {
  int height = 0, width = 0;
  std::vector<std::uint8_t> rgb;
  std::vector<float> probability, refined;
  CrfOptions options;
  double seconds_pydensecrf = 0;

  CrfPicture picture() const { return {rgb.data(), probability.data(), nullptr, height, width}; }
};

/// The folder of expected values: CLMNET_REFERENCE, else ../shared/ref beside the sources.
std::filesystem::path crf_reference_folder();

/// "small" or "large"; empty where the folder is absent.
std::optional<CrfReference> load_crf_reference(const std::string& name);

}  // namespace clmnet::nets
