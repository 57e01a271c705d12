#include "nets/device.h"

#include <dlfcn.h>
#include <malloc.h>

#include <limits>

#include "tools/base/csv.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

CudaState look_for_cuda() {
  CudaState state;
  // RTLD_GLOBAL: its kernels register themselves with the dispatcher of libtorch_cpu.so, which is loaded already.
  if (::dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* reason = ::dlerror();
    state.problem = std::string("libtorch_cuda.so cannot be loaded: ") + (reason ? reason : "unknown reason") +
                    "; 'tools/setup --cuda' fetches the CUDA libraries";
    return state;
  }
  state.library = true;
  state.devices = static_cast<int>(torch::cuda::device_count());
  if (state.devices == 0) state.problem = "no CUDA device: no NVIDIA driver, or it hides its devices (see nvidia-smi)";
  return state;
}

/// glibc gives large blocks back to the kernel as soon as they are freed, and every layer's activations are such blocks: their
/// pages are then cleared and mapped anew, layer after layer. Kept, they are taken again as they are.
void keep_freed_memory() {
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}

}  // namespace

const CudaState& cuda_state() {
  static const CudaState state = look_for_cuda();
  return state;
}

torch::Device select_device(const std::string& text) {
  keep_freed_memory();
  if (text == "cpu") return torch::kCPU;
  if (text == "auto") return cuda_state().devices > 0 ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
  int index = 0;
  if (text.starts_with("cuda:")) {
    const auto number = parse_number(text.substr(5));
    if (!number || *number < 0 || *number > 127 || *number != static_cast<int>(*number)) {
      throw InputError("--device " + text + ": expected auto, cpu, cuda or cuda:N");
    }
    index = static_cast<int>(*number);
  } else if (text != "cuda") {
    throw InputError("--device " + text + ": expected auto, cpu, cuda or cuda:N");
  }
  const CudaState& state = cuda_state();
  if (state.devices == 0) throw InputError("--device " + text + ": " + state.problem + "; or take --device cpu");
  if (index >= state.devices) {
    throw InputError("--device " + text + ": this machine has " + std::to_string(state.devices) + " CUDA device(s), counted from 0");
  }
  return {torch::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

}  // namespace clmnet::nets
