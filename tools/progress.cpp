#include "tools/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>

namespace clmnet::tools {
namespace {

std::string duration_text(double seconds) {
  char text[32];
  const auto s = static_cast<long>(std::lround(seconds));
  if (s >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  }
  return text;
}

}  // namespace

ProgressBar::ProgressBar() : terminal_(::isatty(STDERR_FILENO) != 0) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::clear() {
  if (drawn_) std::cerr << "\r\033[K" << std::flush;
  drawn_ = false;
}

void ProgressBar::line(const std::string& text) {
  clear();
  std::cerr << text << '\n' << std::flush;
}

void ProgressBar::update(const std::string& label, std::size_t done, std::size_t total, const std::string& unit) {
  const auto now = Clock::now();
  if (phase_.empty() || done <= last_) {  // another thing is counted
    started_ = now;
    shown_ = Clock::time_point();
    first_ = done;
    phase_ = label;
  }
  last_ = done;
  const double pause = terminal_ ? 0.2 : 30.0;
  if (done < total && std::chrono::duration<double>(now - shown_).count() < pause) return;
  shown_ = now;
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  const double rate = elapsed > 0 ? static_cast<double>(done - first_) / elapsed : 0;
  std::ostringstream text;
  text << label << "  " << done << '/' << total << ' ' << unit;
  if (total > 0) text << " (" << 100 * done / total << " %)";
  if (rate > 0) {
    text.precision(3);
    text << ", " << rate << '/' << "s, " << duration_text(static_cast<double>(total - done) / rate) << " left";
  }
  if (terminal_) {
    std::cerr << "\r\033[K" << text.str() << std::flush;
    drawn_ = true;
  } else {
    std::cerr << text.str() << '\n' << std::flush;
  }
}

}  // namespace clmnet::tools
