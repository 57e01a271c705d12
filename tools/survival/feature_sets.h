#pragma once

#include <string>
#include <vector>

#include "tools/survival/cross_validation.h"
#include "tools/survival/feature_join.h"

namespace clmnet::tools {

/// The columns of each wanted set in a design of `clinical` clinical columns and then those of slides. Sets: clinical; vgg16
/// (features 0 to 511), deeplabv3 (512 to 767), unet (768 to 1023) of a 1024-feature model; ensemble (all features); both
/// (clinical and ensemble). Nothing wanted: those of clinical, ensemble, both that there are.
/// Throws InputError when a set is asked for that the data do not have, or twice.
std::vector<FeatureSet> feature_sets(const std::vector<std::string>& wanted, std::size_t clinical, const PatientFeatures& slides);

/// both, else ensemble, else the first.
const FeatureSet& main_set(const std::vector<FeatureSet>& sets);

}  // namespace clmnet::tools
