#include "wsi/label_mask.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace clmnet::wsi {
namespace {

/// How level-0 px lie on the pixels of a tile.
struct Frame {
  double left = 0, top = 0;          ///< level-0 px of the tile's corner
  double px_x = 1, px_y = 1;         ///< level-0 px per pixel of the tile
};

struct Crossing {
  double x;                          ///< pixels of the tile
  int winding;
};

/// Sets to `value` the pixels whose centres lie inside the ring.
void fill_ring(cv::Mat& mask, const RingPx& ring, const Frame& frame, std::uint8_t value) {
  std::vector<std::vector<Crossing>> rows(static_cast<std::size_t>(mask.rows));
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const PointPx& from = ring[i];
    const PointPx& to = ring[i + 1 == ring.size() ? 0 : i + 1];
    const double y0 = (from.y - frame.top) / frame.px_y - 0.5, y1 = (to.y - frame.top) / frame.px_y - 0.5;
    const double low = std::min(y0, y1), high = std::max(y0, y1);
    if (low == high || high <= 0 || low > mask.rows - 1) continue;
    // Rows whose centre lies in [low, high): a corner counts for the edge below it only.
    const int first = std::max(0, static_cast<int>(std::ceil(low)));
    const int last = static_cast<int>(std::min<double>(mask.rows, std::ceil(high)));
    // Always from the same end, so that two regions that share an edge cross a row in the same place to the last bit.
    const PointPx& upper = y0 < y1 ? from : to;
    const PointPx& lower = y0 < y1 ? to : from;
    const double slope = (lower.x - upper.x) / (lower.y - upper.y);
    for (int row = first; row < last; ++row) {
      const double y = frame.top + (row + 0.5) * frame.px_y;
      const double x = upper.x + (y - upper.y) * slope;
      rows[static_cast<std::size_t>(row)].push_back({(x - frame.left) / frame.px_x - 0.5, y0 < y1 ? 1 : -1});
    }
  }
  for (int row = 0; row < mask.rows; ++row) {
    auto& crossings = rows[static_cast<std::size_t>(row)];
    std::sort(crossings.begin(), crossings.end(), [](const Crossing& a, const Crossing& b) { return a.x < b.x; });
    int winding = 0;
    for (std::size_t i = 0; i + 1 < crossings.size(); ++i) {
      winding += crossings[i].winding;
      if (winding == 0) continue;
      const auto column = [&](double x) { return static_cast<int>(std::clamp<double>(std::ceil(x), 0, mask.cols)); };
      const int begin = column(crossings[i].x), end = column(crossings[i + 1].x);
      if (begin < end) std::fill(mask.ptr<std::uint8_t>(row) + begin, mask.ptr<std::uint8_t>(row) + end, value);
    }
  }
}

bool valid_label(int label) { return label >= 0 && label <= kUnknownLabel; }

}  // namespace

LabelPainter::LabelPainter(std::vector<LabelledRegion> regions, const TileLabelOptions& options) : options_(options) {
  if (options.outside != 0 && options.outside != kUnknownLabel) throw std::invalid_argument("LabelPainter: outside is 0 or unknown");
  if (!(options.min_share > 0 && options.min_share <= 1)) throw std::invalid_argument("LabelPainter: min_share is not in (0, 1]");
  for (auto& labelled : regions) {
    if (!valid_label(labelled.label)) throw std::invalid_argument("LabelPainter: a label is not in [0, 255]");
    Placed placed;
    placed.left = placed.top = std::numeric_limits<double>::infinity();
    placed.right = placed.bottom = -std::numeric_limits<double>::infinity();
    for (const auto& point : labelled.region.outer) {
      placed.left = std::min(placed.left, point.x);
      placed.right = std::max(placed.right, point.x);
      placed.top = std::min(placed.top, point.y);
      placed.bottom = std::max(placed.bottom, point.y);
    }
    placed.area = ring_area(labelled.region.outer);
    placed.labelled = std::move(labelled);
    regions_.push_back(std::move(placed));
  }
  std::stable_sort(regions_.begin(), regions_.end(), [](const Placed& a, const Placed& b) { return a.area > b.area; });
}

TileLabel LabelPainter::paint(Level0Px origin, TileSideLevel0 size_level0, int tile_px) const {
  if (tile_px < 1 || !(size_level0.width > 0) || !(size_level0.height > 0)) throw std::invalid_argument("LabelPainter: an empty tile");
  const Frame frame{static_cast<double>(origin.x), static_cast<double>(origin.y), size_level0.width / tile_px,
                    size_level0.height / tile_px};
  TileLabel result;
  result.mask = cv::Mat(tile_px, tile_px, CV_8U, cv::Scalar(options_.outside));
  for (const auto& placed : regions_) {
    if (placed.left >= frame.left + size_level0.width || placed.right <= frame.left || placed.top >= frame.top + size_level0.height ||
        placed.bottom <= frame.top) {
      continue;
    }
    const auto& region = placed.labelled.region;
    const auto label = static_cast<std::uint8_t>(placed.labelled.label);
    if (region.holes.empty()) {
      fill_ring(result.mask, region.outer, frame, label);
      continue;
    }
    cv::Mat inside = cv::Mat::zeros(tile_px, tile_px, CV_8U);
    fill_ring(inside, region.outer, frame, 255);
    for (const auto& hole : region.holes) fill_ring(inside, hole, frame, 0);
    result.mask.setTo(label, inside);
  }
  std::array<std::int64_t, 256> counts{};
  for (int row = 0; row < tile_px; ++row) {
    const auto* line = result.mask.ptr<std::uint8_t>(row);
    for (int column = 0; column < tile_px; ++column) ++counts[line[column]];
  }
  const double area = static_cast<double>(tile_px) * tile_px;
  if (counts[kUnknownLabel] > 0) return result;
  const auto most = std::max_element(counts.begin() + 1, counts.end());
  if (static_cast<double>(*most) >= options_.min_share * area) {
    result.label = static_cast<int>(most - counts.begin());
  } else if (static_cast<double>(counts[0]) == area) {
    result.label = 0;
  }
  if (result.label >= 0) result.share = static_cast<double>(counts[static_cast<std::size_t>(result.label)]) / area;
  return result;
}

}  // namespace clmnet::wsi
