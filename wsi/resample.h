#pragma once

#include <opencv2/core/mat.hpp>

namespace clmnet::wsi {

/// How pixels of the target lie on those of the source along one axis: target pixel i covers the source interval
/// [offset + i * ratio, offset + (i + 1) * ratio), source pixel k the interval [k, k + 1). Corners coincide, not centres.
struct AxisMap {
  double offset = 0;
  double ratio = 1;
};

/// First source pixel that target pixel 0 needs, and one past the last that target pixel count - 1 needs.
struct SourceSpan {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
SourceSpan source_span(const AxisMap& map, std::int64_t count);

/// True when every target pixel is a source pixel to within a hundredth of a pixel over `count` pixels.
bool is_copy(const AxisMap& map, std::int64_t count);

/// CV_8UC3 to CV_8UC3. ratio >= 1: each target pixel is the mean of what it covers, parts of pixels weighted by area;
/// ratio < 1: bilinear between pixel centres. Pixels are rounded to the nearest value.
/// The source must hold the span that source_span gives; throws std::invalid_argument otherwise.
void resample(const cv::Mat& source, cv::Mat& target, const AxisMap& x, const AxisMap& y);

}  // namespace clmnet::wsi
