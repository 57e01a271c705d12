#include "tools/view/float_map.h"

#include <tiffio.h>

#include <memory>
#include <string>

#include "tools/base/error.h"
#include "wsi/tiff_messages.h"

namespace clmnet::tools::view {
namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 24;
constexpr double kUmPerCm = 1e4;

struct Closer {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};

}  // namespace

FloatMap read_float_map(const std::filesystem::path& file) {
  const auto fail = [&](const std::string& why) {
    throw InputError(file.string() + ": " + why + "; expected risk.tiff of clmnet survival predict --risk-maps");
  };
  std::string message;
  TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options, wsi::remember_error, &message);
  TIFFOpenOptionsSetWarningHandlerExtR(options, wsi::ignore_warning, nullptr);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, kMostPixels * 8);
  const std::unique_ptr<TIFF, Closer> tiff(TIFFOpenExt(file.c_str(), "r", options));
  TIFFOpenOptionsFree(options);
  if (!tiff) fail("is no TIFF that can be read (" + message + ")");
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 0, format = 0, samples = 1, unit = RESUNIT_INCH;
  float per_unit_x = 0, per_unit_y = 0;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_SAMPLESPERPIXEL, &samples);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_RESOLUTIONUNIT, &unit);
  TIFFGetField(tiff.get(), TIFFTAG_XRESOLUTION, &per_unit_x);
  TIFFGetField(tiff.get(), TIFFTAG_YRESOLUTION, &per_unit_y);
  if (bits != 32 || format != SAMPLEFORMAT_IEEEFP || samples != 1 || TIFFIsTiled(tiff.get())) {
    fail("is not one channel of 32-bit floats in rows");
  }
  if (width < 1 || height < 1 || static_cast<std::int64_t>(width) * height > kMostPixels) {
    fail("is " + std::to_string(width) + " x " + std::to_string(height) + " px");
  }
  if (unit != RESUNIT_CENTIMETER || !(per_unit_x > 0) || !(per_unit_y > 0)) fail("does not say its resolution");
  FloatMap map;
  map.columns = width;
  map.rows = height;
  map.um_per_px_x = kUmPerCm / per_unit_x;
  map.um_per_px_y = kUmPerCm / per_unit_y;
  map.value.resize(static_cast<std::size_t>(map.columns * map.rows));
  if (TIFFScanlineSize(tiff.get()) != static_cast<tmsize_t>(width * sizeof(float))) fail("has rows of an odd length");
  for (std::uint32_t row = 0; row < height; ++row) {
    if (TIFFReadScanline(tiff.get(), map.value.data() + static_cast<std::int64_t>(row) * map.columns, row) != 1) fail("cannot be decoded");
  }
  return map;
}

}  // namespace clmnet::tools::view
