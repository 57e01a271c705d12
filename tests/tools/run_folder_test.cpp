#include "tools/run_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

using test::TemporaryFolder;

using nlohmann::json;

const json kConfiguration = {{"command", "analyze"}, {"tiles", {{"stride_px", 192}}}};

void write(const std::filesystem::path& file, const std::string& text) { std::ofstream(file) << text; }

TEST(RunFolderTest, AFinishedSlideIsKnownAgain) {
  const TemporaryFolder folder;
  const RunFolder run(folder.path() / "run", kConfiguration);
  write(run.slide_folder("a") / "out.txt", "hello");
  EXPECT_TRUE(run.finished("a").is_null());
  run.finish("a", {{"tumour_area_mm2", 2.5}}, {"out.txt"});
  const RunFolder again(folder.path() / "run", kConfiguration);
  EXPECT_EQ(again.finished("a")["tumour_area_mm2"], 2.5);
  EXPECT_TRUE(again.finished("b").is_null());
}

TEST(RunFolderTest, AMissingShortOrDamagedOutputIsNotFinished) {
  const TemporaryFolder folder;
  const RunFolder run(folder.path() / "run", kConfiguration);
  for (const char* slide : {"gone", "short", "damaged"}) {
    write(run.slide_folder(slide) / "out.txt", "hello");
    run.finish(slide, json::object(), {"out.txt"});
    ASSERT_FALSE(run.finished(slide).is_null());
  }
  std::filesystem::remove(run.slide_folder("gone") / "out.txt");
  write(run.slide_folder("short") / "out.txt", "hel");
  write(run.slide_folder("damaged") / "summary.json", "{\"output_by");
  for (const char* slide : {"gone", "short", "damaged"}) EXPECT_TRUE(run.finished(slide).is_null()) << slide;
}

TEST(RunFolderTest, RefusesARunOfAnotherConfigurationAndNamesTheDifference) {
  const TemporaryFolder folder;
  const RunFolder run(folder.path() / "run", kConfiguration);
  json other = kConfiguration;
  other["tiles"]["stride_px"] = 224;
  try {
    RunFolder(folder.path() / "run", other);
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("tiles/stride_px was 192, now 224"), std::string::npos) << error.what();
  }
}

TEST(RunFolderTest, RefusesFoldersThatHoldSomethingElse) {
  const TemporaryFolder folder;
  write(folder.path() / "thesis.doc", "x");
  EXPECT_THROW(RunFolder(folder.path(), kConfiguration), InputError);
  EXPECT_THROW(RunFolder(folder.path() / "thesis.doc", kConfiguration), InputError);
  std::filesystem::create_directory(folder.path() / "damaged");
  write(folder.path() / "damaged" / "run.json", "{");
  EXPECT_THROW(RunFolder(folder.path() / "damaged", kConfiguration), InputError);
}

TEST(RunFolderTest, AKilledFirstFileDoesNotLockTheFolder) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "killed");
  write_atomically(folder.path() / "killed" / ".run.123-0.part.json", "{\"conf");
  EXPECT_NO_THROW(RunFolder(folder.path() / "killed", kConfiguration));
  std::filesystem::create_directory(folder.path() / "hidden");
  write_atomically(folder.path() / "hidden" / ".notes", "mine");
  EXPECT_THROW(RunFolder(folder.path() / "hidden", kConfiguration), InputError);
}

TEST(RunFolderTest, AnEmptyFolderWillDo) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "empty");
  EXPECT_NO_THROW(RunFolder(folder.path() / "empty", kConfiguration));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "empty" / "run.json"));
}

}  // namespace
}  // namespace clmnet::tools
