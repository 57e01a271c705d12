#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace clmnet::tools {

/// One thing that was looked for.
struct Finding {
  std::string group;    ///< "libraries", "devices", "model", "data"
  std::string name;
  std::string found;    ///< a version, a path, a device; what is missing where ok is false
  bool ok = true;
  bool needed = true;   ///< without it the command ends with status 1
  std::string advice;   ///< how to get it, where ok is false
};

/// Versions of the libraries that this build uses, as they are loaded, not as they were compiled against where both can be asked.
std::vector<Finding> look_at_libraries();

/// Processor, its instruction set, memory.
std::vector<Finding> look_at_processor();

/// gnuplot, which draws the figures.
Finding look_at_gnuplot();

/// The folder that CLMNET_DATA names, by default ../shared/data beside the checkout; tests and demo use it.
Finding look_at_data();

// In builds with networks only, in the part that is linked with LibTorch (doctor_nets.cpp):

std::string libtorch_version();

/// The model's config.json and its weights, each with its checksum.
Finding look_at_model(const std::filesystem::path& folder);

/// Whether --device cuda would work; `needed` when the user asked for it.
std::vector<Finding> look_at_cuda(bool needed);

/// All of that part's findings.
struct NetsFindings {
  Finding libtorch;
  std::vector<Finding> others;  ///< devices, then the model
};

/// False when something that is needed is missing.
bool all_well(const std::vector<Finding>& findings);

/// {"ok": …, "libraries": {name: {"found", "ok", "needed", "advice"}}, "devices": …}
nlohmann::json to_json(const std::vector<Finding>& findings);

/// One line per finding, grouped; advice on a line of its own below what is missing.
std::string to_text(const std::vector<Finding>& findings);

}  // namespace clmnet::tools
