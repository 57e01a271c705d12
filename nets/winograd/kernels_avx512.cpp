#if defined(__x86_64__)
#define CLMNET_LANES 16
#define CLMNET_ROWS 14  // times two registers, two of the panel and one of the tile: 31 of 32 registers
#include "nets/winograd/kernels.h"

namespace clmnet::nets::winograd {
const Kernels kAvx512Kernels = {2 * CLMNET_LANES, run_stripe};
}  // namespace clmnet::nets::winograd
#endif
