#include "wsi/colour_profile.h"

#include <array>
#include <cmath>
#include <thread>

#include <gtest/gtest.h>
#include <lcms2.h>
#include <opencv2/core.hpp>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/error.h"
#include "wsi/slide.h"
#include "wsi/tile_stream.h"

namespace clmnet::wsi {
namespace {

using Primaries = std::array<std::array<double, 2>, 3>;  // x y of red, green, blue

constexpr Primaries kAdobe{{{0.64, 0.33}, {0.21, 0.71}, {0.15, 0.06}}};
constexpr Primaries kSrgb{{{0.64, 0.33}, {0.30, 0.60}, {0.15, 0.06}}};
constexpr std::array<double, 2> kD65{0.3127, 0.3290};
constexpr double kGamma = 2.2;

std::vector<std::uint8_t> saved(cmsHPROFILE profile) {
  cmsUInt32Number bytes = 0;
  cmsSaveProfileToMem(profile, nullptr, &bytes);
  std::vector<std::uint8_t> memory(bytes);
  cmsSaveProfileToMem(profile, memory.data(), &bytes);
  cmsCloseProfile(profile);
  return memory;
}

/// A scanner with the primaries of Adobe RGB (1998), D65 and a gamma of 2.2.
std::vector<std::uint8_t> scanner_profile() {
  const cmsCIExyY white{kD65[0], kD65[1], 1};
  const cmsCIExyYTRIPLE primaries{{0.64, 0.33, 1}, {0.21, 0.71, 1}, {0.15, 0.06, 1}};
  cmsToneCurve* const gamma = cmsBuildGamma(nullptr, kGamma);
  cmsToneCurve* curves[3] = {gamma, gamma, gamma};
  const cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, curves);
  cmsFreeToneCurve(gamma);
  cmsMLU* const text = cmsMLUalloc(nullptr, 1);
  cmsMLUsetASCII(text, "en", "US", "Test scanner");
  cmsWriteTag(profile, cmsSigProfileDescriptionTag, text);
  cmsMLUfree(text);
  return saved(profile);
}

std::vector<std::uint8_t> grey_profile() {
  cmsToneCurve* const gamma = cmsBuildGamma(nullptr, kGamma);
  const auto bytes = saved(cmsCreateGrayProfile(cmsD50_xyY(), gamma));
  cmsFreeToneCurve(gamma);
  return bytes;
}

using Matrix = cv::Matx33d;

/// Linear R G B to X Y Z, from chromaticities: the columns are the primaries, scaled so that they add up to white
/// (SMPTE RP 177).
Matrix to_xyz(const Primaries& primaries) {
  const auto xyz = [](const std::array<double, 2>& xy) { return cv::Vec3d(xy[0] / xy[1], 1, (1 - xy[0] - xy[1]) / xy[1]); };
  Matrix columns;
  for (int i = 0; i < 3; ++i) {
    const auto column = xyz(primaries[static_cast<std::size_t>(i)]);
    for (int row = 0; row < 3; ++row) columns(row, i) = column[row];
  }
  const cv::Vec3d scale = columns.inv() * xyz(kD65);
  return columns * Matrix::diag(cv::Matx31d(scale[0], scale[1], scale[2]));
}

/// The same conversion without LittleCMS. Both whites are D65, so that no adaptation is needed.
cv::Vec3b expected(const cv::Vec3b& pixel) {
  const auto encode = [](double linear) {
    linear = std::fmin(1, std::fmax(0, linear));
    const double value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
    return static_cast<std::uint8_t>(std::lround(255 * value));
  };
  cv::Vec3d linear;
  for (int i = 0; i < 3; ++i) linear[i] = std::pow(pixel[i] / 255.0, kGamma);
  const cv::Vec3d srgb = to_xyz(kSrgb).inv() * (to_xyz(kAdobe) * linear);
  return {encode(srgb[0]), encode(srgb[1]), encode(srgb[2])};
}

int largest_difference(const cv::Vec3b& a, const cv::Vec3b& b) {
  int largest = 0;
  for (int i = 0; i < 3; ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

std::string error_of(const std::vector<std::uint8_t>& profile) {
  try {
    const SrgbTransform transform(profile, "case.svs");
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(SrgbTransform, IsTheMatrixAndTheCurvesWorkedOutByHand) {
  const SrgbTransform transform(scanner_profile(), "case.svs");
  EXPECT_EQ(transform.description(), "Test scanner");
  // Adobe's green is greener than sRGB's: what both have, mid tones, becomes stronger.
  EXPECT_GT(expected({120, 160, 120})[1] - expected({120, 160, 120})[0], 45);
  for (int r = 0; r < 256; r += 15) {
    for (int g = 0; g < 256; g += 15) {
      cv::Mat line(1, 18, CV_8UC3);
      for (int b = 0; b < 18; ++b) line.at<cv::Vec3b>(0, b) = cv::Vec3b(static_cast<uchar>(r), static_cast<uchar>(g), static_cast<uchar>(15 * b));
      const cv::Mat before = line.clone();
      transform.apply(line);
      for (int b = 0; b < 18; ++b) {
        const auto& in = before.at<cv::Vec3b>(0, b);
        ASSERT_LE(largest_difference(line.at<cv::Vec3b>(0, b), expected(in)), 1) << in;
      }
    }
  }
}

TEST(SrgbTransform, LeavesTheRestOfAPictureAlone) {
  const SrgbTransform transform(scanner_profile(), "case.svs");
  cv::Mat picture(8, 9, CV_8UC3, cv::Scalar(120, 160, 120));
  cv::Mat part = picture(cv::Rect(3, 2, 4, 5));
  transform.apply(part);
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const bool inside = x >= 3 && x < 7 && y >= 2 && y < 7;
      EXPECT_EQ(picture.at<cv::Vec3b>(y, x) == cv::Vec3b(120, 160, 120), !inside) << x << ", " << y;
    }
  }
  cv::Mat empty(0, 0, CV_8UC3);
  EXPECT_NO_THROW(transform.apply(empty));
  cv::Mat grey(4, 4, CV_8U);
  EXPECT_THROW(transform.apply(grey), std::invalid_argument);
}

TEST(SrgbTransform, ProfilesThatCannotBeUsedAreErrorsWithTheFile) {
  EXPECT_NE(error_of({}).find("case.svs: its ICC profile (0 bytes) is damaged"), std::string::npos);
  EXPECT_NE(error_of(std::vector<std::uint8_t>(500, 7)).find("(500 bytes) is damaged"), std::string::npos);
  auto cut = scanner_profile();
  cut.resize(100);
  EXPECT_NE(error_of(cut).find("is damaged"), std::string::npos);
  EXPECT_NE(error_of(grey_profile()).find("is of GRAY, expected RGB; leave out --icc"), std::string::npos) << error_of(grey_profile());
  EXPECT_NE(error_of(saved(cmsCreateLab4Profile(nullptr))).find("is of Lab, expected RGB"), std::string::npos);
}

TEST(SrgbTransform, AnyByteOfAProfileMayBeWrong) {
  const auto whole = scanner_profile();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto bytes = whole;
    bytes[i] ^= 0x5a;
    const std::string said = error_of(bytes);  // an error or another transform, nothing else
    EXPECT_TRUE(said == "no error" || said.find("case.svs: its ICC profile") == 0) << said;
  }
}

TEST(IccDescription, IsEmptyForWhatIsNoProfile) {
  EXPECT_EQ(icc_description(scanner_profile()), "Test scanner");
  EXPECT_EQ(icc_description({}), "");
  EXPECT_EQ(icc_description({1, 2, 3}), "");
}

class SlideColours : public testing::TestWithParam<bool> {
 protected:
  TiffFixture fixture() const {
    TiffFixture made;
    made.jpeg = GetParam();
    made.downsamples = {1, 4};
    made.icc_profile = scanner_profile();
    return made;
  }
  const TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Readers, SlideColours, testing::Values(true, false),
                         [](const auto& jpeg) { return jpeg.param ? "direct" : "openslide"; });

TEST_P(SlideColours, AreConvertedOnlyWhereAskedFor) {
  write_tiff(folder_ / "slide.svs", fixture());
  SlideOptions options;
  const Slide stored(folder_ / "slide.svs", options);
  EXPECT_EQ(stored.info().icc_profile, "");
  EXPECT_EQ(icc_description(stored.icc_profile()), "Test scanner");
  options.icc = true;
  const Slide converted(folder_ / "slide.svs", options);
  EXPECT_EQ(converted.info().icc_profile, "Test scanner");
  EXPECT_EQ(converted.info().reader.substr(0, 6) == "direct", GetParam());
  for (const double downsample : {1.0, 2.0, 3.3, 4.0, 9.0}) {
    const auto before = stored.read_scaled({37, 11}, downsample, downsample, {40, 30});
    const auto after = converted.read_scaled({37, 11}, downsample, downsample, {40, 30});
    EXPECT_TRUE(after.complete);
    for (int y = 0; y < 30; ++y) {
      for (int x = 0; x < 40; ++x) {
        ASSERT_LE(largest_difference(after.rgb.at<cv::Vec3b>(y, x), expected(before.rgb.at<cv::Vec3b>(y, x))), 1) << downsample;
      }
    }
  }
}

// The slide says that its colours are sRGB already: nothing but rounding may come of it.
TEST(SlideColoursShared, OfAnSrgbSlideStayAsTheyAre) {
  CLMNET_SHARED_SLIDE(path, "tcga-cr-7395-01a-01-ts1.svs");
  SlideOptions options;
  options.icc = true;
  const Slide converted(path, options);
  EXPECT_EQ(converted.info().icc_profile, "sRGB IEC61966-2.1");
  const auto before = Slide(path).read_scaled({1500, 1200}, 1, 1, {400, 300}), after = converted.read_scaled({1500, 1200}, 1, 1, {400, 300});
  EXPECT_LE(cv::norm(before.rgb, after.rgb, cv::NORM_INF), 3);
  cv::Mat difference;
  cv::absdiff(before.rgb, after.rgb, difference);
  EXPECT_LT(cv::mean(difference)[0], 0.5);
}

TEST_P(SlideColours, OutsideTheScanStaysWhite) {
  auto made = fixture();
  // A scanner whose lamp is too weak: its 255 is 0.6 of white.
  const cmsCIExyY white{kD65[0], kD65[1], 1};
  const cmsCIExyYTRIPLE primaries{{0.64, 0.33, 1}, {0.30, 0.60, 1}, {0.15, 0.06, 1}};
  const std::array<cmsUInt16Number, 2> line{0, 39321};
  cmsToneCurve* const weak = cmsBuildTabulatedToneCurve16(nullptr, 2, line.data());
  cmsToneCurve* curves[3] = {weak, weak, weak};
  const cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, curves);
  cmsFreeToneCurve(weak);
  made.icc_profile = saved(profile);
  made.paint = [](int, int) { return Rgb{255, 255, 255}; };
  write_tiff(folder_ / "slide.svs", made);
  SlideOptions options;
  options.icc = true;
  const auto region = Slide(folder_ / "slide.svs", options).read_scaled({-10, -5}, 1, 1, {620, 410});
  EXPECT_EQ(region.rgb.at<cv::Vec3b>(4, 300), cv::Vec3b(255, 255, 255));
  EXPECT_EQ(region.rgb.at<cv::Vec3b>(300, 9), cv::Vec3b(255, 255, 255));
  EXPECT_EQ(region.rgb.at<cv::Vec3b>(405, 300), cv::Vec3b(255, 255, 255));
  EXPECT_EQ(region.rgb.at<cv::Vec3b>(300, 610), cv::Vec3b(255, 255, 255));
  // 255 (1.055 x 0.6^(1/2.4) - 0.055) = 203.4
  EXPECT_LE(largest_difference(region.rgb.at<cv::Vec3b>(5, 10), {203, 203, 203}), 1);
  EXPECT_LE(largest_difference(region.rgb.at<cv::Vec3b>(404, 609), {203, 203, 203}), 1);
}

TEST_P(SlideColours, TilesOfSeveralThreadsAreTheSame) {
  write_tiff(folder_ / "slide.svs", fixture());
  SlideOptions options;
  options.icc = true;
  const Slide slide(folder_ / "slide.svs", options);
  std::vector<TileSpec> grid;
  for (int y = 0; y < 400; y += 40) {
    for (int x = 0; x < 600; x += 40) grid.push_back({{x, y}});
  }
  StreamOptions stream;
  stream.tile_px = 48;
  stream.threads = 4;
  std::size_t seen = 0;
  for_each_batch(slide, grid, stream, [&](TileBatch& batch) {
    for (std::size_t i = 0; i < batch.tiles.size(); ++i, ++seen) {
      const cv::Mat tile(48, 48, CV_8UC3, const_cast<std::uint8_t*>(batch.rgb) + i * 48 * 48 * 3);
      const auto alone = slide.read_scaled(batch.tiles[i].origin, 1, 1, {48, 48});
      EXPECT_EQ(cv::norm(tile, alone.rgb, cv::NORM_INF), 0);
    }
  });
  EXPECT_EQ(seen, grid.size());
}

TEST_P(SlideColours, WithoutAProfileTheFlagIsAnError) {
  auto made = fixture();
  made.icc_profile.clear();
  write_tiff(folder_ / "case_017.svs", made);
  SlideOptions options;
  options.icc = true;
  try {
    const Slide slide(folder_ / "case_017.svs", options);
    FAIL() << "colours of no profile were converted";
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()),
              "case_017.svs: no ICC profile is in the file, so --icc cannot bring its colours to sRGB; leave out --icc");
  }
  EXPECT_TRUE(Slide(folder_ / "case_017.svs").icc_profile().empty());
}

TEST_P(SlideColours, ADamagedProfileIsAnErrorOnlyWhereItIsNeeded) {
  auto made = fixture();
  made.icc_profile = std::vector<std::uint8_t>(300, 1);
  write_tiff(folder_ / "slide.svs", made);
  EXPECT_TRUE(Slide(folder_ / "slide.svs").read_scaled({0, 0}, 1, 1, {9, 9}).complete);
  SlideOptions options;
  options.icc = true;
  EXPECT_THROW(Slide(folder_ / "slide.svs", options), InputError);
}

}  // namespace
}  // namespace clmnet::wsi
