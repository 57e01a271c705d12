// The part of doctor that needs the networks' room.
#include <dlfcn.h>

#include <torch/version.h>

#include "nets/device.h"
#include "nets/model_config.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/doctor.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
namespace {

/// The driver's own words, without CUDA headers: cuDriverGetVersion(int*) gives 13000 for 13.0.
std::string driver_version() {
  void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return "";
  const auto get = reinterpret_cast<int (*)(int*)>(::dlsym(driver, "cuDriverGetVersion"));
  int version = 0;
  if (get == nullptr || get(&version) != 0) return "unknown version";
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

std::string libtorch_version() { return TORCH_VERSION; }

std::vector<Finding> look_at_cuda(bool needed) {
  std::vector<Finding> findings;
  const std::string driver = driver_version();
  findings.push_back({"devices", "NVIDIA driver", driver.empty() ? "libcuda.so.1 is not here" : "for CUDA " + driver, !driver.empty(),
                      needed, "install the NVIDIA driver of the distribution, for CUDA 13.0 or newer"});
  const nets::CudaState& state = nets::cuda_state();
  if (state.devices > 0) {
    findings.push_back({"devices", "CUDA", std::to_string(state.devices) + " device(s)", true, needed, ""});
  } else {
    findings.push_back({"devices", "CUDA", state.library ? "LibTorch's CUDA library loads, no device" : "LibTorch's CUDA library does not load",
                        false, needed, state.problem});
  }
  return findings;
}

Finding look_at_model(const fs::path& folder) {
  const std::string advice = "give a model folder with --model; the repository's is nets/zoo/clmnet-s";
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return {"model", "model", folder.string() + ": no such folder", false, true, advice};
  try {
    const nets::ModelConfig config = nets::read_model_config(folder);
    for (const nets::MemberConfig& member : config.members) {
      const fs::path weights = folder / member.weights;
      const std::string found = sha256_of_file(weights);
      if (!member.sha256.empty() && found != member.sha256) {
        return {"model", "model", weights.string() + ": SHA-256 is " + found + ", config.json says " + member.sha256, false, true,
                "the file is damaged or of another model; get it again"};
      }
    }
    return {"model", "model", config.name + " (" + folder.string() + "), " + std::to_string(config.members.size()) +
                                  " networks, checksums agree", true, true, ""};
  } catch (const InputError& error) {
    return {"model", "model", error.what(), false, true, advice};
  }
}

}  // namespace clmnet::tools
