#if defined(__x86_64__)
#define CLMNET_LANES 8
#define CLMNET_ROWS 6  // times two registers, two of the panel and one of the tile: 15 of 16 registers
#include "nets/winograd/kernels.h"

namespace clmnet::nets::winograd {
const Kernels kAvx2Kernels = {2 * CLMNET_LANES, run_stripe};
}  // namespace clmnet::nets::winograd
#endif
