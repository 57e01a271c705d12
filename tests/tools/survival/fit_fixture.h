#pragma once

#include <cmath>
#include <filesystem>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "survival/outcome.h"
#include "survival/random.h"
#include "tests/base/temporary_folder.h"
#include "wsi/features_h5.h"
#include "wsi/tiles_csv.h"

namespace clmnet::tools::test {

inline double normal(survival::Random& random) {
  double sum = -6;
  for (int k = 0; k < 12; ++k) sum += random.uniform();
  return sum;
}

/// A run folder of drawn slides beside its manifest: tiles of 4 features on a grid of 256 px, half of them tumour.
struct DrawnRun {
  clmnet::test::TemporaryFolder folder;
  std::vector<std::string> patients;
  std::string manifest = "slide,patient_id\n";

  std::filesystem::path run() const { return folder / "run"; }
  std::filesystem::path slides() const { return folder.write("slides.csv", manifest); }

  static wsi::TilesInfo info(const std::string& name) {
    wsi::TilesInfo info;
    info.slide_name = name;
    info.source = "drawn";
    info.extent = {2000, 1000};
    info.level0_um_per_px = {0.5, 0.5};
    info.levels = {{{2000, 1000}, 1, 1}};
    info.grid = {256, 256, {0.5, 0.5}, 0.1};
    info.encoder = "drawn";
    return info;
  }

  /// rows: one per tile; tumour: one probability per tile (empty: no tiles.csv).
  void add_slide(const std::string& slide, const std::string& patient, const std::vector<std::vector<float>>& rows,
                 const std::vector<float>& tumour = {}) {
    std::vector<wsi::TileSpec> tiles;
    cv::Mat features(static_cast<int>(rows.size()), rows.empty() ? 0 : static_cast<int>(rows[0].size()), CV_32F);
    for (int i = 0; i < features.rows; ++i) {
      tiles.push_back({{256 * (i % 4), 256 * (i / 4)}, i % 4, i / 4});
      for (int j = 0; j < features.cols; ++j) {
        features.at<float>(i, j) = rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
      }
    }
    std::filesystem::create_directories(run() / slide);
    wsi::write_features_h5(run() / slide / "features.h5", tiles, features, info(slide));
    if (!tumour.empty()) wsi::write_tiles_csv(run() / slide / "tiles.csv", tiles, {256, 256}, {{"prob_tumour", tumour}});
    manifest += slide + ".svs," + patient + "\n";
  }
};

/// Times whose hazard is exp(effect * z), z standard normal; censored between 0.5 and 3.
inline void draw_time(survival::Random& random, double log_hazard, survival::Outcome& outcome) {
  const double death = -std::log(1 - random.uniform()) * std::exp(-log_hazard), end = 0.5 + 2.5 * random.uniform();
  outcome.time.push_back(std::min(death, end));
  outcome.event.push_back(death <= end);
}

}  // namespace clmnet::tools::test
