#pragma once

#include <string>
#include <vector>

#include "nets/training/manifest.h"
#include "tools/progress.h"

namespace clmnet::tools {

/// Faults of the data, one line each.
using Problems = std::vector<std::string>;

/// Files that a manifest names and that are not there, and classes that are none; so that read_manifests, which stops at the first,
/// is not asked in vain. The rows that can be read are given back, with absent files left out.
std::vector<nets::ManifestRow> scan_manifests(const std::vector<std::string>& files, std::int64_t classes, Problems& problems);

/// Reads every image and mask once. Adds those that cannot be read, masks of another size, and images whose pixels also stand in
/// another part of the run or with another patient, both named.
/// parts   rows of each part; names of the parts for messages
/// Result: how many images have the pixels of another image of the same patient and part.
std::size_t check_pixels(const std::vector<const std::vector<nets::ManifestRow>*>& parts, const std::vector<std::string>& names,
                         const nets::ImageLoader& load, Problems& problems, ProgressBar& bar);

/// Patients on both sides of a split, each named once.
void check_apart(const std::vector<nets::ManifestRow>& a, const std::vector<nets::ManifestRow>& b, const std::string& sides,
                 Problems& problems);

/// Throws InputError with all of them, "N problems, nothing was trained" first; does nothing when there is none.
void throw_problems(const Problems& problems);

}  // namespace clmnet::tools
