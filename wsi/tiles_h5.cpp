#include "wsi/tiles_h5.h"

#include <cmath>
#include <mutex>
#include <stdexcept>

#include "wsi/h5_writer.h"

namespace clmnet::wsi {
namespace fs = std::filesystem;

namespace {

std::size_t nearest_level(const TilesInfo& info) {
  const double target = info.grid.um_per_px.x / info.level0_um_per_px.x;
  std::size_t nearest = 0;
  for (std::size_t i = 1; i < info.levels.size(); ++i) {
    const auto distance = [&](std::size_t level) { return std::abs(std::log(info.levels[level].downsample_x / target)); };
    if (distance(i) < distance(nearest)) nearest = i;
  }
  return nearest;
}

std::map<std::string, H5Value> attributes_of(const TilesInfo& info) {
  const std::size_t level = nearest_level(info);
  const LevelInfo stored = info.levels.empty() ? LevelInfo{info.extent, 1, 1} : info.levels[level];
  const double ratio = info.grid.um_per_px.x / info.level0_um_per_px.x;
  const double magnification = info.level0_magnification > 0 ? info.level0_magnification : 10 / info.level0_um_per_px.x;
  return {{"patch_size", std::int64_t{info.grid.tile_px}},
          {"patch_level", static_cast<std::int64_t>(level)},
          {"downsample", std::vector<double>{stored.downsample_x, stored.downsample_y}},
          {"downsampled_level_dim", std::vector<std::int64_t>{stored.size.width, stored.size.height}},
          {"level_dim", std::vector<std::int64_t>{stored.size.width, stored.size.height}},
          {"name", info.slide_name},
          {"save_path", info.source},
          {"patch_size_level0", std::int64_t{std::llround(info.grid.tile_px * ratio)}},
          {"level0_magnification", magnification},
          {"target_magnification", magnification / ratio},
          {"overlap", std::int64_t{info.grid.tile_px - info.grid.stride_px}},
          {"level0_width", info.extent.width},
          {"level0_height", info.extent.height},
          {"savetodir", info.source},
          {"um_per_px", std::vector<double>{info.grid.um_per_px.x, info.grid.um_per_px.y}},
          {"level0_um_per_px", std::vector<double>{info.level0_um_per_px.x, info.level0_um_per_px.y}}};
}

void write_coords(H5Writer& writer, const std::vector<TileSpec>& tiles, const TilesInfo& info) {
  std::vector<std::int64_t> coords;
  for (const auto& tile : tiles) coords.insert(coords.end(), {tile.origin.x, tile.origin.y});
  const H5Id set = writer.dataset("coords", H5T_NATIVE_INT64, tiles.size(), 2, coords.data());
  for (const auto& [name, value] : attributes_of(info)) writer.attribute(set, name, value);
  if (!info.encoder.empty()) writer.attribute(set, "encoder", info.encoder);
}

void write_labels(H5Writer& writer, const std::vector<TileSpec>& tiles, const std::vector<std::int64_t>& labels) {
  if (labels.empty()) return;
  if (labels.size() != tiles.size()) throw std::invalid_argument("tiles.h5: not one label per tile");
  writer.dataset("labels", H5T_NATIVE_INT64, labels.size(), 0, labels.data());
}

}  // namespace

TilesInfo describe_tiles(const Slide& slide, const GridOptions& grid, const fs::path& file, std::string encoder) {
  TilesInfo info;
  info.slide_name = slide.name();
  info.source = fs::absolute(file).parent_path().string();
  info.extent = slide.extent();
  info.level0_um_per_px = slide.um_per_px();
  info.levels = slide.info().levels;
  info.level0_magnification = slide.info().objective_power.value_or(0);
  info.grid = grid;
  info.encoder = std::move(encoder);
  return info;
}

void write_tiles_h5(const fs::path& path, const std::vector<TileSpec>& tiles, const TilesInfo& info,
                    const std::vector<std::int64_t>& labels) {
  const std::lock_guard lock(h5_mutex());
  H5Writer writer(path);
  write_coords(writer, tiles, info);
  write_labels(writer, tiles, labels);
  writer.commit();
}

void write_features_h5(const fs::path& path, const std::vector<TileSpec>& tiles, const cv::Mat& features, const TilesInfo& info) {
  const bool fits = features.rows == static_cast<int>(tiles.size()) && (tiles.empty() || (features.type() == CV_32F && features.cols > 0));
  if (!fits) throw std::invalid_argument("write_features_h5: features is not float [N,F] with a row per tile");
  const std::lock_guard lock(h5_mutex());
  H5Writer writer(path);
  write_coords(writer, tiles, info);
  const cv::Mat whole = features.isContinuous() ? features : features.clone();
  const hsize_t columns = static_cast<hsize_t>(std::max(1, features.cols));
  const H5Id set = writer.dataset("features", H5T_NATIVE_FLOAT, tiles.size(), columns, whole.data);
  writer.attribute(set, "encoder", info.encoder);
  writer.attribute(set, "name", info.slide_name);
  writer.attribute(set, "savetodir", info.source);
  writer.commit();
}


struct TileImagesH5::State {
  State(const fs::path& path, const TilesInfo& tiles_info) : info(tiles_info), writer(path) {}
  TilesInfo info;
  H5Writer writer;
  H5Id images;
  hsize_t count = 0;
};

TileImagesH5::TileImagesH5(const fs::path& path, const TilesInfo& info) {
  const std::lock_guard lock(h5_mutex());
  state_ = std::make_unique<State>(path, info);
  const auto side = static_cast<hsize_t>(info.grid.tile_px);
  state_->images = state_->writer.image_dataset("imgs", side, side);
}

TileImagesH5::~TileImagesH5() {
  const std::lock_guard lock(h5_mutex());
  state_.reset();
}

void TileImagesH5::add(const std::uint8_t* rgb) {
  const std::lock_guard lock(h5_mutex());
  state_->writer.append_image(state_->images, state_->count++, rgb);
}

void TileImagesH5::commit(const std::vector<TileSpec>& tiles, const std::vector<std::int64_t>& labels) {
  if (tiles.size() != state_->count) throw std::invalid_argument("TileImagesH5: not one tile per image");
  const std::lock_guard lock(h5_mutex());
  write_coords(state_->writer, tiles, state_->info);
  write_labels(state_->writer, tiles, labels);
  state_->images.close();
  state_->writer.commit();
}

}  // namespace clmnet::wsi
