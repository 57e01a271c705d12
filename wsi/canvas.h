#pragma once

#include <array>
#include <string>

#include <opencv2/core/mat.hpp>

namespace clmnet::wsi {

using Colour = std::array<int, 3>;  ///< RGB

enum class Align { left, centre, right };

/// Coverage of a line of text, CV_8U: DejaVu Sans through libvips and Pango; where that is missing, OpenCV's stroke font.
/// size_px is the height of the letters' line.
cv::Mat render_text(const std::string& text, double size_px, bool bold = false);

/// Writes text into an RGB picture; `at` is on the text's vertical middle; parts outside the picture are cut.
void draw_text(cv::Mat& rgb, const std::string& text, cv::Point at, double size_px, const Colour& colour, Align align = Align::left,
               bool bold = false);

/// A length of 1, 2 or 5 times a power of ten that is at most `most`.
double round_length(double most);

/// A bar with its length in mm or um written over it; `at` is its lower left corner. um_per_px is the picture's.
void draw_scale_bar(cv::Mat& rgb, cv::Point at, double um_per_px, double max_px, double text_px);

}  // namespace clmnet::wsi
