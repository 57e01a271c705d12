#pragma once

#include <optional>

#include "nets/checkpoint/state_dict.h"
#include "nets/member.h"

namespace clmnet::nets {

/// Weights for `network`, which make_member(wide) made, from those of the same network (classes, gates, features, rates) at a whole
/// fraction of its width: it computes the same, with channels to spare (Net2Net: Chen et al. 2016, arXiv:1511.05641). Each channel stands `factor`
/// times; what reads the copies weighs them differently, with the sum of the narrow network's weight and, in a convolution drawn as He et
/// al. say, the variance of one so drawn, so that training drives the copies apart. Drawn from LibTorch's global generator.
/// weights  any float type; what comes out is float32, in the order and with the names of the network's state_dict()
/// Returns  nothing when the weights are of no such network: of its own width, of other classes, of another network, or when a layer has
///          no whole multiple of their channels (gates at thrice the width)
std::optional<NamedTensors> widened(const Member& network, const MemberOptions& wide, const NamedTensors& weights);

}  // namespace clmnet::nets
