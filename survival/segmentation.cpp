#include "survival/segmentation.h"
#include "survival/undefined.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>

namespace clmnet::survival {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();

void require_size(const MaskView& mask) {
  if (mask.rows < 0 || mask.columns < 0 ||
      mask.pixels.size() != static_cast<std::size_t>(mask.rows) * static_cast<std::size_t>(mask.columns)) {
    throw std::invalid_argument("a mask of " + std::to_string(mask.rows) + " x " + std::to_string(mask.columns) + " has " +
                                std::to_string(mask.pixels.size()) + " pixels");
  }
}

void require_same_size(const MaskView& a, const MaskView& b) {
  require_size(a);
  require_size(b);
  if (a.rows != b.rows || a.columns != b.columns) {
    throw std::invalid_argument("masks differ in size: " + std::to_string(a.rows) + " x " + std::to_string(a.columns) +
                                " and " + std::to_string(b.rows) + " x " + std::to_string(b.columns));
  }
}

std::vector<std::size_t> border_of(const MaskView& mask) {
  std::vector<std::size_t> border;
  const auto inside = [&](int r, int c) {
    return r >= 0 && c >= 0 && r < mask.rows && c < mask.columns && mask.at(r, c) != 0;
  };
  for (int r = 0; r < mask.rows; ++r) {
    for (int c = 0; c < mask.columns; ++c) {
      if (!inside(r, c)) continue;
      if (!inside(r - 1, c) || !inside(r + 1, c) || !inside(r, c - 1) || !inside(r, c + 1)) {
        border.push_back(static_cast<std::size_t>(r) * mask.columns + c);
      }
    }
  }
  return border;
}

// One dimension of the squared distance transform: out[q] = min_p (step (q - p))^2 + f[p], the lower envelope of parabolas
// (Felzenszwalb & Huttenlocher 2012, Theory of Computing 8:415). f is infinite where there is no source.
class LineTransform {
 public:
  explicit LineTransform(std::size_t longest) : apex_(longest), from_(longest + 1) {}

  void run(const std::vector<double>& f, std::size_t n, double step, std::vector<double>& out) {
    std::size_t used = 0;
    for (std::size_t q = 0; q < n; ++q) {
      if (f[q] == kFar) continue;
      double meet = -kFar;
      while (used > 0) {
        const std::size_t p = apex_[used - 1];
        const double x = step * static_cast<double>(q), y = step * static_cast<double>(p);
        meet = ((f[q] + x * x) - (f[p] + y * y)) / (2 * (x - y));
        if (meet > from_[used - 1]) break;
        --used;
        meet = -kFar;
      }
      apex_[used] = q;
      from_[used] = meet;
      ++used;
    }
    std::size_t k = 0;
    for (std::size_t q = 0; q < n; ++q) {
      if (used == 0) {
        out[q] = kFar;
        continue;
      }
      const double x = step * static_cast<double>(q);
      while (k + 1 < used && from_[k + 1] < x) ++k;
      const double apart = step * (static_cast<double>(q) - static_cast<double>(apex_[k]));
      out[q] = apart * apart + f[apex_[k]];
    }
  }

 private:
  std::vector<std::size_t> apex_;
  std::vector<double> from_;
};

// Squared distance of every pixel to the nearest of `sources`.
std::vector<double> squared_distance(const std::vector<std::size_t>& sources, int rows, int columns, PixelSpacing spacing) {
  std::vector<double> field(static_cast<std::size_t>(rows) * columns, kFar);
  for (const std::size_t at : sources) field[at] = 0;
  const auto longest = static_cast<std::size_t>(std::max(rows, columns));
  LineTransform transform(longest);
  std::vector<double> line(longest), out(longest);
  for (int c = 0; c < columns; ++c) {
    for (int r = 0; r < rows; ++r) line[r] = field[static_cast<std::size_t>(r) * columns + c];
    transform.run(line, rows, spacing.row, out);
    for (int r = 0; r < rows; ++r) field[static_cast<std::size_t>(r) * columns + c] = out[r];
  }
  for (int r = 0; r < rows; ++r) {
    const auto begin = field.begin() + static_cast<std::ptrdiff_t>(r) * columns;
    std::copy(begin, begin + columns, line.begin());
    transform.run(line, columns, spacing.column, out);
    std::copy(out.begin(), out.begin() + columns, begin);
  }
  return field;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

OverlapCounts& OverlapCounts::operator+=(const OverlapCounts& other) {
  tp += other.tp;
  fp += other.fp;
  fn += other.fn;
  tn += other.tn;
  return *this;
}

double OverlapCounts::dice() const { return both_empty() ? kNaN : 2 * tp / (2 * tp + fp + fn); }
double OverlapCounts::iou() const { return both_empty() ? kNaN : tp / (tp + fp + fn); }

OverlapCounts overlap(const MaskView& truth, const MaskView& prediction) {
  require_same_size(truth, prediction);
  OverlapCounts counts;
  for (std::size_t i = 0; i < truth.pixels.size(); ++i) {
    const bool t = truth.pixels[i] != 0, p = prediction.pixels[i] != 0;
    counts.tp += t && p;
    counts.fp += !t && p;
    counts.fn += t && !p;
    counts.tn += !t && !p;
  }
  return counts;
}

double percentile(std::vector<double> values, double percent) {
  if (!(percent >= 0 && percent <= 100)) throw std::invalid_argument("percentile: percent must be 0 … 100");
  if (values.empty()) return kNaN;
  std::sort(values.begin(), values.end());
  const double place = percent / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const double above = values[std::min(below + 1, values.size() - 1)];
  return values[below] + (above - values[below]) * (place - static_cast<double>(below));
}

SurfaceDistances surface_distances(const MaskView& truth, const MaskView& prediction, PixelSpacing spacing) {
  require_same_size(truth, prediction);
  if (!(spacing.row > 0 && spacing.column > 0)) throw std::invalid_argument("surface_distances: spacing must be > 0");
  const auto truth_border = border_of(truth), prediction_border = border_of(prediction);
  SurfaceDistances result{kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, static_cast<int>(truth_border.size()),
                          static_cast<int>(prediction_border.size())};
  if (truth_border.empty() || prediction_border.empty()) return result;
  const auto directed = [&](const std::vector<std::size_t>& from, const std::vector<std::size_t>& to) {
    const auto field = squared_distance(to, truth.rows, truth.columns, spacing);
    std::vector<double> distances;
    for (const std::size_t at : from) distances.push_back(std::sqrt(field[at]));
    return distances;
  };
  const auto to_prediction = directed(truth_border, prediction_border);
  const auto to_truth = directed(prediction_border, truth_border);
  std::vector<double> pooled = to_prediction;
  pooled.insert(pooled.end(), to_truth.begin(), to_truth.end());
  result.hausdorff = *std::max_element(pooled.begin(), pooled.end());
  result.hd95_max_of_directed = std::max(percentile(to_prediction, 95), percentile(to_truth, 95));
  result.hd95_pooled = percentile(pooled, 95);
  result.assd_pooled = mean_of(pooled);
  result.mean_truth_to_prediction = mean_of(to_prediction);
  result.mean_prediction_to_truth = mean_of(to_truth);
  return result;
}

double hd95_or_diagonal(const MaskView& truth, const MaskView& prediction, PixelSpacing spacing) {
  const SurfaceDistances distances = surface_distances(truth, prediction, spacing);
  if (distances.truth_pixels == 0 || distances.prediction_pixels > 0) return distances.hd95_max_of_directed;
  return std::hypot((truth.rows - 1) * spacing.row, (truth.columns - 1) * spacing.column);
}

LabelledObjects label_objects(const MaskView& mask, int connectivity) {
  require_size(mask);
  if (connectivity != 4 && connectivity != 8) throw std::invalid_argument("label_objects: connectivity must be 4 or 8");
  LabelledObjects objects;
  objects.label.assign(mask.pixels.size(), 0);
  std::vector<std::pair<int, int>> pending;
  for (int row = 0; row < mask.rows; ++row) {
    for (int column = 0; column < mask.columns; ++column) {
      const std::size_t first = static_cast<std::size_t>(row) * mask.columns + column;
      if (mask.pixels[first] == 0 || objects.label[first] != 0) continue;
      const auto number = static_cast<std::int32_t>(objects.area_px.size()) + 1;
      objects.area_px.push_back(0);
      objects.label[first] = number;
      pending.assign(1, {row, column});
      while (!pending.empty()) {
        const auto [r, c] = pending.back();
        pending.pop_back();
        objects.area_px.back() += 1;
        for (int dr = -1; dr <= 1; ++dr) {
          for (int dc = -1; dc <= 1; ++dc) {
            const int nr = r + dr, nc = c + dc;
            if ((connectivity == 4 && dr != 0 && dc != 0) || nr < 0 || nc < 0 || nr >= mask.rows || nc >= mask.columns) {
              continue;
            }
            const std::size_t at = static_cast<std::size_t>(nr) * mask.columns + nc;
            if (mask.pixels[at] == 0 || objects.label[at] != 0) continue;
            objects.label[at] = number;
            pending.emplace_back(nr, nc);
          }
        }
      }
    }
  }
  return objects;
}

namespace {

using Overlaps = std::map<std::pair<std::int32_t, std::int32_t>, double>;   // (truth, prediction) -> pixels

// Sum over `from` objects of area share times Dice with the object that overlaps it most.
double weighted_object_dice(const std::vector<double>& from, const std::vector<double>& to, const Overlaps& overlaps,
                            bool from_is_truth) {
  std::vector<double> most(from.size(), 0.0), dice(from.size(), 0.0);
  for (const auto& [pair, pixels] : overlaps) {
    const std::size_t i = static_cast<std::size_t>((from_is_truth ? pair.first : pair.second) - 1);
    const std::size_t j = static_cast<std::size_t>((from_is_truth ? pair.second : pair.first) - 1);
    if (pixels <= most[i]) continue;
    most[i] = pixels;
    dice[i] = 2 * pixels / (from[i] + to[j]);
  }
  return std::inner_product(from.begin(), from.end(), dice.begin(), 0.0) / std::accumulate(from.begin(), from.end(), 0.0);
}

}  // namespace

ObjectScores object_scores(const MaskView& truth, const MaskView& prediction, double min_iou, int connectivity) {
  require_same_size(truth, prediction);
  if (!(min_iou >= 0.5 && min_iou < 1)) throw std::invalid_argument("object_scores: min_iou must be 0.5 … 1");
  const auto t = label_objects(truth, connectivity), p = label_objects(prediction, connectivity);
  Overlaps overlaps;
  for (std::size_t i = 0; i < t.label.size(); ++i) {
    if (t.label[i] != 0 && p.label[i] != 0) overlaps[{t.label[i], p.label[i]}] += 1;
  }
  ObjectScores scores;
  scores.truth_objects = static_cast<int>(t.area_px.size());
  scores.predicted_objects = static_cast<int>(p.area_px.size());
  double matched = 0;
  for (const auto& [pair, pixels] : overlaps) {
    const double iou = pixels / (t.area_px[pair.first - 1] + p.area_px[pair.second - 1] - pixels);
    if (!(iou > min_iou)) continue;
    ++scores.tp;
    matched += iou;
  }
  scores.fp = scores.predicted_objects - scores.tp;
  scores.fn = scores.truth_objects - scores.tp;
  const double tp = scores.tp;
  scores.precision = scores.predicted_objects > 0 ? tp / scores.predicted_objects : kNaN;
  scores.recall = scores.truth_objects > 0 ? tp / scores.truth_objects : kNaN;
  const double all = scores.truth_objects + scores.predicted_objects;
  scores.f1 = all > 0 ? 2 * tp / all : kNaN;
  scores.mean_matched_iou = scores.tp > 0 ? matched / tp : kNaN;
  if (scores.truth_objects == 0 || scores.predicted_objects == 0) {
    scores.object_dice = all > 0 ? 0 : kNaN;
  } else {
    scores.object_dice = (weighted_object_dice(t.area_px, p.area_px, overlaps, true) +
                          weighted_object_dice(p.area_px, t.area_px, overlaps, false)) / 2;
  }
  return scores;
}

}  // namespace clmnet::survival
