#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace clmnet::tools {

/// Progress on stderr: one line that is drawn over on a terminal, a plain line now and then elsewhere.
class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();
  /// done of total things of `unit`; shows share, rate and time left. A new label begins a new count.
  void update(const std::string& label, std::size_t done, std::size_t total, const std::string& unit);
  /// A line of its own, above the bar.
  void line(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  void clear();

  bool terminal_;
  bool drawn_ = false;
  std::string phase_;
  std::size_t first_ = 0, last_ = 0;
  Clock::time_point started_, shown_;
};

}  // namespace clmnet::tools
