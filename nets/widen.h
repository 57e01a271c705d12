#pragma once

#include <optional>

#include "nets/checkpoint/state_dict.h"
#include "nets/member.h"

namespace clmnet::nets {

/// Weights for `network`, which make_member(wide) made, from those of the same network (classes, gates, features, rates) at a
/// smaller width: it computes the same, with channels to spare (Net2Net: Chen et al. 2016, arXiv:1511.05641). At twice the width
/// each channel stands twice, at one and a half every second one does. What reads the copies of a channel weighs them differently,
/// with the sum of the narrow network's weight and, in a convolution drawn as He et al. say, the variance of one so drawn, so that
/// training drives the copies apart. Drawn from LibTorch's global generator.
/// weights  any float type; what comes out is float32, in the order and with the names of the network's state_dict()
/// Returns  nothing when the weights are of no such network: as wide or wider, of other classes, another network, or when a layer's
///          channels do not grow by the share that the first layer's do (gates have four at least; parts put side by side)
std::optional<NamedTensors> widened(const Member& network, const MemberOptions& wide, const NamedTensors& weights);

}  // namespace clmnet::nets
