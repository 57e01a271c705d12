#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "nets/training/manifest.h"

namespace clmnet::nets {

/// Deals the patients of each class (those with several by their highest one) to `folds` parts of a cross-validation, as evenly
/// as whole patients allow; the same for a seed.
/// events  patients with a known outcome, 1 with the event and 0 without: within a class those with the event, those without and
///         those whose outcome is not known are each dealt evenly too
/// Result: the fold of each row, from 0.
/// Throws InputError when a row has no patient, folds < 2, or a class has fewer patients than folds.
std::vector<int> make_folds(const std::vector<ManifestRow>& rows, int folds, std::uint64_t seed,
                            const std::map<std::string, int>& events = {});

/// Folds that the user gives: a CSV with patient_id,fold; folds count from 1 and none is empty.
/// Result: the fold of each row, from 0.
/// Throws InputError when a patient stands in two folds or a patient of `rows` in none, naming the patient.
std::vector<int> read_folds(const std::filesystem::path& file, const std::vector<ManifestRow>& rows);

}  // namespace clmnet::nets
