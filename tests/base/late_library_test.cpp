#include "tools/base/late_library.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"

namespace clmnet {
namespace {
namespace fs = std::filesystem;

std::string error_of(const std::string& part, const char* function) {
  return test::message_of<InputError>([&] { symbol_of_part(part, function); });
}

/// A file beside this program for the length of a test.
class FileBesideProgram {
 public:
  FileBesideProgram(const std::string& name, const std::string& text) : path_(program_path().parent_path() / name) {
    std::ofstream(path_) << text;
  }
  ~FileBesideProgram() { fs::remove(path_); }
  FileBesideProgram(const FileBesideProgram&) = delete;
  FileBesideProgram& operator=(const FileBesideProgram&) = delete;

 private:
  fs::path path_;
};

TEST(ProgramPath, IsTheProgramThatRuns) {
  EXPECT_TRUE(program_path().is_absolute());
  EXPECT_EQ(program_path().filename(), "base_test");
}

TEST(LatePart, IsFoundBesideTheProgram) { EXPECT_EQ(function_of_part<int(int)>("late-part.so", "clmnet_twice")(21), 42); }

TEST(LatePart, MissingIsNamedWithTheReason) {
  const auto message = error_of("no-such-part.so", "clmnet_twice");
  EXPECT_NE(message.find("no-such-part.so cannot be loaded"), std::string::npos) << message;
  EXPECT_NE(message.find("No such file"), std::string::npos) << message;
}

TEST(LatePart, FileThatIsNoLibraryIsNamedWithTheReason) {
  const FileBesideProgram file("text-part.so", "no library");
  const auto message = error_of("text-part.so", "clmnet_twice");
  EXPECT_NE(message.find("text-part.so cannot be loaded"), std::string::npos) << message;
}

TEST(LatePart, MissingFunctionIsNamed) {
  const auto message = error_of("late-part.so", "clmnet_thrice");
  EXPECT_NE(message.find("has no function clmnet_thrice"), std::string::npos) << message;
}

}  // namespace
}  // namespace clmnet
