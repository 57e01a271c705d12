#include "tools/report/gnuplot.h"

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

constexpr int kPointsPerInch = 72;   // pdfcairo's fontscale 0.75 makes a point of a font one of these, as in SVG

/// Exit status of gnuplot fed with the script.
int run_gnuplot(const std::string& script, bool quiet) {
  std::FILE* pipe = ::popen(quiet ? "gnuplot >/dev/null 2>&1" : "gnuplot 1>&2", "w");
  if (pipe == nullptr) return -1;
  const bool written = std::fwrite(script.data(), 1, script.size(), pipe) == script.size();
  const int status = ::pclose(pipe);
  return written && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string terminal(const std::filesystem::path& target, double width_pt, double height_pt) {
  char text[256];
  if (target.extension() == ".svg") {
    std::snprintf(
        text, sizeof text,
        "set terminal svg size %.0f,%.0f font 'Liberation Sans,Arial,Helvetica,sans-serif,11' noenhanced background 'white'\n",
        width_pt, height_pt);
  } else if (target.extension() == ".pdf") {
    std::snprintf(text, sizeof text, "set terminal pdfcairo size %.4fin,%.4fin font 'Liberation Sans,11' fontscale 0.75 noenhanced\n",
                  width_pt / kPointsPerInch, height_pt / kPointsPerInch);
  } else {
    throw InputError(target.string() + ": a figure ends in .svg or .pdf");
  }
  return text;
}

/// Whether a figure goes on to the mark that its form ends with.
bool is_whole(const std::filesystem::path& figure, bool svg) {
  std::error_code missing;
  if (!std::filesystem::exists(figure, missing)) return false;
  const std::string bytes = read_whole_file(figure);
  return bytes.find(svg ? "</svg>" : "%%EOF", bytes.size() - std::min<std::size_t>(bytes.size(), 64)) != std::string::npos;
}

}  // namespace

bool has_gnuplot() { return run_gnuplot("exit\n", true) == 0; }

void require_gnuplot() {
  if (!has_gnuplot()) {
    throw InputError("gnuplot: cannot be run; figures need the Debian package gnuplot-nox (apt-get install gnuplot-nox)");
  }
}

std::string gnuplot_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? ' ' : c;
  }
  return quoted + '"';
}

void draw_figure(const std::filesystem::path& target, const std::string& script, double width_pt, double height_pt) {
  AtomicFile file(target);
  const std::string whole = "set encoding utf8\n" + terminal(target, width_pt, height_pt) + "set output " +
                            gnuplot_text(file.temporary().string()) + "\n" + script + "\nunset output\n";
  const int status = run_gnuplot(whole, false);
  if (status != 0) {
    require_gnuplot();
    throw InputError(target.string() + ": gnuplot ended with status " + std::to_string(status) + "; its message is above");
  }
  if (!is_whole(file.temporary(), target.extension() == ".svg")) {
    throw InputError(target.string() + ": gnuplot could not write the figure to its end, nothing was changed; free some disk space or "
                     "write elsewhere, then run again");
  }
  file.commit();
}

}  // namespace clmnet::tools
