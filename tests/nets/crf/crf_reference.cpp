#include "crf_reference.h"

#include <png.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace clmnet::nets {
namespace {

namespace fs = std::filesystem;

struct Picture {
  int height = 0, width = 0, channels = 0, bits = 0;
  std::vector<std::uint8_t> bytes;  // 16-bit values big-endian, as in the file
};

Picture read_png(const fs::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw std::runtime_error(path.string() + ": cannot be read");
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, file.get());
  png_read_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  Picture picture{static_cast<int>(png_get_image_height(png, info)), static_cast<int>(png_get_image_width(png, info)),
                  png_get_channels(png, info), png_get_bit_depth(png, info), {}};
  png_bytepp rows = png_get_rows(png, info);
  const std::size_t row_bytes = png_get_rowbytes(png, info);
  for (int y = 0; y < picture.height; ++y) picture.bytes.insert(picture.bytes.end(), rows[y], rows[y] + row_bytes);
  png_destroy_read_struct(&png, &info, nullptr);
  return picture;
}

std::vector<float> read_probability(const fs::path& path) {
  const Picture picture = read_png(path);
  if (picture.channels != 1 || picture.bits != 16) throw std::runtime_error(path.string() + ": expected 16-bit grey");
  std::vector<float> values(picture.bytes.size() / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(picture.bytes[2 * i] * 256 + picture.bytes[2 * i + 1]) / 65535.0f;
  }
  return values;
}

}  // namespace

fs::path crf_reference_folder() {
  const char* folder = std::getenv("CLMNET_REFERENCE");
  const fs::path root = folder != nullptr ? fs::path(folder) : fs::path(CLMNET_SOURCE_DIR) / ".." / "shared" / "ref";
  return root / "crf";
}

std::optional<CrfReference> load_crf_reference(const std::string& name) {
  const fs::path folder = crf_reference_folder();
  if (!fs::exists(folder / (name + ".json"))) return std::nullopt;
  const auto json = nlohmann::json::parse(std::ifstream(folder / (name + ".json")));
  CrfReference reference;
  Picture image = read_png(folder / (name + "_image.png"));
  reference.height = image.height;
  reference.width = image.width;
  reference.rgb = std::move(image.bytes);
  reference.probability = read_probability(folder / (name + "_prob.png"));
  reference.refined = read_probability(folder / (name + "_refined.png"));
  reference.options.clip = json["eps"];
  reference.options.gauss_sxy_px = json["gauss_sxy"];
  reference.options.gauss_weight = json["gauss_weight"];
  reference.options.bilat_sxy_px = json["bilat_sxy"];
  reference.options.bilat_srgb = json["bilat_srgb"];
  reference.options.bilat_weight = json["bilat_weight"];
  reference.options.iterations = json["iterations"];
  reference.seconds_pydensecrf = json["seconds_pydensecrf"];
  return reference;
}

}  // namespace clmnet::nets
