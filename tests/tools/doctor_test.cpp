#include "tools/doctor.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/base/temporary_folder.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;

/// An environment variable for the length of a test.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() { before_.empty() ? ::unsetenv(name_) : ::setenv(name_, before_.c_str(), 1); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::string before_;
};

Finding finding(bool ok, bool needed) { return {"group", "name", "what", ok, needed, "do this"}; }

TEST(Doctor, OnlyWhatIsNeededDecides) {
  EXPECT_TRUE(all_well({finding(true, true), finding(false, false)}));
  EXPECT_FALSE(all_well({finding(true, true), finding(false, true)}));
  EXPECT_TRUE(all_well({}));
}

TEST(Doctor, AdviceStandsWithWhatIsMissingOnly) {
  const auto document = to_json({finding(false, true)});
  EXPECT_EQ(document["ok"], false);
  EXPECT_EQ(document["group"]["name"]["advice"], "do this");
  EXPECT_FALSE(to_json({finding(true, true)})["group"]["name"].contains("advice"));
  EXPECT_NE(to_text({finding(false, true)}).find("MISSING  name"), std::string::npos);
  EXPECT_NE(to_text({finding(false, true)}).find("-> do this"), std::string::npos);
  EXPECT_EQ(to_text({finding(true, true)}).find("->"), std::string::npos);
}

TEST(Doctor, LibrariesHaveVersions) {
  for (const Finding& library : look_at_libraries()) {
    if (!library.ok) continue;
    EXPECT_NE(library.found.find_first_of("0123456789"), std::string::npos) << library.name << ": " << library.found;
  }
}

TEST(Doctor, DataFolderWithSlides) {
  test::TemporaryFolder folder;
  fs::create_directory(folder / "slides");
  const Environment data("CLMNET_DATA", folder.path().string());
  EXPECT_TRUE(look_at_data().ok);
  EXPECT_NE(look_at_data().found.find("slides"), std::string::npos);
}

TEST(DoctorErrors, DataFolderThatIsNotThere) {
  const Environment data("CLMNET_DATA", "/nowhere/data");
  const Finding found = look_at_data();
  EXPECT_FALSE(found.ok);
  EXPECT_FALSE(found.needed) << "the program works without";
  EXPECT_EQ(found.found, "/nowhere/data (CLMNET_DATA): no such folder");
}

TEST(DoctorErrors, DataFolderOfSomethingElse) {
  test::TemporaryFolder folder;
  folder.write("holiday.jpg", "x");
  const Environment data("CLMNET_DATA", folder.path().string());
  EXPECT_FALSE(look_at_data().ok);
  EXPECT_NE(look_at_data().found.find("holds none of"), std::string::npos);
}

TEST(DoctorErrors, DataFolderThatIsAFile) {
  test::TemporaryFolder folder;
  const Environment data("CLMNET_DATA", folder.write("data", "x").string());
  EXPECT_FALSE(look_at_data().ok);
}

TEST(DoctorErrors, GnuplotNotInPath) {
  test::TemporaryFolder folder;
  const Environment path("PATH", folder.path().string());
  const Finding found = look_at_gnuplot();
  EXPECT_FALSE(found.ok);
  EXPECT_TRUE(found.needed);
  EXPECT_NE(found.advice.find("gnuplot-nox"), std::string::npos);
}

TEST(DoctorErrors, GnuplotThatDoesNotRun) {
  test::TemporaryFolder folder;
  const auto program = folder.write("gnuplot", "#!/bin/sh\nexit 127\n");
  fs::permissions(program, fs::perms::owner_all);
  const Environment path("PATH", folder.path().string() + ":/usr/bin:/bin");
  EXPECT_FALSE(look_at_gnuplot().ok);
  EXPECT_NE(look_at_gnuplot().found.find("does not run"), std::string::npos);
}

TEST(DoctorErrors, GnuplotWithoutTheRightToRunIsNone) {
  test::TemporaryFolder folder;
  folder.write("gnuplot", "#!/bin/sh\necho gnuplot 5\n");
  const Environment path("PATH", folder.path().string());
  EXPECT_EQ(look_at_gnuplot().found, "not in PATH");
}

}  // namespace
}  // namespace clmnet::tools
