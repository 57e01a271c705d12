#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include <nlohmann/json.hpp>

#include "tools/view/review.h"
#include "wsi/slide.h"

namespace clmnet::tools::view {

/// A reader's corrections and verdicts as training data: tiles of the size and µm/px that the run's model sees, cut where at
/// least 95 % of a tile lie inside one judged shape (one tile at its centre, half inside, where the shape is smaller), with
/// masks, and manifest.csv with the columns image, mask, patient_id, diagnosis, tumour that clmnet train takes. patient_id is the
/// slide's name: tiles of one slide stay in one part of the split. A point gives an image without a mask.
/// Agree makes a region tumour, disagree makes it not tumour, unsure leaves it out.
/// `open` gives the scan of a slide, null where it is missing. Files are written under `folder`.
/// Result: {folder, images, tumour, not_tumour, left_out}. Throws InputError when the disk does not take them.
nlohmann::json export_training(const ReviewState& state, const ViewRun& run, const std::filesystem::path& folder,
                               const std::function<std::shared_ptr<const wsi::Slide>(const ViewSlide&)>& open);

}  // namespace clmnet::tools::view
