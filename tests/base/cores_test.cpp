#include "tools/base/cores.h"

#include <sched.h>

#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/base/temporary_folder.h"

namespace clmnet {
namespace {

namespace fs = std::filesystem;

class CgroupLimit : public ::testing::Test {
 protected:
  void write(const fs::path& file, const std::string& text) {
    fs::create_directories((folder_.path() / file).parent_path());
    std::ofstream(folder_.path() / file) << text;
  }
  std::optional<double> limit(const std::string& membership) {
    write("membership", membership);
    return cgroup_cpu_limit(folder_.path() / "membership", folder_.path() / "root");
  }

  test::TemporaryFolder folder_;
};

TEST_F(CgroupLimit, OfVersion2IsTheLeastUpToTheRoot) {
  write("root/slurm/job_1/step_0/cpu.max", "max 100000\n");
  write("root/slurm/job_1/cpu.max", "350000 100000\n");
  write("root/slurm/cpu.max", "1600000 100000\n");
  EXPECT_DOUBLE_EQ(limit("0::/slurm/job_1/step_0\n").value(), 3.5);
}

TEST_F(CgroupLimit, OfVersion1IsQuotaByPeriod) {
  write("root/cpu/docker/ab/cpu.cfs_quota_us", "150000\n");
  write("root/cpu/docker/ab/cpu.cfs_period_us", "50000\n");
  write("root/cpu/cpu.cfs_quota_us", "-1\n");
  write("root/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(limit("9:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n0::/\n").value(), 3.0);
  EXPECT_FALSE(limit("4:cpuacct:/docker/ab\n3:cpuset:/docker/ab\n").has_value());
}

TEST_F(CgroupLimit, OfAContainerStandsAtItsOwnRoot) {
  write("root/cpu/cpu.cfs_quota_us", "200000\n");
  write("root/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(limit("4:cpu,cpuacct:/docker/of/the/host\n").value(), 2.0);
  EXPECT_DOUBLE_EQ(limit("4:cpu,cpuacct:/../elsewhere\n").value(), 2.0);
}

TEST_F(CgroupLimit, IsNoneWithoutFilesOrSense) {
  EXPECT_FALSE(limit("").has_value());
  EXPECT_FALSE(limit("0::/\nnonsense\n1:cpu\n").has_value());
  write("root/cpu.max", "max 100000\n");
  EXPECT_FALSE(limit("0::/\n").has_value());
  write("root/cpu.max", "100000 0\n");
  EXPECT_FALSE(limit("0::/\n").has_value());
  EXPECT_FALSE(cgroup_cpu_limit(folder_.path() / "absent", folder_.path() / "root").has_value());
}

TEST(UsableCores, AreNoMoreThanThoseTheThreadMayRunOn) {
  EXPECT_GE(usable_cores(), 1);
  EXPECT_LE(usable_cores(), static_cast<int>(std::thread::hardware_concurrency()));
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_cores(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace clmnet
