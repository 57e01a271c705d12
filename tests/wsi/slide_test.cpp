#include "wsi/slide.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::wsi {
namespace {

void write_bytes(const std::filesystem::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

/// The message of the InputError that opening `path` throws.
std::string open_error(const std::filesystem::path& path) {
  try {
    const Slide slide(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

void expect_holds(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(SlideOpen, MissingFile) { expect_holds(open_error("/nowhere/case.svs"), "/nowhere/case.svs: no such file"); }

TEST(SlideOpen, EmptyFile) {
  const TemporaryFolder folder;
  write_bytes(folder / "empty.svs", "");
  expect_holds(open_error(folder / "empty.svs"), "is empty (0 bytes)");
}

TEST(SlideOpen, Folder) {
  const TemporaryFolder folder;
  expect_holds(open_error(folder.path()), "is a folder; expected one slide file");
}

TEST(SlideOpen, TextFile) {
  const TemporaryFolder folder;
  write_bytes(folder / "notes.svs", "These are notes, not a slide.\n");
  expect_holds(open_error(folder / "notes.svs"), "notes.svs: not a slide that OpenSlide");
}

TEST(SlideOpen, TiffHeaderAlone) {
  const TemporaryFolder folder;
  write_bytes(folder / "header.svs", std::string("II*\0\x08\0\0\0", 8));
  EXPECT_THROW(Slide(folder / "header.svs"), InputError);
}

TEST(SlideOpen, TiffWhoseDirectoryWasCutOff) {
  const TemporaryFolder folder;
  write_tiff(folder / "whole.svs", {});
  const auto bytes = read_whole_file(folder / "whole.svs");
  write_bytes(folder / "cut.svs", bytes.substr(0, bytes.size() / 2));
  EXPECT_THROW(Slide(folder / "cut.svs"), InputError);
}

TEST(SlideOpen, MiraxWithoutItsFolder) {
  CLMNET_SHARED_SLIDE(mirax, "mirax/Mirax2-Fluorescence-2.mrxs");
  const TemporaryFolder folder;
  std::filesystem::copy_file(mirax, folder / "alone.mrxs");
  EXPECT_THROW(Slide(folder / "alone.mrxs"), InputError);
}

TEST(SlideOpen, SharedFileThatIsNoSlide) {
  CLMNET_SHARED_SLIDE(broken, "broken.svs");
  expect_holds(open_error(broken), "broken.svs: not a slide");
}

TEST(SlideCalibration, VendorsValue) {
  const TemporaryFolder folder;
  write_tiff(folder / "a.svs", {});
  const Slide slide(folder / "a.svs");
  EXPECT_EQ(slide.um_per_px(), (UmPerPx{0.5, 0.5}));
  EXPECT_EQ(slide.info().um_per_px_source, "openslide.mpp-x");
  EXPECT_EQ(slide.info().objective_power, 20);
  EXPECT_EQ(slide.info().vendor, "aperio");
  EXPECT_EQ(slide.name(), "a");
}

TEST(SlideCalibration, AbsentIsAnErrorThatNamesTheFlag) {
  const TemporaryFolder folder;
  TiffFixture fixture;
  fixture.description = "Aperio Image Library v1\n600x400";
  write_tiff(folder / "case_017.svs", fixture);
  const Slide slide(folder / "case_017.svs");
  EXPECT_FALSE(slide.info().um_per_px);
  try {
    slide.um_per_px();
    FAIL() << "a resolution was made up";
  } catch (const InputError& error) {
    expect_holds(error.what(), "case_017.svs: pixel size unknown (no openslide.mpp-x");
    expect_holds(error.what(), "give --mpp");
  }
  EXPECT_THROW(slide.read({0, 0}, {0.5, 0.5}, {8, 8}), InputError);
  EXPECT_TRUE(slide.read_scaled({0, 0}, 1, 1, {8, 8}).complete);
}

TEST(SlideCalibration, SharedSlideWithoutOne) {
  CLMNET_SHARED_SLIDE(tcga, "tcga-cr-7395-01a-01-ts1.svs");
  EXPECT_THROW(Slide(tcga).um_per_px(), InputError);
}

TEST(SlideCalibration, TheUsersValueWinsAndIsRecorded) {
  const TemporaryFolder folder;
  write_tiff(folder / "a.svs", {});
  const Slide slide(folder / "a.svs", {UmPerPx{0.25, 0.26}});
  EXPECT_EQ(slide.um_per_px(), (UmPerPx{0.25, 0.26}));
  EXPECT_EQ(slide.info().um_per_px_source, "--mpp");
}

TEST(SlideCalibration, TiffResolutionPerCentimetreAndInch) {
  const TemporaryFolder folder;
  TiffFixture fixture;
  fixture.description = "plain";
  fixture.resolution_unit = "centimeter";
  fixture.x_resolution = 20000;
  fixture.y_resolution = 40000;
  write_tiff(folder / "cm.tiff", fixture);
  EXPECT_EQ(Slide(folder / "cm.tiff").um_per_px(), (UmPerPx{0.5, 0.25}));
  fixture.resolution_unit = "inch";
  fixture.x_resolution = fixture.y_resolution = 50800;
  write_tiff(folder / "inch.tiff", fixture);
  EXPECT_NEAR(Slide(folder / "inch.tiff").um_per_px().x, 0.5, 1e-9);
}

TEST(SlideCalibration, AnEditors72DpiIsNoResolution) {
  const TemporaryFolder folder;
  TiffFixture fixture;
  fixture.description = "plain";
  fixture.resolution_unit = "inch";
  fixture.x_resolution = fixture.y_resolution = 72;
  write_tiff(folder / "dpi.tiff", fixture);
  const Slide slide(folder / "dpi.tiff");
  EXPECT_FALSE(slide.info().um_per_px);
  expect_holds(slide.info().um_per_px_source, "is not a microscope's");
}

TEST(SlideRead, OverhangIsWhiteOnEverySide) {
  const TemporaryFolder folder;
  TiffFixture fixture;
  fixture.paint = [](int, int) { return Rgb{10, 10, 10}; };
  write_tiff(folder / "dark.svs", fixture);
  const Slide slide(folder / "dark.svs");
  const auto region = slide.read_scaled({-16, -8}, 1, 1, {632, 416});
  EXPECT_TRUE(region.complete);
  for (const auto& [x, y, white] : {std::tuple{15, 200, true}, {16, 200, false}, {300, 7, true}, {300, 8, false},
                                    {615, 200, false}, {616, 200, true}, {300, 407, false}, {300, 408, true}}) {
    EXPECT_EQ(region.rgb.at<cv::Vec3b>(y, x)[1] == 255, white) << x << ", " << y;
  }
}

TEST(SlideRead, FarOutsideIsWhite) {
  const TemporaryFolder folder;
  write_tiff(folder / "a.svs", {});
  const Slide slide(folder / "a.svs");
  for (const Level0Px origin : {Level0Px{-1'000'000'000'000, 0}, {1'000'000'000'000, 5}, {0, 4'000'000'000'000}}) {
    const auto region = slide.read_scaled(origin, 1, 1, {4, 4});
    EXPECT_EQ(region.rgb.at<cv::Vec3b>(3, 3), cv::Vec3b(255, 255, 255));
  }
}

TEST(SlideRead, RefusesNonsense) {
  const TemporaryFolder folder;
  write_tiff(folder / "a.svs", {});
  const Slide slide(folder / "a.svs");
  EXPECT_THROW(slide.read_scaled({0, 0}, 0, 1, {4, 4}), std::invalid_argument);
  EXPECT_THROW(slide.read_scaled({0, 0}, 1, -1, {4, 4}), std::invalid_argument);
  EXPECT_THROW(slide.read_scaled({0, 0}, 1, 1, {0, 4}), std::invalid_argument);
  EXPECT_THROW(slide.read_scaled({0, 0}, 1, 1, {4, std::int64_t{1} << 40}), std::invalid_argument);
  EXPECT_THROW(slide.read({0, 0}, {0.5, -0.5}, {4, 4}), std::invalid_argument);
}

// A ramp of 1 grey value per 8 px: a shift of one pixel of the result (k / 8 grey values) would be seen at once.
TEST(SlideRead, CornersNotCentresLieAtTheOrigin) {
  const TemporaryFolder folder;
  TiffFixture fixture;
  fixture.width = 1600;
  fixture.height = 128;
  fixture.quality = 100;
  fixture.downsamples = {1, 4};
  fixture.paint = [](int x, int) {
    const auto grey = static_cast<std::uint8_t>(20 + x / 8);
    return Rgb{grey, grey, grey};
  };
  write_tiff(folder / "ramp.svs", fixture);
  const Slide slide(folder / "ramp.svs");
  for (const double downsample : {1.0, 1.5, 2.0, 3.0, 4.0, 5.5, 8.0}) {
    for (const std::int64_t x : {0, 1, 37, 400, 1000}) {
      const auto region = slide.read_scaled({x, 16}, downsample, downsample, {32, 4});
      for (const int column : {0, 15, 31}) {
        const double centre = static_cast<double>(x) + (column + 0.5) * downsample;
        EXPECT_NEAR(region.rgb.at<cv::Vec3b>(2, column)[1], 20 + (centre - 4) / 8, 1.3)
            << "downsample " << downsample << ", x " << x << ", column " << column;
      }
    }
  }
}

TEST(SlideRead, LargeRegionIsTheSameAsItsParts) {
  const TemporaryFolder folder;
  write_tiff(folder / "a.svs", {});
  const Slide slide(folder / "a.svs");
  const auto whole = slide.read_scaled({0, 0}, 1.3, 1.3, {440, 300});
  const auto part = slide.read_scaled({130, 260}, 1.3, 1.3, {50, 60});
  double difference = 0;
  for (int y = 0; y < 60; ++y) {
    for (int x = 0; x < 50; ++x) {
      difference = std::max(difference, std::abs(whole.rgb.at<cv::Vec3b>(y + 200, x + 100)[0] - 1.0 * part.rgb.at<cv::Vec3b>(y, x)[0]));
    }
  }
  EXPECT_LE(difference, 1);
}

TEST(SlideAssociated, UnknownNameListsTheKnown) {
  CLMNET_SHARED_SLIDE(cmu, "CMU-1-Small-Region.svs");
  const Slide slide(cmu);
  EXPECT_EQ(slide.info().associated_images.size(), 3U);
  EXPECT_EQ(slide.associated_image("macro").size(), cv::Size(1280, 431));
  try {
    slide.associated_image("barcode");
    FAIL();
  } catch (const InputError& error) {
    expect_holds(error.what(), "no associated image 'barcode'; it has label, macro, thumbnail");
  }
}

TEST(SlideBounds, MiraxSaysWhereTheScanLies) {
  CLMNET_SHARED_SLIDE(mirax, "mirax/Mirax2-Fluorescence-2.mrxs");
  const Slide slide(mirax);
  EXPECT_EQ(slide.extent(), (SizePx{72448, 152080}));
  ASSERT_TRUE(slide.info().bounds);
  EXPECT_GT(slide.info().bounds->size.width, 0);
  EXPECT_NEAR(slide.um_per_px().x, 0.3225, 1e-3);
}

}  // namespace
}  // namespace clmnet::wsi
