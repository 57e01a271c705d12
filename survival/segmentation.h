#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace clmnet::survival {

/// A binary mask, row by row; any value but 0 is inside. The pixels must outlive the view.
struct MaskView {
  int rows = 0, columns = 0;
  std::span<const std::uint8_t> pixels;  ///< rows * columns

  std::uint8_t at(int row, int column) const { return pixels[static_cast<std::size_t>(row) * columns + column]; }
};

/// Distance between neighbouring pixel centres, in any unit; distances come out in it.
struct PixelSpacing {
  double row = 1;     ///< from one row to the next
  double column = 1;
};

/// Pixels of two masks counted against each other; sums over images make the pooled measures.
struct OverlapCounts {
  double tp = 0, fp = 0, fn = 0, tn = 0;

  OverlapCounts& operator+=(const OverlapCounts& other);
  bool both_empty() const { return tp + fp + fn == 0; }
  /// 2 tp / (2 tp + fp + fn); NaN, undefined, when both masks are empty; 0 when only one is.
  double dice() const;
  /// tp / (tp + fp + fn), undefined as dice.
  double iou() const;
};

/// Throws std::invalid_argument when the masks differ in size or a view's size is not rows * columns.
OverlapCounts overlap(const MaskView& truth, const MaskView& prediction);

/// Distances between the borders of two masks. A border pixel is inside and has a 4-neighbour outside; beyond the image all
/// is outside. Distances are Euclidean between pixel centres. All NaN when either mask is empty.
struct SurfaceDistances {
  double hausdorff = 0;          ///< largest of all
  double hd95_max_of_directed = 0;  ///< larger of the two directed 95th percentiles
  double hd95_pooled = 0;        ///< 95th percentile of both directions together
  double assd_pooled = 0;        ///< mean of both directions together
  double mean_truth_to_prediction = 0, mean_prediction_to_truth = 0;
  int truth_pixels = 0, prediction_pixels = 0;  ///< border pixels
};

/// Percentiles interpolate linearly between order statistics (numpy's default). Time and memory grow with the pixels.
/// Throws as overlap, and std::invalid_argument unless both spacings are > 0.
SurfaceDistances surface_distances(const MaskView& truth, const MaskView& prediction, PixelSpacing spacing = {});

/// hd95_max_of_directed for means over images, which a missed object must not leave: where only the prediction is empty, the
/// largest distance that there is, the diagonal between the centres of the corner pixels. NaN where the truth is empty.
double hd95_or_diagonal(const MaskView& truth, const MaskView& prediction, PixelSpacing spacing = {});

/// Objects of a mask: pixels get 1 … count, 0 outside.
struct LabelledObjects {
  std::vector<std::int32_t> label;   ///< rows * columns
  std::vector<double> area_px;       ///< [count], object i + 1
};
/// connectivity 4 or 8, else std::invalid_argument. Numbered row by row of the first pixel.
LabelledObjects label_objects(const MaskView& mask, int connectivity = 8);

/// Measures that count objects (glands, nuclei, tumour nests).
struct ObjectScores {
  int truth_objects = 0, predicted_objects = 0;
  int tp = 0, fp = 0, fn = 0;
  double precision = 0, recall = 0, f1 = 0;   ///< NaN where their denominator is 0
  double mean_matched_iou = 0;                ///< over matches; NaN without
  /// Sirinukunwattana et al. 2017 (GlaS, Med Image Anal 35:489): each object's Dice with the one that overlaps it most,
  /// weighted by area, mean of both directions. NaN when both masks are empty, 0 when one is.
  double object_dice = 0;
};

/// A predicted object matches a true one when their IoU is above min_iou; at min_iou >= 0.5 a match is unique.
/// Throws std::invalid_argument unless 0.5 <= min_iou < 1, and as overlap and label_objects.
ObjectScores object_scores(const MaskView& truth, const MaskView& prediction, double min_iou = 0.5, int connectivity = 8);

/// Percentile by linear interpolation between order statistics; NaN without values. Throws unless 0 <= percent <= 100.
double percentile(std::vector<double> values, double percent);

}  // namespace clmnet::survival
