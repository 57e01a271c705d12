#include "tests/wsi/tiff_fixture.h"

#include <cmath>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include <tiffio.h>

namespace clmnet::wsi {
namespace {

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("test slide: ") + what);
}

Rgb mean_of(const TiffFixture& fixture, int x, int y, int k) {
  int sum[3] = {0, 0, 0};
  for (int dy = 0; dy < k; ++dy) {
    for (int dx = 0; dx < k; ++dx) {
      const Rgb pixel = fixture.paint(x * k + dx, y * k + dy);
      sum[0] += pixel.r;
      sum[1] += pixel.g;
      sum[2] += pixel.b;
    }
  }
  const auto rounded = [&](int total) { return static_cast<std::uint8_t>((total + k * k / 2) / (k * k)); };
  return {rounded(sum[0]), rounded(sum[1]), rounded(sum[2])};
}

void set_resolution(TIFF* tiff, const TiffFixture& fixture) {
  if (fixture.resolution_unit.empty()) return;
  const int unit = fixture.resolution_unit == "inch" ? RESUNIT_INCH
                   : fixture.resolution_unit == "centimeter" ? RESUNIT_CENTIMETER
                                                             : RESUNIT_NONE;
  TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, unit);
  TIFFSetField(tiff, TIFFTAG_XRESOLUTION, fixture.x_resolution);
  TIFFSetField(tiff, TIFFTAG_YRESOLUTION, fixture.y_resolution);
}

void set_tags(TIFF* tiff, const TiffFixture& fixture, int width, int height, bool reduced) {
  TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, reduced ? FILETYPE_REDUCEDIMAGE : 0);
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, height);
  TIFFSetField(tiff, TIFFTAG_TILEWIDTH, fixture.tile);
  TIFFSetField(tiff, TIFFTAG_TILELENGTH, fixture.tile);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 3);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, fixture.jpeg ? COMPRESSION_JPEG : COMPRESSION_LZW);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, fixture.jpeg && fixture.ycbcr ? PHOTOMETRIC_YCBCR : PHOTOMETRIC_RGB);
  if (!fixture.description.empty()) TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, fixture.description.c_str());
  if (fixture.jpeg) {
    if (fixture.ycbcr) TIFFSetField(tiff, TIFFTAG_YCBCRSUBSAMPLING, fixture.subsample_x, fixture.subsample_y);
    TIFFSetField(tiff, TIFFTAG_JPEGQUALITY, fixture.quality);
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    TIFFSetField(tiff, TIFFTAG_JPEGTABLESMODE, fixture.jpeg_tables ? JPEGTABLESMODE_QUANT | JPEGTABLESMODE_HUFF : 0);
  }
  set_resolution(tiff, fixture);
  if (!fixture.icc_profile.empty()) {
    TIFFSetField(tiff, TIFFTAG_ICCPROFILE, static_cast<std::uint32_t>(fixture.icc_profile.size()), fixture.icc_profile.data());
  }
}

}  // namespace

Rgb tissue_like(int x, int y) {
  const double a = std::sin(x * 0.031 + 1.7 * std::sin(y * 0.017));
  const double b = std::cos(y * 0.043 + 1.3 * std::sin(x * 0.011));
  const bool nucleus = std::sin(x * 0.21) + std::cos(y * 0.19 + x * 0.02) > 1.45;
  const auto level = [](double value) { return static_cast<std::uint8_t>(std::lround(std::fmin(255, std::fmax(0, value)))); };
  if (nucleus) return {level(90 + 20 * a), level(50 + 15 * b), level(140 + 10 * a)};
  return {level(215 + 25 * a), level(160 + 30 * b), level(200 + 20 * a * b)};
}

void write_tiff(const std::filesystem::path& path, const TiffFixture& given) {
  TiffFixture fixture = given;
  if (!fixture.paint) fixture.paint = tissue_like;
  const std::unique_ptr<TIFF, void (*)(TIFF*)> tiff(TIFFOpen(path.c_str(), fixture.big_tiff ? "w8" : "w"), TIFFClose);
  require(tiff != nullptr, "cannot be created");
  const auto side = static_cast<std::size_t>(fixture.tile);
  std::vector<std::uint8_t> pixels(side * side * 3);
  for (std::size_t level = 0; level < fixture.downsamples.size(); ++level) {
    const int k = fixture.downsamples[level];
    const int width = fixture.width / k;
    const int height = fixture.height / k;
    set_tags(tiff.get(), fixture, width, height, level > 0);
    for (int top = 0; top < height; top += fixture.tile) {
      for (int left = 0; left < width; left += fixture.tile) {
        for (std::size_t i = 0; i < side * side; ++i) {
          const int x = std::min(left + static_cast<int>(i % side), width - 1);
          const int y = std::min(top + static_cast<int>(i / side), height - 1);
          const Rgb pixel = mean_of(fixture, x, y, k);
          pixels[3 * i] = pixel.r;
          pixels[3 * i + 1] = pixel.g;
          pixels[3 * i + 2] = pixel.b;
        }
        require(TIFFWriteTile(tiff.get(), pixels.data(), static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(top), 0, 0) >= 0,
                "a tile cannot be written");
      }
    }
    require(TIFFWriteDirectory(tiff.get()) == 1, "a directory cannot be written");
  }
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "clmnet-test-XXXXXX").string();
  require(mkdtemp(pattern.data()) != nullptr, "no temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path shared_slide(const std::string& name) {
  const char* data = std::getenv("CLMNET_DATA");
  const std::filesystem::path folder = data ? data : CLMNET_SOURCE_DIR "/../shared/data";
  return folder / "slides" / name;
}

}  // namespace clmnet::wsi
