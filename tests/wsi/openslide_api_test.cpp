#include "wsi/openslide_api.h"

#include <gtest/gtest.h>
#include <opencv2/core.hpp>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/error.h"
#include "wsi/openslide_reader.h"
#include "wsi/slide.h"

namespace clmnet::wsi {
namespace {

#define CLMNET_NEEDS_OPENSLIDE4()                                                                     \
  if (!openslide4()) {                                                                                \
    GTEST_SKIP() << "no OpenSlide 4: tools/setup puts it into .deps, or name it in CLMNET_OPENSLIDE"; \
  }

TEST(OpenSlideLibraries, TheLinkedOneIsThereAndSaysItsVersion) {
  EXPECT_EQ(linked_openslide().version.substr(0, 10), "OpenSlide ");
  EXPECT_NE(linked_openslide().open, nullptr);
}

TEST(OpenSlideLibraries, TwoInOneProcessKeepApart) {
  CLMNET_NEEDS_OPENSLIDE4();
  EXPECT_EQ(openslide4()->version.substr(0, 11), "OpenSlide 4");
  EXPECT_NE(openslide4()->version, linked_openslide().version);
  EXPECT_NE(openslide4()->open, linked_openslide().open);
}

TEST(OpenSlideLibraries, BothReadTheSamePixels) {
  CLMNET_NEEDS_OPENSLIDE4();
  const TemporaryFolder folder;
  TiffFixture fixture;
  fixture.downsamples = {1, 4};
  write_tiff(folder / "slide.svs", fixture);
  const OpenSlideReader three(folder / "slide.svs"), four(folder / "slide.svs", *openslide4());
  ASSERT_EQ(three.sources().size(), four.sources().size());
  cv::Mat a(90, 130, CV_8UC3), b(90, 130, CV_8UC3);
  for (const auto& source : three.sources()) {
    EXPECT_TRUE(three.read(source, 7, 3, a, nullptr).complete);
    EXPECT_TRUE(four.read(source, 7, 3, b, nullptr).complete);
    EXPECT_LE(cv::norm(a, b, cv::NORM_INF), 2) << "level " << source.level;
  }
}

TEST(Dicom, IsReadByOpenSlide4OrSaysWhatIsMissing) {
  CLMNET_SHARED_SLIDE(path, "brain-jpeg.dcm");
  if (!openslide4()) {
    try {
      const Slide slide(path);
      FAIL() << "OpenSlide 3 opened DICOM";
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("DICOM needs OpenSlide 4: run tools/setup"), std::string::npos) << error.what();
    }
    return;
  }
  const Slide slide(path);
  EXPECT_EQ(slide.info().vendor, "dicom");
  EXPECT_EQ(slide.info().reader.substr(0, 11), "OpenSlide 4");
  EXPECT_EQ(slide.extent(), (SizePx{957, 715}));
  EXPECT_NEAR(slide.um_per_px().x, 16.8, 0.2);
  const auto region = slide.read_scaled({300, 200}, 1, 1, {256, 256});
  EXPECT_TRUE(region.complete);
  EXPECT_GT(cv::mean(region.rgb)[0], 20);
  EXPECT_LT(cv::mean(region.rgb)[1], 250);
}

}  // namespace
}  // namespace clmnet::wsi
