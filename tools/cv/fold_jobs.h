#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tools/progress.h"

namespace clmnet::tools {

/// What a user who stops a run is told.
inline constexpr const char* kWhatIsKept = "what is finished is kept; the same command goes on";

/// One fold to do. `run` does it in this process; `name` is what a process of its own gets as --only-fold.
struct FoldJob {
  std::string name, label;
  std::filesystem::path folder;
  std::function<void()> run;
};

/// Devices for jobs that run side by side.
class DeviceSlots {
 public:
  /// Throws std::invalid_argument when there is none.
  explicit DeviceSlots(std::vector<std::string> devices);
  /// The device with the fewest jobs, the first of equals; it counts one more until give_back().
  std::string take();
  void give_back(const std::string& device);

 private:
  std::vector<std::pair<std::string, int>> jobs_on_;
};

/// Does the jobs, `jobs` at a time: one in this process, several in processes of the same command line, --only-fold and
/// --fold-device (one of `devices`, dealt by DeviceSlots), whose messages go to FOLDER/log.txt and who end with this one. A job
/// that fails leaves FOLDER/failure.json {message, when}, and the others go on.
/// Result: a line for each that failed. Throws Interrupted when the user stops it; then nothing runs on.
std::vector<std::string> run_fold_jobs(const std::vector<FoldJob>& list, int jobs, const std::vector<std::string>& devices,
                                       ProgressBar& bar);

/// What run_fold_jobs does with a failure. Where the folder takes no file (the disk is full) the message is left to be printed.
void write_failure(const std::filesystem::path& folder, const std::string& message);

}  // namespace clmnet::tools
