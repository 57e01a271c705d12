#pragma once

#include "nets/torch.h"

namespace clmnet::nets {

/// What clip_grad_norm_(parameters, clip) and optimizer.step() do, for all parameters in a few kernels instead of a dozen each: a
/// GPU waits for those of a small network longer than it computes. Same results but for rounding, the same state.
/// optimizer   one group of parameters, without amsgrad; parameters without a gradient are left as they are
/// clip        largest norm of all gradients together
void step_grouped(torch::optim::AdamW& optimizer, double clip);

}  // namespace clmnet::nets
