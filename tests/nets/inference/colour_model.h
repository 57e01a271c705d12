#pragma once

#include <filesystem>

namespace clmnet::test {

/// Writes a model of one U-Net whose weights are set by hand so that a pixel is tumour where red is low: the logit rises
/// with how far the normalised red lies below the middle between `pale` and `dark` (0 to 255). What it says of a pixel
/// depends on that pixel alone, so the truth of a drawn slide is known.
/// patch 64 px at `um_per_px`.
void write_colour_model(const std::filesystem::path& folder, double um_per_px, double pale, double dark);

}  // namespace clmnet::test
