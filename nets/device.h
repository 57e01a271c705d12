#pragma once

#include <string>

#include "nets/torch.h"

namespace clmnet::nets {

/// What is known of GPUs without asking for one.
struct CudaState {
  bool library = false;   ///< libtorch_cuda.so could be loaded
  int devices = 0;
  std::string problem;    ///< what is missing, empty when a device can be used
};

/// Loads libtorch_cuda.so at run time, once; one binary serves machines with and without a GPU.
const CudaState& cuda_state();

/// Where the networks run, and what their memory needs there: from now on the process keeps freed memory for the next tensors
/// in place of giving it back to the kernel (a quarter of the time of training on a CPU went into mapping it again).
/// "auto" takes the first GPU where there is one, else the CPU; "cpu"; "cuda"; "cuda:N".
/// Throws InputError: another word, or a GPU asked for and not there; the message says what is missing.
torch::Device select_device(const std::string& text);

}  // namespace clmnet::nets
