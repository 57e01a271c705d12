#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace clmnet::survival {

/// Right-censored times of n subjects, in any one unit; with `entry` also left-truncated (late entry).
struct Outcome {
  std::vector<double> time;         ///< n, finite and >= 0: follow-up until the event or until it was last not seen
  std::vector<std::uint8_t> event;  ///< n, 1 when the event was seen at `time`, 0 when censored there
  std::vector<double> entry = {};   ///< empty (everyone from the start) or n, entry < time: at risk in (entry, time]

  std::size_t size() const { return time.size(); }
  std::size_t events() const;
};

/// Throws std::invalid_argument that names the first subject with a time that is NaN, infinite or negative, an event that
/// is not 0 or 1, an entry that is not before its time, or sizes that differ. An empty outcome is an error too.
void require_valid(const Outcome& outcome);

/// Times that differ only by rounding become one: sorted unique times whose gap is at most sqrt(2^-52), absolute or relative
/// to their mean, are chained and take the first of the chain. This is what R's survival does (timefix), so counts of ties
/// agree. Entries take part. Done on the whole cohort before it is cut into groups.
/// Throws std::invalid_argument when an interval (entry, time] vanishes by it.
Outcome merge_close_times(const Outcome& outcome);

/// The largest gap that merge_close_times closes for these times (sorted or not).
double time_tolerance(const std::vector<double>& times);

/// The subjects of `rows`, in that order.
Outcome select(const Outcome& outcome, const std::vector<std::size_t>& rows);

}  // namespace clmnet::survival
