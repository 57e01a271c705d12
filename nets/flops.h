#pragma once

#include <cstdint>
#include <functional>

namespace clmnet::nets {

/// Floating-point operations of the convolutions and matrix products that `run` does with LibTorch on this thread; a
/// multiplication and an addition are two. Everything else (normalisation, ReLU, resizing) is left out, as usual.
/// Convolutions count as they are defined, whatever algorithm does them; fused ones (a prepared network's) are not seen, so
/// count on plain modules.
std::int64_t count_flops(const std::function<void()>& run);

}  // namespace clmnet::nets
