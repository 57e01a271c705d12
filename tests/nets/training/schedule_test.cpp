#include "nets/training/schedule.h"

#include <gtest/gtest.h>

#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

TEST(Schedule, RisesInALineThenFallsAsItsNameSays) {
  // 100 steps, of which 10 rise.
  for (const char* name : {"cosine", "linear", "step", "constant"}) {
    EXPECT_DOUBLE_EQ(rate_at(name, 0, 100, 2.0, 0.1), 0.2) << name;
    EXPECT_DOUBLE_EQ(rate_at(name, 9, 100, 2.0, 0.1), 2.0) << name;
    EXPECT_DOUBLE_EQ(rate_at(name, 10, 100, 2.0, 0.1), 2.0) << name;
  }
  EXPECT_NEAR(rate_at("cosine", 55, 100, 2.0, 0.1), 1.0, 1e-12);
  EXPECT_NEAR(rate_at("cosine", 100, 100, 2.0, 0.1), 0.0, 1e-12);
  EXPECT_NEAR(rate_at("linear", 55, 100, 2.0, 0.1), 1.0, 1e-12);
  EXPECT_NEAR(rate_at("linear", 100, 100, 2.0, 0.1), 0.0, 1e-12);
  EXPECT_DOUBLE_EQ(rate_at("constant", 99, 100, 2.0, 0.1), 2.0);
  EXPECT_DOUBLE_EQ(rate_at("step", 59, 100, 2.0, 0.1), 2.0);
  EXPECT_DOUBLE_EQ(rate_at("step", 60, 100, 2.0, 0.1), 0.2);
  EXPECT_DOUBLE_EQ(rate_at("step", 85, 100, 2.0, 0.1), 0.02);
}

TEST(Schedule, OneStepWithoutWarmUpIsTakenAtThePeak) { EXPECT_DOUBLE_EQ(rate_at("cosine", 0, 1, 2.0, 0), 2.0); }

TEST(Schedule, OthersAreRefusedByName) {
  check_schedule("linear");
  const auto message = test::message_of<InputError>([] { check_schedule("poly"); });
  EXPECT_NE(message.find("no schedule 'poly'; there are: cosine"), std::string::npos) << message;
  EXPECT_THROW(rate_at("poly", 5, 10, 1, 0), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::nets
