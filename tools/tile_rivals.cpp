#include "tools/tile_rivals.h"

#include <algorithm>
#include <functional>
#include <set>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <openslide.h>
#include <turbojpeg.h>

#include "tools/base/error.h"
#include "wsi/tiff_file.h"

namespace clmnet::tools {
namespace {

namespace tbb = oneapi::tbb;

using Bytes = std::vector<std::uint8_t>;

/// A tile's own JPEG with the shared tables put in front of it: tables without their end marker, tile without its start marker.
Bytes whole_jpeg(const Bytes& tables, const Bytes& tile) {
  if (tables.size() < 4 || tile.size() < 2) return tile;
  Bytes jpeg(tables.begin(), tables.end() - 2);
  jpeg.insert(jpeg.end(), tile.begin() + 2, tile.end());
  return jpeg;
}

void for_each_index(std::size_t count, int threads, const std::function<void(std::size_t)>& work) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
  tbb::task_arena arena(threads);
  arena.execute([&] {
    tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count, 4), [&](const tbb::blocked_range<std::size_t>& range) {
      for (std::size_t i = range.begin(); i != range.end(); ++i) work(i);
    });
  });
}

struct TurboHandle {
  tjhandle handle = tjInitDecompress();
  ~TurboHandle() { tjDestroy(handle); }
};

}  // namespace

struct TileRivals::State {
  std::vector<wsi::TileSpec> grid;
  int tile_px = 0;
  int threads = 1;
  std::vector<Bytes> jpegs;
  wsi::SizePx stored;
  std::unique_ptr<openslide_t, void (*)(openslide_t*)> openslide{nullptr, openslide_close};

  void load(const std::filesystem::path& slide) {
    if (!wsi::looks_like_tiff(slide)) return;
    const wsi::TiffFile file(slide);
    if (file.levels().empty() || !file.levels().front().not_jpeg.empty()) return;
    const auto& level = file.levels().front();
    stored = level.tile;
    std::set<std::int64_t> wanted;
    for (const auto& tile : grid) {
      const auto last_column = std::min((tile.origin.x + tile_px - 1) / stored.width, level.tiles_across - 1);
      const auto last_row = std::min((tile.origin.y + tile_px - 1) / stored.height, level.tiles_down - 1);
      for (auto row = std::max<std::int64_t>(tile.origin.y, 0) / stored.height; row <= last_row; ++row) {
        for (auto column = std::max<std::int64_t>(tile.origin.x, 0) / stored.width; column <= last_column; ++column) {
          wanted.insert(row * level.tiles_across + column);
        }
      }
    }
    Bytes bytes;
    for (const auto index : wanted) {
      if (file.read_tile_bytes(level, index, bytes)) jpegs.push_back(whole_jpeg(level.jpeg_tables, bytes));
    }
  }
};

TileRivals::TileRivals(const std::filesystem::path& slide, const std::vector<wsi::TileSpec>& grid, int tile_px, int threads)
    : state_(std::make_unique<State>()) {
  state_->grid = grid;
  state_->tile_px = tile_px;
  state_->threads = threads;
  state_->load(slide);
  state_->openslide.reset(openslide_open(slide.c_str()));
}

TileRivals::~TileRivals() = default;

bool TileRivals::has_raw() const { return !state_->jpegs.empty(); }

std::int64_t TileRivals::decode_raw() const {
  const auto width = static_cast<int>(state_->stored.width);
  const auto height = static_cast<int>(state_->stored.height);
  for_each_index(state_->jpegs.size(), state_->threads, [&](std::size_t i) {
    thread_local TurboHandle turbo;
    thread_local Bytes rgb;
    rgb.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
    const Bytes& jpeg = state_->jpegs[i];
    tjDecompress2(turbo.handle, jpeg.data(), jpeg.size(), rgb.data(), width, 0, height, TJPF_RGB, 0);
  });
  return static_cast<std::int64_t>(state_->jpegs.size());
}

std::int64_t TileRivals::read_openslide() const {
  for_each_index(state_->grid.size(), state_->threads, [&](std::size_t i) {
    thread_local std::vector<std::uint32_t> argb;
    argb.resize(static_cast<std::size_t>(state_->tile_px) * static_cast<std::size_t>(state_->tile_px));
    const auto origin = state_->grid[i].origin;
    openslide_read_region(state_->openslide.get(), argb.data(), origin.x, origin.y, 0, state_->tile_px, state_->tile_px);
  });
  if (const char* error = openslide_get_error(state_->openslide.get())) {
    throw InputError(std::string("OpenSlide could not read a tile (") + error + "); measure a slide that is whole");
  }
  return static_cast<std::int64_t>(state_->grid.size());
}

}  // namespace clmnet::tools
