#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>

namespace clmnet::tools {

/// Progress on stderr: one line that is drawn over on a terminal, a plain line now and then elsewhere. On demand also in a file,
/// for `clmnet status`.
class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();
  /// done of total things of `unit`; shows share, rate and time left. A new label begins a new count.
  void update(const std::string& label, std::size_t done, std::size_t total, const std::string& unit);
  /// A line of its own, above the bar.
  void line(const std::string& text);
  /// Where update() also writes, whole, at most every other second, as JSON: doing, done, total, unit, seconds_left (or null),
  /// updated (seconds since 1970), process. An empty path ends it. A file that cannot be written is no reason to stop.
  void record_to(std::filesystem::path file);

 private:
  using Clock = std::chrono::steady_clock;
  void clear();
  void record(const std::string& label, std::size_t done, std::size_t total, const std::string& unit, double rate, Clock::time_point now);

  bool terminal_;
  bool drawn_ = false;
  std::string phase_;
  std::size_t first_ = 0, last_ = 0;
  Clock::time_point started_, shown_, recorded_;
  std::filesystem::path file_;
};

}  // namespace clmnet::tools
