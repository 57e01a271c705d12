#include "wsi/tile_cache.h"

namespace clmnet::wsi {

/// Pixels of tiles that are no longer needed. A tile of 192 KiB from the system costs as much in page faults and zeros as a
/// tenth of its decoding. Outlives the cache as long as some tile does.
class TileCache::SparePixels {
 public:
  std::vector<std::uint8_t> take() {
    const std::lock_guard lock(mutex_);
    if (spare_.empty()) return {};
    auto pixels = std::move(spare_.back());
    spare_.pop_back();
    return pixels;
  }
  void give_back(std::vector<std::uint8_t>&& pixels) {
    constexpr std::size_t kMost = 32;
    const std::lock_guard lock(mutex_);
    if (spare_.size() < kMost && !pixels.empty()) spare_.push_back(std::move(pixels));
  }

 private:
  std::mutex mutex_;
  std::vector<std::vector<std::uint8_t>> spare_;
};

TileCache::TileCache(std::size_t capacity_bytes)
    : spare_(std::make_shared<SparePixels>()), capacity_bytes_(capacity_bytes) {}

std::shared_ptr<StoredTile> TileCache::new_tile() {
  auto tile = std::make_unique<StoredTile>();
  tile->rgb = spare_->take();
  return {tile.release(), [spare = spare_](StoredTile* used) {
            spare->give_back(std::move(used->rgb));
            delete used;
          }};
}

void TileCache::announce(Key key) {
  const std::lock_guard lock(mutex_);
  ++entries_[key].uses_left;
}

bool TileCache::take_sole_use(Key key) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    if (found->second.uses_left > 1 || found->second.pending || found->second.tile) return false;
    entries_.erase(found);
  }
  ++decoded_;
  return true;
}

void TileCache::drop_when_used_up(Key key) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.uses_left > 0 || found->second.pending) return;
  if (found->second.tile) bytes_ -= found->second.tile->rgb.size();
  entries_.erase(found);
}

std::shared_ptr<const StoredTile> TileCache::use(Key key, const Decode& decode) {
  std::unique_lock lock(mutex_);
  decoded_or_failed_.wait(lock, [&] { return !entries_[key].pending; });
  Entry& entry = entries_[key];
  if (entry.uses_left > 0) --entry.uses_left;
  if (!entry.tile) return decode_outside_lock(key, decode, lock);
  auto tile = entry.tile;
  drop_when_used_up(key);
  return tile;
}

std::shared_ptr<const StoredTile> TileCache::decode_outside_lock(Key key, const Decode& decode,
                                                                 std::unique_lock<std::mutex>& lock) {
  entries_[key].pending = true;
  ++decoded_;
  lock.unlock();
  auto tile = new_tile();
  try {
    decode(*tile);
  } catch (...) {
    lock.lock();
    entries_[key].pending = false;
    drop_when_used_up(key);
    decoded_or_failed_.notify_all();
    throw;
  }
  lock.lock();
  Entry& entry = entries_[key];
  entry.pending = false;
  if (entry.uses_left > 0 && bytes_ + tile->rgb.size() <= capacity_bytes_) {
    entry.tile = tile;
    bytes_ += tile->rgb.size();
  }
  drop_when_used_up(key);
  decoded_or_failed_.notify_all();
  return tile;
}

std::int64_t TileCache::decoded() const {
  const std::lock_guard lock(mutex_);
  return decoded_;
}

std::size_t TileCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace clmnet::wsi
