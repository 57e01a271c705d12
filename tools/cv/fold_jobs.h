#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tools/progress.h"

namespace clmnet::tools {

/// One fold to do. `run` does it in this process; `name` is what a process of its own gets as --only-fold.
struct FoldJob {
  std::string name, label;
  std::filesystem::path folder;
  std::function<void()> run;
};

/// Does the jobs, `jobs` at a time: one in this process, several in processes of the same command line and --only-fold, whose
/// messages go to FOLDER/log.txt and who end with this one. A job that fails leaves FOLDER/failure.json {message, when}, and the
/// others go on.
/// Result: a line for each that failed. Throws Interrupted when the user stops it; then nothing runs on.
std::vector<std::string> run_fold_jobs(const std::vector<FoldJob>& list, int jobs, ProgressBar& bar);

/// What run_fold_jobs does with a failure.
void write_failure(const std::filesystem::path& folder, const std::string& message);

}  // namespace clmnet::tools
