#include "nets/training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "tools/base/error.h"

namespace clmnet::nets {

void check_schedule(const std::string& schedule) {
  if (schedule == "cosine" || schedule == "linear" || schedule == "step" || schedule == "constant") return;
  throw InputError("training.schedule: no schedule '" + schedule + "'; there are: cosine, linear, step, constant");
}

double rate_at(const std::string& schedule, std::int64_t step, std::int64_t steps, double peak, double warmup) {
  const double warm = std::max(1.0, warmup * static_cast<double>(steps));
  const auto s = static_cast<double>(step);
  if (s < warm) return peak * (s + 1) / warm;
  const double done = (s - warm) / std::max(1.0, static_cast<double>(steps) - warm);
  if (schedule == "cosine") return peak * 0.5 * (1 + std::cos(std::numbers::pi * done));
  if (schedule == "linear") return peak * (1 - done);
  if (schedule == "step") {
    const double part = s / static_cast<double>(steps);
    return part < 0.6 ? peak : part < 0.85 ? peak / 10 : peak / 100;
  }
  if (schedule == "constant") return peak;
  throw std::invalid_argument("rate_at: no schedule " + schedule);
}

}  // namespace clmnet::nets
