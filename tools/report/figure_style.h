#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace clmnet::tools {

/// Okabe and Ito 2008: told apart also by the colour-blind and in grey.
inline constexpr std::array<const char*, 8> kFigureColours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                              "#56B4E9", "#E69F00", "#000000", "#999933"};

/// Mean width of a letter at 11 pt in DejaVu Sans, the widest font that stands in where Liberation Sans is not installed.
inline constexpr double kLetterPt = 6.4;

/// Letters of a UTF-8 text.
inline std::size_t letters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace clmnet::tools
