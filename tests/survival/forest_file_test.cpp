#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "survival/random_forest.h"
#include "tests/survival/forest_data.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::survival {
namespace {

class ForestFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(::testing::TempDir()) /
            (std::string("forest_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    ForestOptions options;
    options.trees = 40;
    options.seed = 77;
    options.replace_constant = false;
    forest_ = std::make_unique<RandomForest>(RandomForest::fit(data_.x, data_.label, options));
    forest_->save(path_, names_);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void write(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

  ForestData data_ = mixed_data(50, 3, 2, 1);
  std::vector<std::string> names_{"age", "a,b", "µ"};
  std::unique_ptr<RandomForest> forest_;
  std::filesystem::path path_;
};

TEST_F(ForestFileTest, ComesBackTheSame) {
  std::vector<std::string> names;
  const auto loaded = RandomForest::load(path_, &names);
  EXPECT_EQ(names, names_);
  EXPECT_EQ(loaded.predict_probability(data_.x), forest_->predict_probability(data_.x));
  EXPECT_EQ(loaded.predict_vote(data_.x), forest_->predict_vote(data_.x));
  EXPECT_EQ(loaded.out_of_bag(data_.x).vote, forest_->out_of_bag(data_.x).vote);
  EXPECT_EQ(loaded.gini_importance(), forest_->gini_importance());
  EXPECT_EQ(loaded.options().seed, 77u);
  EXPECT_FALSE(loaded.options().replace_constant);
  EXPECT_EQ(loaded.options().features_per_split, 1);
}

TEST_F(ForestFileTest, AnyDamageIsNoticed) {
  const std::string good = read_whole_file(path_);
  for (const std::size_t kept : {good.size() - 1, good.size() / 2, std::size_t{40}, std::size_t{5}, std::size_t{0}}) {
    write(good.substr(0, kept));
    EXPECT_THROW(RandomForest::load(path_), InputError) << kept;
  }
  write(good + "x");
  EXPECT_THROW(RandomForest::load(path_), InputError);
  for (std::size_t at = 0; at < good.size(); at += 211) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x41);
    write(bad);
    EXPECT_THROW(RandomForest::load(path_), InputError) << at;
  }
}

TEST_F(ForestFileTest, RefusesWhatIsNotThere) {
  EXPECT_THROW(RandomForest::load("/nonexistent/forest"), InputError);
  EXPECT_THROW(forest_->save("/nonexistent/folder/forest"), InputError);
  EXPECT_THROW(forest_->save(path_, std::vector<std::string>{"one"}), std::invalid_argument);
  write("age,sex\n1,2\n");
  EXPECT_THROW(RandomForest::load(path_), InputError);
}

}  // namespace
}  // namespace clmnet::survival
