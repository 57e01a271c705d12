#include "wsi/tile_stream.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <numeric>
#include <thread>

#include <gtest/gtest.h>

#include "tests/wsi/tiff_fixture.h"
#include "tools/base/error.h"
#include "wsi/tile_cache.h"

namespace clmnet::wsi {
namespace {

/// All tiles of `tile_px` level-0 pixels, `stride_px` apart, that touch the slide.
std::vector<TileSpec> full_grid(SizePx extent, std::int64_t stride_px, Level0Px start = {}) {
  std::vector<TileSpec> grid;
  for (std::int64_t row = 0; start.y + row * stride_px < extent.height; ++row) {
    for (std::int64_t column = 0; start.x + column * stride_px < extent.width; ++column) {
      grid.push_back({{start.x + column * stride_px, start.y + row * stride_px}, column, row});
    }
  }
  return grid;
}

class TileStream : public testing::Test {
 protected:
  TileStream() {
    TiffFixture fixture;
    fixture.width = 700;
    fixture.height = 500;
    write_tiff(path_, fixture);
    slide_ = std::make_unique<Slide>(path_);
    options_.tile_px = 64;
    options_.um_per_px = {0.5, 0.5};
    options_.batch = 7;
    options_.threads = 3;
  }
  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "slide.svs";
  std::unique_ptr<Slide> slide_;
  StreamOptions options_;
};

TEST_F(TileStream, EveryTileOnceInOrderWithThePixelsOfRead) {
  for (const auto& [stride, scale] : {std::pair{64, 1.0}, {48, 1.0}, {128, 2.0}, {77, 1.3}}) {
    options_.um_per_px = {0.5 * scale, 0.5 * scale};
    const auto grid = full_grid(slide_->extent(), stride, {-5, 3});
    std::size_t next = 0;
    const auto stats = for_each_batch(*slide_, grid, options_, [&](TileBatch& batch) {
      ASSERT_EQ(batch.first_index, next);
      ASSERT_EQ(batch.tiles.size(), batch.complete.size());
      for (std::size_t i = 0; i < batch.tiles.size(); ++i, ++next) {
        ASSERT_EQ(batch.tiles[i], grid[next]);
        const auto expected = slide_->read(grid[next].origin, options_.um_per_px, {64, 64});
        ASSERT_EQ(batch.complete[i] != 0, expected.complete);
        ASSERT_EQ(std::memcmp(batch.rgb + i * 64 * 64 * 3, expected.rgb.data, 64 * 64 * 3), 0) << "tile " << next;
      }
    });
    EXPECT_EQ(next, grid.size());
    EXPECT_EQ(stats.tiles, static_cast<std::int64_t>(grid.size()));
    EXPECT_EQ(stats.incomplete, 0);
  }
}

TEST_F(TileStream, TilesAreChangedAsAsked) {
  options_.change = [](cv::Mat& tile) { tile.convertTo(tile, -1, 0.5); };
  const auto grid = full_grid(slide_->extent(), 48);
  std::size_t seen = 0;
  for_each_batch(*slide_, grid, options_, [&](TileBatch& batch) {
    for (std::size_t i = 0; i < batch.tiles.size(); ++i, ++seen) {
      cv::Mat expected = slide_->read(batch.tiles[i].origin, options_.um_per_px, {64, 64}).rgb;
      expected.convertTo(expected, -1, 0.5);
      ASSERT_EQ(std::memcmp(batch.rgb + i * 64 * 64 * 3, expected.data, expected.total() * 3), 0);
    }
  });
  EXPECT_EQ(seen, grid.size());
}

TEST_F(TileStream, BatchesAreFullButTheLast) {
  const auto grid = full_grid(slide_->extent(), 64);  // 11 x 8 = 88 = 12 * 7 + 4
  std::vector<std::size_t> sizes;
  for_each_batch(*slide_, grid, options_, [&](TileBatch& batch) { sizes.push_back(batch.tiles.size()); });
  ASSERT_EQ(sizes.size(), 13U);
  EXPECT_EQ(sizes.front(), 7U);
  EXPECT_EQ(sizes.back(), 4U);
}

TEST_F(TileStream, ConsumesOnTheCallingThread) {
  const auto caller = std::this_thread::get_id();
  for_each_batch(*slide_, full_grid(slide_->extent(), 64), options_,
                 [&](TileBatch&) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

TEST_F(TileStream, NoTilesNoBatches) {
  const auto stats = for_each_batch(*slide_, {}, options_, [](TileBatch&) { FAIL(); });
  EXPECT_EQ(stats.tiles, 0);
}

TEST_F(TileStream, EachStoredTileIsDecodedOnce) {
  const std::int64_t stored = 11 * 8;
  for (const int stride : {64, 48, 40, 63, 32}) {
    for (const Level0Px start : {Level0Px{0, 0}, {-13, -29}}) {
      const auto stats = for_each_batch(*slide_, full_grid(slide_->extent(), stride, start), options_, [](TileBatch&) {});
      EXPECT_EQ(stats.stored_tiles_decoded, stored) << "stride " << stride << " from " << start.x;
    }
  }
}

TEST_F(TileStream, AFullCacheCostsTimeNotPixels) {
  options_.cache_bytes = 3 * 64 * 64 * 3;
  const auto grid = full_grid(slide_->extent(), 48);
  std::size_t next = 0;
  const auto stats = for_each_batch(*slide_, grid, options_, [&](TileBatch& batch) {
    for (std::size_t i = 0; i < batch.tiles.size(); ++i, ++next) {
      const auto expected = slide_->read_scaled(grid[next].origin, 1, 1, {64, 64});
      ASSERT_EQ(std::memcmp(batch.rgb + i * 64 * 64 * 3, expected.rgb.data, 64 * 64 * 3), 0);
    }
  });
  EXPECT_GT(stats.stored_tiles_decoded, 88);
}

TEST_F(TileStream, AnExceptionOfTheConsumerComesOut) {
  int batches = 0;
  EXPECT_THROW(for_each_batch(*slide_, full_grid(slide_->extent(), 16), options_,
                              [&](TileBatch&) {
                                if (++batches == 3) throw InputError("disk full");
                              }),
               InputError);
  EXPECT_EQ(batches, 3);
}

TEST_F(TileStream, AnExceptionOfTheDecoderComesOut) {
  options_.allocate = [](std::size_t) -> std::uint8_t* { throw std::bad_alloc(); };
  options_.release = [](std::uint8_t*) {};
  EXPECT_THROW(for_each_batch(*slide_, full_grid(slide_->extent(), 64), options_, [](TileBatch&) {}), std::bad_alloc);
}

TEST_F(TileStream, MemoryIsTheCallersAndBounded) {
  std::atomic<int> alive = 0;
  std::atomic<int> most = 0;
  options_.batch = 8;
  options_.queue_batches = 2;
  options_.allocate = [&](std::size_t bytes) {
    EXPECT_EQ(bytes, 8U * 64 * 64 * 3);
    most = std::max(most.load(), ++alive);
    return static_cast<std::uint8_t*>(std::malloc(bytes));
  };
  options_.release = [&](std::uint8_t* memory) {
    --alive;
    std::free(memory);
  };
  // A slow consumer: the decoders run into the bound.
  for_each_batch(*slide_, full_grid(slide_->extent(), 16), options_,
                 [&](TileBatch&) { std::this_thread::sleep_for(std::chrono::milliseconds(3)); });
  EXPECT_EQ(alive, 0);
  EXPECT_LE(most, options_.queue_batches + options_.threads + 3);
}

TEST_F(TileStream, BrokenTilesAreMarkedAndCounted) {
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(1500);
  file << std::string(300, '\0');
  file.close();
  const Slide damaged(path_);
  std::int64_t marked = 0;
  const auto stats = for_each_batch(damaged, full_grid(damaged.extent(), 64), options_, [&](TileBatch& batch) {
    for (const auto complete : batch.complete) marked += complete == 0;
  });
  EXPECT_GT(stats.incomplete, 0);
  EXPECT_LT(stats.incomplete, 6);
  EXPECT_EQ(stats.incomplete, marked);
}

TEST_F(TileStream, RefusesOptionsOutOfRange) {
  const auto refuses = [&](const std::function<void(StreamOptions&)>& change) {
    StreamOptions options = options_;
    change(options);
    EXPECT_THROW(for_each_batch(*slide_, {}, options, [](TileBatch&) {}), std::invalid_argument);
  };
  refuses([](auto& options) { options.tile_px = 0; });
  refuses([](auto& options) { options.tile_px = 100000; });
  refuses([](auto& options) { options.batch = 0; });
  refuses([](auto& options) { options.threads = -1; });
  refuses([](auto& options) { options.queue_batches = 0; });
  refuses([](auto& options) { options.um_per_px = {0.5, 0}; });
  refuses([](auto& options) { options.um_per_px = {-1, -1}; });
  refuses([](auto& options) { options.allocate = [](std::size_t) { return nullptr; }; });
}

TEST(TileStreamCalibration, UnknownIsAnError) {
  const TemporaryFolder folder;
  TiffFixture fixture;
  fixture.description = "Aperio Image Library v1\n600x400";
  write_tiff(folder / "slide.svs", fixture);
  const Slide slide(folder / "slide.svs");
  StreamOptions options;
  options.um_per_px = {0.5, 0.5};
  EXPECT_THROW(for_each_batch(slide, full_grid(slide.extent(), 256), options, [](TileBatch&) {}), InputError);
  options.um_per_px = {};
  EXPECT_EQ(for_each_batch(slide, full_grid(slide.extent(), 256), options, [](TileBatch&) {}).tiles, 6);
}

TEST(TileCacheTest, SharesOneDecodingAmongThreads) {
  TileCache cache(1 << 20);
  std::atomic<int> decodings = 0;
  for (int use = 0; use < 8; ++use) cache.announce(5);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto tile = cache.use(5, [&](StoredTile& stored) {
        ++decodings;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        stored.rgb = {1, 2, 3};
        stored.complete = true;
      });
      EXPECT_EQ(tile->rgb.size(), 3U);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(decodings, 1);
  EXPECT_EQ(cache.bytes(), 0U) << "kept after its last use";
}

TEST(TileCacheTest, AFailedDecodingIsTriedAgain) {
  TileCache cache(1 << 20);
  cache.announce(5);
  cache.announce(5);
  EXPECT_THROW(cache.use(5, [](StoredTile&) { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_TRUE(cache.use(5, [](StoredTile& stored) { stored.complete = true; })->complete);
}

TEST(TileCacheTest, SoleUseIsTakenOnce) {
  TileCache cache(1 << 20);
  cache.announce(1);
  cache.announce(2);
  cache.announce(2);
  EXPECT_TRUE(cache.take_sole_use(1));
  EXPECT_FALSE(cache.take_sole_use(2));
  EXPECT_EQ(cache.decoded(), 1);
}

}  // namespace
}  // namespace clmnet::wsi
