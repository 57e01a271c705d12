#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "tools/view/grey_layer.h"
#include "wsi/tissue.h"

namespace clmnet::tools::view {

/// Two layers that are found in the scan itself when one of them is first looked at:
/// "tissue"   1 tissue, 0 glass, as clmnet tissue and analyze find it;
/// "quality"  how sharp each piece of tissue is (0 blurred, 1 sharp; median focus), 0 where it is folded or under pen, no data on
///            glass. Their tile() throws InputError where the scan cannot be read.
/// icc  in the slide's colours brought to sRGB, as analyze --icc looks.
std::vector<std::unique_ptr<GreyLayer>> tissue_layers(const std::filesystem::path& scan, wsi::SizePx extent, wsi::UmPerPx um_per_px,
                                                      const wsi::TissueOptions& options, bool icc);

}  // namespace clmnet::tools::view
