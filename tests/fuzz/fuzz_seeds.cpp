#include "tests/fuzz/fuzz_seeds.h"

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/atomic_file.h"

namespace clmnet::wsi {

std::vector<std::string> fuzz_seeds() {
  const TemporaryFolder folder;
  std::vector<std::string> seeds;
  const auto add = [&](const TiffFixture& fixture) {
    write_tiff(folder / "seed.tiff", fixture);
    seeds.push_back(read_whole_file(folder / "seed.tiff"));
  };
  TiffFixture small;
  small.width = 80;
  small.height = 56;
  small.tile = 32;
  small.quality = 60;
  add(small);
  for (const auto& [x, y] : {std::pair{2, 1}, {1, 1}}) {
    TiffFixture other = small;
    other.subsample_x = x;
    other.subsample_y = y;
    add(other);
  }
  TiffFixture rgb = small;
  rgb.ycbcr = false;
  rgb.icc_profile.assign(700, 7);  // bytes for the tag; nothing here takes them for colours
  add(rgb);
  TiffFixture big = small;
  big.big_tiff = true;
  big.jpeg_tables = false;
  big.downsamples = {1, 2};
  add(big);
  TiffFixture plain = small;
  plain.description = "plain";
  plain.tile = 48;
  plain.downsamples = {1, 4};
  plain.resolution_unit = "centimeter";
  plain.x_resolution = plain.y_resolution = 20000;
  add(plain);
  return seeds;
}

}  // namespace clmnet::wsi
