#pragma once

#include <filesystem>
#include <string>

namespace clmnet::tools {

/// Whether gnuplot can be run.
bool has_gnuplot();

/// Throws InputError that names the Debian package when gnuplot cannot be run.
void require_gnuplot();

/// A text as a gnuplot string literal.
std::string gnuplot_text(const std::string& text);

/// Runs a script that draws on whatever terminal is set; the figure is whole or absent. The ending of `target` says the
/// form, .svg or .pdf; the size is in points (1/72 inch).
/// Throws InputError when gnuplot is missing, the ending is another one, gnuplot reports an error, or what it wrote has no end
/// (a full disk, of which gnuplot says nothing).
void draw_figure(const std::filesystem::path& target, const std::string& script, double width_pt, double height_pt);

}  // namespace clmnet::tools
