#include "tools/run_status.h"

#include <gtest/gtest.h>

#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

constexpr std::time_t kNow = 1'000'000;
const char* const kLogHead = "network,epoch,seconds\n";

/// A run of two folds, networks a (2 epochs) and b (4 epochs).
class CvStatus : public testing::Test {
 protected:
  CvStatus() {
    for (const char* fold : {"repeat-1/fold-1/training", "repeat-1/fold-2"}) std::filesystem::create_directories(folder_ / fold);
    const json training = {{"training", {{"seed", 1}}}, {"a", {{"epochs", 2}}}, {"b", {{"epochs", 4}}}};
    put("run.json", json{{"configuration", {{"command", "cv"}, {"training", training}}}}.dump());
  }
  void put(const std::string& name, const std::string& text) { write_atomically(folder_ / name, text); }
  json status() { return run_status(folder_.path(), kNow); }
  static std::string progress(std::time_t updated) {
    return json{{"doing", "fold 1/2 a epoch 2/2"},
                {"done", 3},
                {"total", 9},
                {"unit", "batches"},
                {"seconds_left", 12},
                {"updated", updated}}
        .dump();
  }
  test::TemporaryFolder folder_;
};

TEST_F(CvStatus, CountsEpochsAndTheTimeThatIsLeft) {
  put("repeat-1/fold-1/training/train.csv", std::string(kLogHead) + "a,1,10\na,2,20\nb,1,40\n");
  put("repeat-1/fold-1/progress.json", progress(kNow - 5));
  const json s = status();
  EXPECT_EQ(s["state"], "running");
  EXPECT_EQ(s["done"], 0);
  EXPECT_EQ(s["total"], 2);
  EXPECT_EQ(s["epochs_done"], 3);
  EXPECT_EQ(s["epochs"], 12);
  EXPECT_EQ(s["seconds_left"], 3 * 40 + 2 * 15 + 4 * 40);  // three of b in fold 1; all of fold 2, a at (10 + 20) / 2
  EXPECT_EQ(s["parts"][0]["state"], "running");
  EXPECT_EQ(s["parts"][1]["state"], "waiting");
  EXPECT_NE(status_text(s).find("3 of 12 epochs"), std::string::npos);
  EXPECT_NE(status_text(s).find("3/9 batches"), std::string::npos);
}

TEST_F(CvStatus, OldProgressIsNoRunningFold) {
  put("repeat-1/fold-1/progress.json", progress(kNow - 1000));
  EXPECT_EQ(status()["state"], "stopped");
  EXPECT_EQ(status()["parts"][0]["state"], "begun");
  EXPECT_TRUE(status()["seconds_left"].is_null());  // no epoch was timed yet
}

TEST_F(CvStatus, AFailureIsShownUntilItsFoldIsDone) {
  put("repeat-1/fold-2/failure.json", json{{"message", "disk full"}, {"when", kNow - 3}}.dump());
  EXPECT_EQ(status()["parts"][1]["state"], "failed");
  EXPECT_EQ(status()["last_failure"], "repeat-1/fold-2: disk full");
  put("repeat-1/fold-2/progress.json", progress(kNow - 1));  // tried again since
  EXPECT_EQ(status()["parts"][1]["state"], "running");
  put("repeat-1/fold-2/fold.json", "{}");
  EXPECT_EQ(status()["parts"][1]["state"], "finished");
  EXPECT_TRUE(status()["last_failure"].is_null());
}

TEST_F(CvStatus, DamagedFilesOfAFoldAreNoReasonToFail) {
  put("repeat-1/fold-1/training/train.csv", "network,epoch\n");
  put("repeat-1/fold-1/progress.json", "{");
  put("repeat-1/fold-1/failure.json", "[]");
  EXPECT_EQ(status()["parts"][0]["state"], "begun");
}

TEST_F(CvStatus, AFinishedRunHasNothingLeft) {
  json run = json::parse(read_whole_file(folder_ / "run.json"));
  run["finished"] = true;
  put("run.json", run.dump());
  for (const char* fold : {"1", "2"}) put(std::string("repeat-1/fold-") + fold + "/fold.json", "{}");
  EXPECT_EQ(status()["state"], "finished");
  EXPECT_EQ(status()["done"], 2);
  EXPECT_EQ(status()["seconds_left"], 0);
}

TEST(RunStatus, OfATraining) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "training");
  write_atomically(folder / "training/training.json", json{{"configuration", {{"unet", {{"epochs", 3}}}}}}.dump());
  write_atomically(folder / "training/train.csv", std::string(kLogHead) + "unet,1,7\n");
  json s = run_status(folder.path(), kNow);
  EXPECT_EQ(s["kind"], "train");
  EXPECT_EQ(s["epochs_done"], 1);
  EXPECT_EQ(s["seconds_left"], 14);
  write_atomically(folder / "training/train.csv", std::string(kLogHead) + "unet,1,7\nunet,2,7\nunet,3,7\n");
  EXPECT_NE(run_status(folder.path(), kNow)["state"], "finished");  // the fusion is not learned yet
  write_atomically(folder / "config.json", "{}");
  EXPECT_EQ(run_status(folder.path(), kNow)["state"], "finished");
}

TEST(RunStatus, OfSlides) {
  const test::TemporaryFolder folder;
  for (const char* slide : {"a", "b"}) std::filesystem::create_directories(folder / slide);
  write_atomically(folder / "a/summary.json", "{}");
  write_atomically(folder / "run.json", json{{"configuration", {{"command", "analyze"}}}}.dump());
  json s = run_status(folder.path(), kNow);
  EXPECT_EQ(s["state"], "stopped");
  EXPECT_EQ(s["done"], 1);
  EXPECT_EQ(s["total"], 2);
  write_atomically(
      folder / "run.json",
      json{{"configuration", {{"command", "analyze"}}}, {"failures", {{{"slide", "b"}, {"error", "b: cut off"}}}}}.dump());
  s = run_status(folder.path(), kNow);
  EXPECT_EQ(s["state"], "finished");
  EXPECT_EQ(s["last_failure"], "b: cut off");
}

TEST(RunStatus, WhatIsNoRunIsAnError) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(run_status(folder.path(), kNow), InputError);
  EXPECT_THROW(run_status(folder / "absent", kNow), InputError);
  for (const char* text : {"", "{", "[1]", "{\"configuration\": 3}"}) {
    write_atomically(folder / "run.json", text);
    const auto message = test::message_of<InputError>([&] { run_status(folder.path(), kNow); });
    EXPECT_NE(message.find("run.json: is damaged, or not of clmnet"), std::string::npos) << text << message;
  }
}

}  // namespace
}  // namespace clmnet::tools
