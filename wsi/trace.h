#pragma once

#include <vector>

#include <opencv2/core/mat.hpp>

namespace clmnet::wsi {

/// Corners between pixels: (x, y) is the top-left corner of pixel (x, y).
using PixelRing = std::vector<cv::Point>;

/// All rings around the pixels of one label inside `box`, along the pixels' edges, corners only. Every ring is simple: where two
/// pixels of the region touch at a corner, the ring is cut there, so that a pocket becomes a hole that touches at a point. The
/// region is 4-connected, so exactly one ring has positive doubled_area (the outer one); the others are its holes.
/// labels  CV_32S
std::vector<PixelRing> trace_rings(const cv::Mat& labels, int label, const cv::Rect& box);

/// Twice the signed area: positive when the interior is on the right hand with y downwards.
long long doubled_area(const PixelRing& ring);

/// Sets background of fewer than max_area px that does not reach the picture's edge to 255; mask is CV_8U. The background is
/// 8-connected, as the regions are 4-connected.
void fill_small_holes(cv::Mat& mask, double max_area);

}  // namespace clmnet::wsi
