#pragma once

// LibTorch takes about 30 s to compile and trips our own warnings; every file of this room includes it through here,
// where it is also the precompiled header. Headers that other rooms include do not include this one.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Woverloaded-virtual"
#include <torch/torch.h>
#pragma GCC diagnostic pop
