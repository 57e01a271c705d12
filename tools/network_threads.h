#pragma once

#include <string>

namespace clmnet::tools {

/// Threads of the networks in each of `jobs` processes that run side by side.
/// wanted  --threads: of all of them together; 0: one per core
/// cores   that this process may use (usable_cores)
/// Result  1 to `cores`. Never more than cores in all, but one for each job: the threads of a layer wait for each other at its
///         end, and with more threads than cores each such wait lasts until the system turns to the last of them, milliseconds
///         for a layer that takes microseconds.
int threads_of_job(int wanted, int jobs, int cores);

/// What to tell a user who wanted more threads than there are cores; empty when there is nothing to tell.
std::string threads_note(int wanted, int cores);

/// Gives LibTorch threads_of_job() in this process, and says threads_note() on stderr.
void set_network_threads(int wanted, int jobs = 1);

}  // namespace clmnet::tools
