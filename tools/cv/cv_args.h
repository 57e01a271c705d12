#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/cv/cv_survival.h"

namespace clmnet::tools {

/// The command line of `clmnet cv`.
struct CvArgs {
  std::vector<std::string> manifests, train_manifests, test_manifests;
  std::string out, config, folds_file, device = "auto";
  int folds = 5, repeats = 1, threads = 0, jobs = 1;
  bool final_model = false;
  std::optional<std::uint64_t> permute_labels;
  ClinicalArgs clinical;
  std::string only_fold, fold_device;  ///< "REPEAT/FOLD" and where: what a process of --jobs does; not for people
};

}  // namespace clmnet::tools
