#include "tools/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

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
    shown_ = recorded_ = Clock::time_point();
    first_ = done;
    phase_ = label;
  }
  last_ = done;
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  const double rate = elapsed > 0 ? static_cast<double>(done - first_) / elapsed : 0;
  record(label, done, total, unit, rate, now);
  const double pause = terminal_ ? 0.2 : 30.0;
  if (done < total && std::chrono::duration<double>(now - shown_).count() < pause) return;
  shown_ = now;
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

void ProgressBar::record_to(std::filesystem::path file) {
  file_ = std::move(file);
  recorded_ = Clock::time_point();
}

void ProgressBar::record(const std::string& label, std::size_t done, std::size_t total, const std::string& unit, double rate,
                         Clock::time_point now) {
  constexpr double pause = 2.0;
  if (file_.empty() || std::chrono::duration<double>(now - recorded_).count() < pause) return;
  recorded_ = now;
  nlohmann::json text = {{"doing", label}, {"done", done}, {"total", total}, {"unit", unit}, {"seconds_left", nullptr},
                         {"updated", std::time(nullptr)}, {"process", ::getpid()}};
  if (rate > 0 && total >= done) text["seconds_left"] = std::lround(static_cast<double>(total - done) / rate);
  try {
    write_atomically(file_, text.dump() + "\n");
  } catch (const InputError&) {
    // The run matters, not what is said of it.
  }
}

}  // namespace clmnet::tools
