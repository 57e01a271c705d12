#pragma once

#include "nets/model_config.h"
#include "nets/torch.h"

namespace clmnet::nets {

/// What Reinhard's normalisation does to each tile by its own colours, as operations that a TorchScript program can hold; wsi/stain.h
/// does the same to pixels, by a table. A tile of fewer than 100 tissue pixels is left as it is.
/// rgb     float [N,3,H,W], 0 to 1
/// stain   method "reinhard"; std::invalid_argument for another
torch::Tensor normalise_tiles(const torch::Tensor& rgb, const StainTarget& stain);

}  // namespace clmnet::nets
