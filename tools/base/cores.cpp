#include "tools/base/cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace clmnet {
namespace fs = std::filesystem;

namespace {

std::optional<double> ratio(double quota, double period) {
  if (quota > 0 && period > 0) return quota / period;
  return std::nullopt;
}

/// Version 2: "max 100000" or "150000 100000", microseconds in a period.
std::optional<double> limit_of_group_2(const fs::path& group) {
  std::ifstream in(group / "cpu.max");
  double quota = 0, period = 0;
  return in >> quota >> period ? ratio(quota, period) : std::nullopt;
}

/// Version 1: -1 stands for no limit.
std::optional<double> limit_of_group_1(const fs::path& group) {
  std::ifstream quota_in(group / "cpu.cfs_quota_us"), period_in(group / "cpu.cfs_period_us");
  double quota = 0, period = 0;
  return quota_in >> quota && period_in >> period ? ratio(quota, period) : std::nullopt;
}

/// The least limit on the way from a group up to the root.
std::optional<double> least_limit(const fs::path& root, fs::path group, std::optional<double> (*limit_of)(const fs::path&)) {
  std::optional<double> least;
  for (group = group.lexically_normal().relative_path();; group = group.parent_path()) {
    const auto limit = limit_of(root / group);
    if (limit && (!least || *limit < *least)) least = limit;
    if (group.empty()) return least;
  }
}

/// std::thread::hardware_concurrency() gives the machine's, whatever taskset, SLURM or a cpuset leave of them.
int cores_of_affinity() {
  for (int most = CPU_SETSIZE; most <= 64 * CPU_SETSIZE; most *= 2) {  // a machine may have more than the usual set holds
    std::vector<cpu_set_t> set(static_cast<std::size_t>(most) / CPU_SETSIZE);
    const std::size_t bytes = set.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, set.data()) == 0) return CPU_COUNT_S(bytes, set.data());
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

bool has_cpu(const std::string& controllers) {
  std::istringstream list(controllers);
  for (std::string name; std::getline(list, name, ',');) {
    if (name == "cpu") return true;
  }
  return false;
}

}  // namespace

std::optional<double> cgroup_cpu_limit(const fs::path& membership, const fs::path& root) {
  std::optional<double> least;
  const auto take = [&](const std::optional<double>& limit) {
    if (limit && (!least || *limit < *least)) least = limit;
  };
  std::ifstream in(membership);
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty()) take(least_limit(root, group, limit_of_group_2));
    if (has_cpu(controllers)) take(least_limit(root / "cpu", group, limit_of_group_1));
  }
  return least;
}

int usable_cores() {
  const int cores = std::max(1, cores_of_affinity());
  const auto limit = cgroup_cpu_limit("/proc/self/cgroup", "/sys/fs/cgroup");
  return limit ? std::clamp(static_cast<int>(std::lround(*limit)), 1, cores) : cores;
}

}  // namespace clmnet
