// The random field against pydensecrf2 on the pictures of the expected values.
#include <chrono>
#include <cmath>

#include <gtest/gtest.h>

#include "crf_reference.h"

namespace clmnet::nets {
namespace {

class CrfAgainstPydensecrf : public ::testing::TestWithParam<const char*> {};

// The tolerance is that of the files: mean difference 0.01, masks at 0.5 equal on 99.5 % of pixels.
TEST_P(CrfAgainstPydensecrf, MeanAndMask) {
  const auto reference = load_crf_reference(GetParam());
  if (!reference) GTEST_SKIP() << crf_reference_folder() << " is not there; set CLMNET_REFERENCE";
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<float> got = refine(reference->picture(), reference->options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  double sum = 0, changed = 0, agree = 0;
  const auto n = static_cast<double>(got.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    sum += std::abs(got[i] - reference->refined[i]);
    agree += (got[i] > 0.5f) == (reference->refined[i] > 0.5f);
    changed += (got[i] > 0.5f) != (reference->probability[i] > 0.5f);
  }
  // Measured 4e-6 and every pixel; held tighter than asked, so that drift shows.
  EXPECT_LE(sum / n, 1e-3);
  EXPECT_GE(agree / n, 0.9999);
  EXPECT_GT(changed / n, 0.01) << "the field must have done something";
  RecordProperty("seconds", std::to_string(seconds));
  RecordProperty("times_as_fast_as_pydensecrf", std::to_string(reference->seconds_pydensecrf / seconds));
}

// Windows of 800 px with the usual overlap against the reference of the whole picture.
TEST_P(CrfAgainstPydensecrf, InWindows) {
  const auto reference = load_crf_reference(GetParam());
  if (!reference) GTEST_SKIP() << crf_reference_folder() << " is not there; set CLMNET_REFERENCE";
  std::vector<float> got(reference->refined.size());
  refine_windowed(reference->picture(), got.data(), reference->options, {800, 0});
  double sum = 0, agree = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    sum += std::abs(got[i] - reference->refined[i]);
    agree += (got[i] > 0.5f) == (reference->refined[i] > 0.5f);
  }
  const auto n = static_cast<double>(got.size());
  EXPECT_LE(sum / n, 0.01);
  EXPECT_GE(agree / n, 0.995);
}

INSTANTIATE_TEST_SUITE_P(Pictures, CrfAgainstPydensecrf, ::testing::Values("small", "large"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace clmnet::nets
