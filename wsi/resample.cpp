#include "wsi/resample.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace clmnet::wsi {
namespace {

// Positions are sums of doubles: a corner that should lie on a pixel border may miss it by a few units in the last place.
constexpr double kBorderTolerance = 1e-6;

/// The source pixels of one target pixel and their weights, which sum to 1.
struct Taps {
  std::int64_t first = 0;
  std::vector<float> weights;
};

Taps area_taps(double begin, double end) {
  Taps taps;
  taps.first = static_cast<std::int64_t>(std::floor(begin + kBorderTolerance));
  const auto last = std::max(static_cast<std::int64_t>(std::ceil(end - kBorderTolerance)), taps.first + 1);
  double sum = 0;
  std::vector<double> covered;
  for (std::int64_t k = taps.first; k < last; ++k) {
    const double left = std::max(begin, static_cast<double>(k));
    const double right = std::min(end, static_cast<double>(k + 1));
    covered.push_back(std::max(0.0, right - left));
    sum += covered.back();
  }
  for (const double part : covered) taps.weights.push_back(static_cast<float>(part / sum));
  return taps;
}

Taps linear_taps(double centre) {
  const double position = centre - 0.5;
  Taps taps;
  taps.first = static_cast<std::int64_t>(std::floor(position + kBorderTolerance));
  const double fraction = position - static_cast<double>(taps.first);
  if (fraction <= kBorderTolerance) {
    taps.weights = {1.0F};
  } else {
    taps.weights = {static_cast<float>(1 - fraction), static_cast<float>(fraction)};
  }
  return taps;
}

Taps taps_of(const AxisMap& map, std::int64_t index) {
  const double begin = map.offset + static_cast<double>(index) * map.ratio;
  // A box one pixel wide and a line between two centres weigh the same two pixels alike, so the two meet at ratio 1.
  if (map.ratio >= 1) return area_taps(begin, begin + map.ratio);
  return linear_taps(begin + 0.5 * map.ratio);
}

std::vector<Taps> all_taps(const AxisMap& map, int count, int available) {
  std::vector<Taps> taps;
  taps.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    taps.push_back(taps_of(map, i));
    const auto& last = taps.back();
    if (last.first < 0 || last.first + static_cast<std::int64_t>(last.weights.size()) > available) {
      throw std::invalid_argument("resample: the source does not hold all pixels that the target covers");
    }
  }
  return taps;
}

}  // namespace

SourceSpan source_span(const AxisMap& map, std::int64_t count) {
  const Taps first = taps_of(map, 0);
  const Taps last = taps_of(map, count - 1);
  return {first.first, last.first + static_cast<std::int64_t>(last.weights.size())};
}

bool is_copy(const AxisMap& map, std::int64_t count) {
  const double shift = std::abs(map.offset - std::round(map.offset));
  return shift + std::abs(map.ratio - 1) * static_cast<double>(count) < 0.01;
}

void resample(const cv::Mat& source, cv::Mat& target, const AxisMap& x, const AxisMap& y) {
  if (source.type() != CV_8UC3 || target.type() != CV_8UC3) throw std::invalid_argument("resample: wants CV_8UC3");
  const auto columns = all_taps(x, target.cols, source.cols);
  const auto rows = all_taps(y, target.rows, source.rows);
  std::vector<float> line(static_cast<std::size_t>(source.cols) * 3);
  for (int row = 0; row < target.rows; ++row) {
    // First down the columns: the inner loop runs over a whole source line and vectorises.
    const Taps& down = rows[static_cast<std::size_t>(row)];
    std::fill(line.begin(), line.end(), 0.0F);
    for (std::size_t k = 0; k < down.weights.size(); ++k) {
      const float weight = down.weights[k];
      const auto* in = source.ptr<std::uint8_t>(static_cast<int>(down.first + static_cast<std::int64_t>(k)));
      for (std::size_t i = 0; i < line.size(); ++i) line[i] += weight * static_cast<float>(in[i]);
    }
    auto* out = target.ptr<std::uint8_t>(row);
    for (int column = 0; column < target.cols; ++column) {
      const Taps& across = columns[static_cast<std::size_t>(column)];
      const float* in = line.data() + across.first * 3;
      float sum[3] = {0, 0, 0};
      for (const float weight : across.weights) {
        for (int channel = 0; channel < 3; ++channel) sum[channel] += weight * in[channel];
        in += 3;
      }
      for (int channel = 0; channel < 3; ++channel) {
        *out++ = static_cast<std::uint8_t>(std::clamp(sum[channel] + 0.5F, 0.0F, 255.0F));
      }
    }
  }
}

}  // namespace clmnet::wsi
