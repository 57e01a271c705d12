#include "tools/config_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

using test::TemporaryFolder;

class ConfigFileTest : public ::testing::Test {
 protected:
  ConfigFile open(const std::string& text) {
    const auto file = folder_.path() / "x.toml";
    std::ofstream(file) << text;
    return ConfigFile(file);
  }
  static std::string error_of(const std::function<void()>& what) {
    try {
      what();
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  }
  TemporaryFolder folder_;
};

TEST_F(ConfigFileTest, TakesValuesOfSections) {
  ConfigFile file = open("top = 3\n[a]\nx = 0.5  # half\nyes = true\nname = \"s\"\nlist = [\"p\", \"q\"]\n");
  int top = 0;
  double x = 0;
  bool yes = false;
  std::string name;
  std::vector<std::string> list;
  file.take("top", top, 0, 10);
  file.take("a.x", x, 0, 1);
  file.take("a.yes", yes);
  file.take("a.name", name);
  file.take("a.list", list);
  EXPECT_NO_THROW(file.finish());
  EXPECT_EQ(top, 3);
  EXPECT_EQ(x, 0.5);
  EXPECT_TRUE(yes);
  EXPECT_EQ(name, "s");
  EXPECT_EQ(list, (std::vector<std::string>{"p", "q"}));
}

TEST_F(ConfigFileTest, WhatIsNotThereKeepsItsDefault) {
  ConfigFile file = open("[a]\n");
  double x = 7;
  file.take("a.x", x, 0, 10);
  EXPECT_EQ(x, 7);
}

TEST_F(ConfigFileTest, NamesFileKeyAndRange) {
  ConfigFile file = open("[a]\nx = 5\ny = fast\nz = 1.5\nflag = 1\n");
  double value = 0;
  int whole = 0;
  bool flag = false;
  const std::string range = error_of([&] { file.take("a.x", value, 0, 1); });
  EXPECT_NE(range.find("x.toml"), std::string::npos);
  EXPECT_NE(range.find("'a.x' is '5', expected a number from 0 to 1"), std::string::npos);
  EXPECT_NE(error_of([&] { file.take("a.y", value, 0, 1); }).find("'fast'"), std::string::npos);
  EXPECT_NE(error_of([&] { file.take("a.z", whole, 0, 9); }).find("whole number"), std::string::npos);
  EXPECT_NE(error_of([&] { file.take("a.flag", flag); }).find("true or false"), std::string::npos);
}

TEST_F(ConfigFileTest, RefusesKeysThatNobodyKnows) {
  ConfigFile file = open("[a]\nx = 1\ntypo = 2\n");
  double x = 0;
  file.take("a.x", x, 0, 9);
  const std::string message = error_of([&] { file.finish(); });
  EXPECT_NE(message.find("unknown key 'a.typo'"), std::string::npos);
  EXPECT_NE(message.find("there are: a.x"), std::string::npos);
}

TEST_F(ConfigFileTest, NamesKeysOfTheSectionOrElseTheSections) {
  for (const auto& [text, wanted] : {std::pair{"[a]\ntypo = 2\n", "unknown key 'a.typo'; there are: a.x, a.y"},
                                     {"[c]\nx = 2\n", "unknown key 'c.x'; there are: [a], [b]"}}) {
    ConfigFile file = open(text);
    double x = 0;
    for (const char* key : {"a.x", "a.y", "b.z"}) file.take(key, x, 0, 9);
    const std::string message = error_of([&] { file.finish(); });
    EXPECT_TRUE(message.ends_with(wanted)) << message;
  }
}

TEST_F(ConfigFileTest, RefusesMissingFilesAndDoubledKeys) {
  EXPECT_THROW(ConfigFile(folder_.path() / "none.toml"), InputError);
  EXPECT_THROW(
      {
        ConfigFile file = open("[a]\nx = 1\nx = 2\n");
        double x = 0;
        file.take("a.x", x, 0, 9);
      },
      InputError);
}

}  // namespace
}  // namespace clmnet::tools
