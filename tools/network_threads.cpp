#include "tools/network_threads.h"

#include <algorithm>
#include <iostream>

#include "nets/torch.h"
#include "tools/base/cores.h"

namespace clmnet::tools {

int threads_of_job(int wanted, int jobs, int cores) {
  const int all = wanted > 0 ? std::min(wanted, cores) : cores;
  return std::max(1, all / std::max(1, jobs));
}

std::string threads_note(int wanted, int cores) {
  if (wanted <= cores) return {};
  return "--threads " + std::to_string(wanted) + ": there are " + std::to_string(cores) +
         " cores to use; the networks take as many threads, more would wait for each other";
}

void set_network_threads(int wanted, int jobs) {
  const int cores = usable_cores();
  if (const std::string note = threads_note(wanted, cores); !note.empty()) std::cerr << "clmnet: " << note << std::endl;
  // LibTorch knows best how many suit a machine where nobody asks for a number: it leaves a core's second thread alone.
  const int usable = wanted > 0 ? cores : std::min(cores, torch::get_num_threads());
  const int threads = threads_of_job(wanted, jobs, usable);
  if (threads != torch::get_num_threads()) torch::set_num_threads(threads);
}

}  // namespace clmnet::tools
