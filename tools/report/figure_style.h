#pragma once

#include <array>

namespace clmnet::tools {

/// Okabe and Ito 2008: told apart also by the colour-blind and in grey.
inline constexpr std::array<const char*, 8> kFigureColours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999933"};

/// Mean width of a letter of Liberation Sans at 11 pt.
inline constexpr double kLetterPt = 5.6;

}  // namespace clmnet::tools
