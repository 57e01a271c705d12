#include "tools/network_threads.h"

#include <gtest/gtest.h>

#include "nets/torch.h"
#include "tools/base/cores.h"

namespace clmnet::tools {
namespace {

TEST(NetworkThreads, AreOfAllJobsTogether) {
  EXPECT_EQ(threads_of_job(2, 2, 2), 1);  // not two each: four on two cores stand still
  EXPECT_EQ(threads_of_job(8, 4, 16), 2);
  EXPECT_EQ(threads_of_job(8, 3, 16), 2);
  EXPECT_EQ(threads_of_job(6, 1, 16), 6);
}

TEST(NetworkThreads, OfNoNumberAreTheCores) {
  EXPECT_EQ(threads_of_job(0, 1, 16), 16);
  EXPECT_EQ(threads_of_job(0, 4, 16), 4);
}

TEST(NetworkThreads, NeverPassTheCoresButEachJobHasOne) {
  EXPECT_EQ(threads_of_job(64, 1, 2), 2);
  EXPECT_EQ(threads_of_job(64, 2, 2), 1);
  EXPECT_EQ(threads_of_job(1, 8, 2), 1);
  EXPECT_EQ(threads_of_job(0, 8, 2), 1);
}

TEST(NetworkThreads, TooManyAreSaid) {
  EXPECT_EQ(threads_note(0, 2), "");
  EXPECT_EQ(threads_note(2, 2), "");
  EXPECT_NE(threads_note(3, 2).find("--threads 3: there are 2 cores"), std::string::npos);
}

TEST(NetworkThreads, AreGivenToLibTorch) {
  const int before = torch::get_num_threads();
  set_network_threads(4096, 4096);
  EXPECT_EQ(torch::get_num_threads(), 1);
  set_network_threads(4096);
  EXPECT_EQ(torch::get_num_threads(), usable_cores());
  torch::set_num_threads(before);
}

}  // namespace
}  // namespace clmnet::tools
