#pragma once

#include <cstdint>
#include <string>

namespace clmnet::nets {

/// Throws InputError, naming those there are, where no schedule has this name.
void check_schedule(const std::string& schedule);

/// The learning rate of a step, from 0, out of `steps`: a linear rise over the first `warmup` share of them, then
///   cosine    half a cosine from `peak` to 0 (Loshchilov and Hutter 2017, without restarts)
///   linear    a line from `peak` to 0
///   step      `peak`, a tenth of it from 60 % of the steps on, a hundredth from 85 % on
///   constant  `peak`
/// Throws std::invalid_argument for another schedule.
double rate_at(const std::string& schedule, std::int64_t step, std::int64_t steps, double peak, double warmup);

}  // namespace clmnet::nets
