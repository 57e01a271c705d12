#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace clmnet::wsi {

struct Rgb {
  std::uint8_t r = 0, g = 0, b = 0;
};

/// What a test slide is made of. Level 0 is drawn by `paint`; others are its pixels at (x * k, y * k) averaged over k x k.
struct TiffFixture {
  int width = 600;
  int height = 400;
  int tile = 64;
  std::vector<int> downsamples = {1};
  std::string description = "Aperio Image Library v1\n600x400 (64x64) JPEG/RGB Q=90|AppMag = 20|MPP = 0.5000";
  bool ycbcr = true;                  ///< else RGB inside the JPEG
  int subsample_x = 2, subsample_y = 2;
  int quality = 90;
  bool jpeg = true;                   ///< else LZW
  bool big_tiff = false;
  bool jpeg_tables = true;            ///< shared tables in tag 347, else in each tile
  std::string resolution_unit;        ///< "", "inch", "centimeter", "none"
  float x_resolution = 0, y_resolution = 0;
  std::vector<std::uint8_t> icc_profile;  ///< tag 34675 of every level; empty: none
  std::function<Rgb(int x, int y)> paint;
};

/// Writes the slide. Throws std::runtime_error where libtiff fails.
void write_tiff(const std::filesystem::path& path, const TiffFixture& fixture);

/// A smooth, coloured pattern without period, with edges: resampling errors and shifts show up in it.
Rgb tissue_like(int x, int y);

/// A folder of its own for one test, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A file of the shared data (CLMNET_DATA, default beside the checkout).
std::filesystem::path shared_slide(const std::string& name);

#define CLMNET_SHARED_SLIDE(variable, name)                        \
  const std::filesystem::path variable = shared_slide(name);       \
  if (!std::filesystem::exists(variable)) {                        \
    GTEST_SKIP() << "no " << variable << "; set CLMNET_DATA";      \
  }

}  // namespace clmnet::wsi
