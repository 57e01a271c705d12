#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "nets/torch.h"

namespace clmnet::nets {

/// One image of a manifest: a CSV with image,mask,patient_id,diagnosis,tumour; paths relative to the CSV.
struct ManifestRow {
  std::filesystem::path image;
  std::filesystem::path mask;  ///< empty: not used for the mask
  std::string patient;         ///< empty: unknown; such an image is trained on but never validated on
  std::string diagnosis;
  int label = -1;              ///< class index; -1: not used for the class
};

/// Reads and joins manifests. Columns image and tumour are needed, the others may be missing.
/// Throws InputError that names file and line: no rows, a label that is no class of `classes`, a missing image or mask file.
std::vector<ManifestRow> read_manifests(const std::vector<std::filesystem::path>& files, std::int64_t classes = 2);

/// An image with what is known of it.
struct LabelledImage {
  torch::Tensor rgb;   ///< uint8 [H,W,3], contiguous
  torch::Tensor mask;  ///< uint8 [H,W], 1 is tumour; undefined: not used for the mask
  int label = -1;
};

/// Reads the pixels of a row; any thread may call it. `tools` gives one that uses OpenCV, tests give their own.
using ImageLoader = std::function<LabelledImage(const ManifestRow&)>;

/// What a mask file means for a row: in a tumour image its non-zero pixels are tumour, in an image of another class there
/// is none; where the class is unknown nothing is known of the mask either.
/// lesion  uint8 [H,W], undefined where there is no file.
torch::Tensor tumour_mask(const ManifestRow& row, const torch::Tensor& lesion);

/// Rows by their place in a list.
struct Split {
  std::vector<std::size_t> train;
  std::vector<std::size_t> validation;
  std::vector<std::size_t> test;
};

/// Puts about these shares of each class's patients into the validation and the test part: whole patients, those with several
/// classes by their highest one. Rows without a patient are trained on: their neighbours could not be kept apart.
/// Throws InputError when that leaves no row of some class to train or to validate on, or no row with a patient.
Split split_by_patient(const std::vector<ManifestRow>& rows, double validation_fraction, double test_fraction, std::uint64_t seed);

}  // namespace clmnet::nets
