#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "nets/torch.h"

namespace clmnet::nets {

/// Where an image of a manifest comes from that is no file of its own: an annotated slide.
struct SlideSource {
  std::filesystem::path slide;
  std::filesystem::path annotation;
  double um_per_px = 0;        ///< of the scan, where the slide does not say it or says it wrong; 0: as the slide says
  bool whole = true;           ///< all its tiles, not cut yet; else one tile
  std::int64_t x = 0, y = 0;   ///< its top-left corner, level-0 px of the scan
};

/// An image whose resolution is known, and which may be larger than a tile; or one of its tiles.
struct ImageSource {
  std::filesystem::path image;
  double um_per_px = 0;
  std::int64_t x = 0, y = 0;   ///< the tile's top-left corner, px at the tiles' µm/px
};

/// One image of a manifest: a CSV with image,mask,patient_id,diagnosis,tumour,um_per_px or
/// slide,annotation,patient_id,diagnosis,um_per_px; paths relative to the CSV.
struct ManifestRow {
  std::filesystem::path image;  ///< the file; of a slide its path, of a tile the name "<path>@<x>_<y>" that results list it by
  std::filesystem::path mask;  ///< empty: not used for the mask
  std::string patient;         ///< empty: unknown; such an image is trained on but never validated on
  std::string diagnosis;
  int label = -1;              ///< class index; -1: not used for the class
  std::optional<SlideSource> slide;  ///< in place of the files image and mask
  std::optional<ImageSource> cut;    ///< of an image with um_per_px: it is seen at the model's µm/px, tile by tile; else it is
                                     ///< brought to one tile, whatever its size
};

/// What read_manifests does with rows of slides: they are an error for who cannot cut them into tiles. Such a reader takes images
/// with um_per_px as those without.
enum class SlideRows { refuse, keep };

/// Reads and joins manifests. Columns image and tumour, or slide and annotation are needed, the others may be missing; a file
/// with both has one of image and slide in each row. A row of a slide comes back whole, with label -1, one of an image with
/// um_per_px whole too.
/// Throws InputError that names file and line: no rows, a label that is no class of `classes`, a missing file, a slide without
/// annotation, a um_per_px that no microscope has.
std::vector<ManifestRow> read_manifests(const std::vector<std::filesystem::path>& files, std::int64_t classes = 2,
                                        SlideRows slides = SlideRows::refuse);

/// An image with what is known of it.
struct LabelledImage {
  torch::Tensor rgb;   ///< uint8 [H,W,3], contiguous
  torch::Tensor mask;  ///< uint8 [H,W], 1 is tumour; undefined: not used for the mask
  int label = -1;
  std::function<void(torch::Tensor& rgb)> colours;  ///< brings pixels, changed or not, to the colours that networks see; empty: as they are
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
