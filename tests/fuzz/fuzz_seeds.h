#pragma once

#include <string>
#include <vector>

namespace clmnet::wsi {

/// Small whole slides of every kind that the direct reader takes: subsampling, RGB, BigTIFF, tables in each tile, several levels.
std::vector<std::string> fuzz_seeds();

}  // namespace clmnet::wsi
