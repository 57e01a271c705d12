#pragma once

#include <filesystem>
#include <optional>

namespace clmnet {

/// Cores that this process can keep busy: those it may run on (taskset, SLURM, cpusets), or fewer where its cgroup has less processor
/// time (docker --cpus, limits of Kubernetes), rounded to the nearest number; at least 1.
int usable_cores();

/// Processor time that cgroups grant, in cores: the least of the process's group and the groups around it; nothing without a limit.
/// membership  as /proc/self/cgroup: lines "number:controllers:path", of version 2 "0::path"
/// root        where the groups are, as /sys/fs/cgroup. In a container it often begins at the container's own group.
std::optional<double> cgroup_cpu_limit(const std::filesystem::path& membership, const std::filesystem::path& root);

}  // namespace clmnet
