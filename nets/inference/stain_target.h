#pragma once

#include <optional>

#include "nets/model_config.h"
#include "wsi/stain_reference.h"

namespace clmnet::nets {

/// The colours that a model's tiles are brought to, as wsi/ takes them; none for a model that takes colours as they are.
std::optional<wsi::StainReference> stain_reference_of(const ModelConfig& model);

/// The other way round.
StainTarget stain_target_of(const wsi::StainReference& reference);

}  // namespace clmnet::nets
