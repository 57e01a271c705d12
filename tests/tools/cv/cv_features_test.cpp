#include "tools/cv/cv_features.h"

#include <gtest/gtest.h>

#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

/// Three images: two of patient "a" in fold 1, one of "b ü" in fold 2.
CvFeatures three_images() {
  CvFeatures f;
  f.image = {"1.png", "a longer name.png", "3.png"};
  f.patient = {"a", "a", "b ü"};
  f.repeat = {1, 1, 1};
  f.fold = {1, 1, 2};
  f.features.resize(3, 2);
  f.features << 1, 2, 3, 6, 5, 7;
  f.parts = {{"vgg16", 0, 1}, {"unet", 1, 2}};
  return f;
}

TEST(CvFeatures, ComeBackFromTheirFile) {
  const test::TemporaryFolder folder;
  const CvFeatures f = three_images();
  const CvFeatures means = mean_by_patient(f);
  write_cv_features(folder / "features.h5", f, &means);
  const CvFeatures back = read_cv_features(folder / "features.h5");
  EXPECT_EQ(back.image, f.image);
  EXPECT_EQ(back.patient, f.patient);
  EXPECT_EQ(back.fold, f.fold);
  EXPECT_EQ(back.features, f.features);
  ASSERT_EQ(back.parts.size(), 2U);
  EXPECT_EQ(back.parts[1].network, "unet");
  EXPECT_EQ(back.parts[1].begin, 1);
}

TEST(CvFeatures, APatientIsTheMeanOfHisImages) {
  const CvFeatures means = mean_by_patient(three_images());
  EXPECT_EQ(means.patient, (std::vector<std::string>{"a", "b ü"}));
  EXPECT_EQ(means.image, (std::vector<std::string>{"2", "1"}));
  EXPECT_EQ(means.features(0, 0), 2);
  EXPECT_EQ(means.features(0, 1), 4);
  EXPECT_EQ(means.features(1, 1), 7);
}

TEST(CvFeatures, OfTwoFoldsAreNeverMixed) {
  CvFeatures f = three_images();
  f.fold[1] = 2;  // as another network sees the second image
  EXPECT_EQ(mean_by_patient(f).patient.size(), 3U);
}

TEST(CvFeatures, TheSameContentIsTheSameBytes) {
  const test::TemporaryFolder folder;
  write_cv_features(folder / "a.h5", three_images());
  write_cv_features(folder / "b.h5", three_images());
  EXPECT_EQ(read_whole_file(folder / "a.h5"), read_whole_file(folder / "b.h5"));
}

TEST(CvFeatures, RefusesOtherFiles) {
  const test::TemporaryFolder folder;
  EXPECT_THROW(read_cv_features(folder / "absent.h5"), InputError);
  write_atomically(folder / "text.h5", "no HDF5");
  EXPECT_THROW(read_cv_features(folder / "text.h5"), InputError);
  CvFeatures f = three_images();
  f.fold.pop_back();
  write_cv_features(folder / "short.h5", f);
  EXPECT_THROW(read_cv_features(folder / "short.h5"), InputError);
  f = three_images();
  f.parts[1].end = 9;
  write_cv_features(folder / "parts.h5", f);
  EXPECT_THROW(read_cv_features(folder / "parts.h5"), InputError);
  const std::string whole = [&] {
    write_cv_features(folder / "cut.h5", three_images());
    return read_whole_file(folder / "cut.h5");
  }();
  write_atomically(folder / "cut.h5", whole.substr(0, whole.size() / 2));
  EXPECT_THROW(read_cv_features(folder / "cut.h5"), InputError);
}

}  // namespace
}  // namespace clmnet::tools
