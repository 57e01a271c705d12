#include "tools/cv/fold_jobs.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;

TEST(DeviceSlots, DealsJobsEvenlyAndAFreedDeviceNext) {
  DeviceSlots slots({"cuda:0", "cuda:1", "cuda:2"});
  EXPECT_EQ(slots.take(), "cuda:0");
  EXPECT_EQ(slots.take(), "cuda:1");
  EXPECT_EQ(slots.take(), "cuda:2");
  slots.give_back("cuda:1");
  EXPECT_EQ(slots.take(), "cuda:1");  // not the next in turn: cuda:0 still works
  EXPECT_EQ(slots.take(), "cuda:0");  // a fourth at once: all are as busy
  EXPECT_EQ(slots.take(), "cuda:1");
  slots.give_back("cuda:2");
  EXPECT_EQ(slots.take(), "cuda:2");
}

TEST(DeviceSlots, OneDeviceTakesAll) {
  DeviceSlots slots({"auto"});
  EXPECT_EQ(slots.take(), "auto");
  EXPECT_EQ(slots.take(), "auto");
}

TEST(DeviceSlots, RefusesNoDeviceAndWhatWasNotTaken) {
  EXPECT_THROW(DeviceSlots(std::vector<std::string>{}), std::invalid_argument);
  DeviceSlots slots({"cuda:0", "cuda:1"});
  slots.take();
  EXPECT_THROW(slots.give_back("cuda:1"), std::invalid_argument);
  EXPECT_THROW(slots.give_back("cpu"), std::invalid_argument);
}

class FoldJobs : public testing::Test {
 protected:
  FoldJob job(const std::string& name, std::function<void()> run) {
    fs::create_directories(folder_ / name);
    return {name, "fold " + name + " ", folder_ / name, std::move(run)};
  }
  test::TemporaryFolder folder_;
  ProgressBar bar_;
};

TEST_F(FoldJobs, OneThatFailsIsReportedAndTheOthersGoOn) {
  int done = 0;
  const auto failures = run_fold_jobs({job("1", [&] { ++done; }), job("2", [] { throw InputError("disk full"); }),
                                       job("3", [] { throw std::runtime_error("out of memory"); }), job("4", [&] { ++done; })},
                                      1, {"cpu"}, bar_);
  EXPECT_EQ(done, 2);
  EXPECT_EQ(failures, (std::vector<std::string>{"fold 2 disk full", "fold 3 out of memory"}));
  EXPECT_EQ(nlohmann::json::parse(read_whole_file(folder_ / "2/failure.json"))["message"], "disk full");
  EXPECT_FALSE(fs::exists(folder_ / "4/failure.json"));
}

TEST_F(FoldJobs, AnInterruptionIsNoFailure) {
  bool later = false;
  const std::vector<FoldJob> jobs = {job("1", [] { throw Interrupted("stopped"); }), job("2", [&] { later = true; })};
  EXPECT_THROW(run_fold_jobs(jobs, 1, {"cpu"}, bar_), Interrupted);
  EXPECT_FALSE(later);
  EXPECT_FALSE(fs::exists(folder_ / "1/failure.json"));
}

TEST_F(FoldJobs, EachWritesItsOwnProgress) {
  run_fold_jobs({job("1", [&] { bar_.update("first", 1, 2, "steps"); }), job("2", [&] { bar_.update("second", 1, 2, "steps"); })},
                1, {"cpu"}, bar_);
  EXPECT_EQ(nlohmann::json::parse(read_whole_file(folder_ / "1/progress.json"))["doing"], "first");
  EXPECT_EQ(nlohmann::json::parse(read_whole_file(folder_ / "2/progress.json"))["doing"], "second");
}

TEST_F(FoldJobs, NothingToDoIsNoFailure) { EXPECT_TRUE(run_fold_jobs({}, 4, {"cpu"}, bar_).empty()); }

TEST_F(FoldJobs, AFailureThatCannotBeWrittenDownIsReportedAllTheSame) {
  const auto failures = run_fold_jobs({{"1", "fold 1 ", folder_ / "gone", [] { throw InputError("disk full"); }}}, 1, {"cpu"}, bar_);
  EXPECT_EQ(failures, std::vector<std::string>{"fold 1 disk full"});
}

TEST_F(FoldJobs, AMessageThatIsNoTextIsKeptAllTheSame) {
  fs::create_directories(folder_ / "1");
  write_failure(folder_ / "1", "name \xff");
  EXPECT_NO_THROW(nlohmann::json::parse(read_whole_file(folder_ / "1/failure.json")));
}

}  // namespace
}  // namespace clmnet::tools
