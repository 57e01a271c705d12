#include "wsi/tile_stream.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>

#include "tools/base/cores.h"
#include "wsi/calibration.h"
#include "wsi/tile_cache.h"

namespace clmnet::wsi {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Memory of one batch; returned to the pool by its owner's end, because pinned memory is slow to allocate.
class BufferPool {
 public:
  BufferPool(const StreamOptions& options, std::size_t bytes) : options_(options), bytes_(bytes) {}
  ~BufferPool() {
    for (auto* memory : free_) release(memory);
  }
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  std::uint8_t* take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return allocate();
    auto* memory = free_.back();
    free_.pop_back();
    return memory;
  }
  void give_back(std::uint8_t* memory) {
    const std::lock_guard lock(mutex_);
    free_.push_back(memory);
  }

 private:
  static constexpr std::align_val_t kAlignment{64};

  std::uint8_t* allocate() const {
    if (options_.allocate) return options_.allocate(bytes_);
    return static_cast<std::uint8_t*>(::operator new(bytes_, kAlignment));
  }
  void release(std::uint8_t* memory) const {
    if (options_.release) {
      options_.release(memory);
    } else {
      ::operator delete(memory, kAlignment);
    }
  }

  const StreamOptions& options_;
  std::size_t bytes_;
  std::mutex mutex_;
  std::vector<std::uint8_t*> free_;
};

/// A batch on its way: several chunks of it are decoded by different threads.
struct OpenBatch {
  explicit OpenBatch(BufferPool& owner) : pool(owner), memory(owner.take()) {}
  ~OpenBatch() { pool.give_back(memory); }
  OpenBatch(const OpenBatch&) = delete;
  OpenBatch& operator=(const OpenBatch&) = delete;

  BufferPool& pool;
  std::uint8_t* memory;
  TileBatch batch;
};
using BatchPtr = std::shared_ptr<OpenBatch>;

/// A part of a batch that one thread decodes in one go; `last` closes the batch.
struct Chunk {
  BatchPtr batch;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool last = false;
};

/// Between the threads that decode and the consumer.
class Handover {
 public:
  explicit Handover(std::size_t capacity) : capacity_(capacity) {}

  /// Waits while the queue is full. Drops the batch when the consumer has left.
  void push(BatchPtr batch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return left_ || queue_.size() < capacity_; });
    if (!left_) queue_.push_back(std::move(batch));
    changed_.notify_all();
  }
  /// The next batch, or none when the producer has finished; throws what the producer threw.
  BatchPtr pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return finished_ || !queue_.empty(); });
    if (error_) std::rethrow_exception(error_);
    if (queue_.empty()) return nullptr;
    auto batch = std::move(queue_.front());
    queue_.pop_front();
    changed_.notify_all();
    return batch;
  }
  void finish(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    error_ = std::move(error);
    changed_.notify_all();
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    left_ = true;
    queue_.clear();
    changed_.notify_all();
  }
  bool left() const { return left_; }

 private:
  std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BatchPtr> queue_;
  bool finished_ = false;
  std::atomic<bool> left_ = false;
  std::exception_ptr error_;
};

Downsample wanted_downsample(const Slide& slide, const StreamOptions& options) {
  if (options.um_per_px.x == 0 && options.um_per_px.y == 0) return {};
  const auto scan = slide.um_per_px();
  return {options.um_per_px.x / scan.x, options.um_per_px.y / scan.y};
}

void check(const StreamOptions& options) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(std::string("for_each_batch: ") + what);
  };
  require(options.tile_px >= 1 && options.tile_px <= 8192, "tile_px must be 1 to 8192");
  require(options.batch >= 1 && options.batch <= 65536, "batch must be 1 to 65536");
  require(options.threads >= 0 && options.threads <= 1024, "threads must be 0 to 1024");
  require(options.queue_batches >= 1 && options.queue_batches <= 1024, "queue_batches must be 1 to 1024");
  require(static_cast<bool>(options.allocate) == static_cast<bool>(options.release), "give allocate and release, or neither");
  const bool native = options.um_per_px.x == 0 && options.um_per_px.y == 0;
  require(native || (options.um_per_px.x > 0 && options.um_per_px.y > 0), "um_per_px must be > 0");
}

/// One scan over one grid.
class Stream {
 public:
  Stream(const Slide& slide, const std::vector<TileSpec>& grid, const StreamOptions& options)
      : slide_(slide),
        grid_(grid),
        options_(options),
        downsample_(wanted_downsample(slide, options)),
        threads_(options.threads > 0 ? options.threads : usable_cores()),
        tile_bytes_(static_cast<std::size_t>(options.tile_px) * static_cast<std::size_t>(options.tile_px) * 3),
        pool_(options, tile_bytes_ * static_cast<std::size_t>(options.batch)),
        cache_(options.cache_bytes),
        handover_(static_cast<std::size_t>(options.queue_batches)) {}

  StreamStats run(const std::function<void(TileBatch&)>& consume) {
    for (const auto& tile : grid_) {
      slide_.announce(cache_, tile.origin, downsample_.x, downsample_.y, {options_.tile_px, options_.tile_px});
    }
    std::thread producer([this] { produce(); });
    try {
      consume_all(consume);
    } catch (...) {
      handover_.leave();
      producer.join();
      throw;
    }
    producer.join();
    stats_.stored_tiles_decoded = cache_.decoded();
    stats_.decode_seconds = static_cast<double>(decode_nanoseconds_.load()) * 1e-9;
    return stats_;
  }

 private:
  void consume_all(const std::function<void(TileBatch&)>& consume) {
    for (;;) {
      const auto wait = Clock::now();
      const BatchPtr open = handover_.pop();
      stats_.waiting_for_decode_seconds += seconds_since(wait);
      if (!open) return;
      stats_.tiles += static_cast<std::int64_t>(open->batch.tiles.size());
      stats_.incomplete += std::count(open->batch.complete.begin(), open->batch.complete.end(), std::uint8_t{0});
      const auto work = Clock::now();
      consume(open->batch);
      stats_.consumer_seconds += seconds_since(work);
    }
  }

  /// Threads take chunks in the order of the grid and hand finished batches on in that order.
  void produce() {
    {
      std::vector<std::jthread> others;
      try {
        for (int i = 1; i < threads_; ++i) others.emplace_back([this] { work(); });
      } catch (...) {
        fail(std::current_exception());
      }
      work();
    }
    handover_.finish(error_);
  }

  void work() {
    try {
      std::unique_lock lock(order_);
      for (;;) {
        // At most two chunks per thread are decoded and not yet handed on: one slow chunk does not fill the memory.
        room_.wait(lock, [this] { return stopped() || next_ticket_ - next_out_ < 2 * static_cast<std::size_t>(threads_); });
        if (stopped() || next_ >= grid_.size()) return;
        const std::size_t ticket = next_ticket_++;
        Chunk chunk = next_chunk();
        lock.unlock();
        decode(chunk);
        lock.lock();
        decoded_.emplace(ticket, std::move(chunk));
        hand_on();
      }
    } catch (...) {
      fail(std::current_exception());
    }
  }

  /// Called with order_ held, also while the queue is full: nobody has to decode further then.
  void hand_on() {
    for (auto first = decoded_.begin(); first != decoded_.end() && first->first == next_out_; first = decoded_.begin()) {
      Chunk chunk = std::move(first->second);
      decoded_.erase(first);
      ++next_out_;
      if (chunk.last) handover_.push(std::move(chunk.batch));
    }
    room_.notify_all();
  }

  bool stopped() const { return error_ != nullptr || handover_.left(); }

  void fail(std::exception_ptr error) {
    const std::lock_guard lock(order_);
    if (!error_) error_ = std::move(error);
    room_.notify_all();
  }

  Chunk next_chunk() {
    constexpr std::size_t kTilesPerChunk = 4;
    const auto batch_size = static_cast<std::size_t>(options_.batch);
    if (!open_) {
      open_ = std::make_shared<OpenBatch>(pool_);
      TileBatch& batch = open_->batch;
      batch.first_index = next_;
      const auto end = std::min(next_ + batch_size, grid_.size());
      batch.tiles.assign(grid_.begin() + static_cast<std::ptrdiff_t>(next_), grid_.begin() + static_cast<std::ptrdiff_t>(end));
      batch.rgb = open_->memory;
      batch.complete.assign(batch.tiles.size(), 0);
    }
    Chunk chunk;
    chunk.batch = open_;
    chunk.begin = next_ - open_->batch.first_index;
    chunk.end = std::min(chunk.begin + kTilesPerChunk, open_->batch.tiles.size());
    chunk.last = chunk.end == open_->batch.tiles.size();
    next_ += chunk.end - chunk.begin;
    if (chunk.last) open_.reset();
    return chunk;
  }

  void decode(const Chunk& chunk) {
    if (handover_.left()) return;
    const auto start = Clock::now();
    // The last tile first: it shares stored tiles with the next chunk, which another thread begins a little later and would
    // otherwise be decoding just when this thread comes to need them (4 % of the time of an overlapping grid was such waiting).
    for (std::size_t step = chunk.begin; step < chunk.end; ++step) {
      const std::size_t i = step == chunk.begin ? chunk.end - 1 : step - 1;
      cv::Mat tile(options_.tile_px, options_.tile_px, CV_8UC3, chunk.batch->memory + i * tile_bytes_);
      const bool complete =
          slide_.read_into(tile, chunk.batch->batch.tiles[i].origin, downsample_.x, downsample_.y, &cache_);
      chunk.batch->batch.complete[i] = complete ? 1 : 0;
      if (options_.change) options_.change(tile);
    }
    decode_nanoseconds_ += std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  }

  const Slide& slide_;
  const std::vector<TileSpec>& grid_;
  const StreamOptions& options_;
  Downsample downsample_;
  int threads_;
  std::size_t tile_bytes_;
  BufferPool pool_;
  TileCache cache_;
  Handover handover_;
  std::mutex order_;                        // of the members below, as long as threads run
  std::condition_variable room_;
  BatchPtr open_;
  std::size_t next_ = 0;                    // tile of the grid
  std::size_t next_ticket_ = 0, next_out_ = 0;  // chunks that were begun, and handed on
  std::map<std::size_t, Chunk> decoded_;    // by ticket, waiting for an earlier one
  std::exception_ptr error_;
  StreamStats stats_;
  std::atomic<std::int64_t> decode_nanoseconds_ = 0;
};

}  // namespace

StreamStats for_each_batch(const Slide& slide, const std::vector<TileSpec>& grid, const StreamOptions& options,
                           const std::function<void(TileBatch&)>& consume) {
  check(options);
  Stream stream(slide, grid, options);
  return stream.run(consume);
}

}  // namespace clmnet::wsi
