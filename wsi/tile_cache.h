#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace clmnet::wsi {

/// One stored tile, decoded: RGB rows without gaps, or nothing where it is corrupt or missing.
struct StoredTile {
  std::vector<std::uint8_t> rgb;
  bool complete = false;
};

/// Decoded stored tiles that are needed again. Every use is announced beforehand; a tile is decoded at its first use, shared
/// by those that ask for it meanwhile, and dropped after its last. When the cache is full, tiles are handed out without
/// being kept: in a scan row by row the tile that came last is the one whose next use is farthest away.
/// Any thread may call any member.
class TileCache {
 public:
  using Key = std::uint64_t;
  using Decode = std::function<void(StoredTile&)>;

  explicit TileCache(std::size_t capacity_bytes);

  /// One more use of the tile is to come.
  void announce(Key key);

  /// True when the use that is about to happen is the only one left and nobody has decoded the tile: the caller may then
  /// decode it in place. Counts as the use and as a decoding.
  bool take_sole_use(Key key);

  /// The tile, decoded by this call or before. Counts as a use. An exception of `decode` goes to every thread that waits.
  std::shared_ptr<const StoredTile> use(Key key, const Decode& decode);

  /// How many stored tiles were decoded so far.
  std::int64_t decoded() const;
  std::size_t bytes() const;

 private:
  struct Entry {
    std::uint32_t uses_left = 0;
    bool pending = false;
    std::shared_ptr<const StoredTile> tile;
  };

  class SparePixels;

  std::shared_ptr<StoredTile> new_tile();
  std::shared_ptr<const StoredTile> decode_outside_lock(Key key, const Decode& decode, std::unique_lock<std::mutex>& lock);
  void drop_when_used_up(Key key);

  std::shared_ptr<SparePixels> spare_;
  mutable std::mutex mutex_;
  std::condition_variable decoded_or_failed_;
  std::unordered_map<Key, Entry> entries_;
  std::size_t capacity_bytes_;
  std::size_t bytes_ = 0;
  std::int64_t decoded_ = 0;
};

}  // namespace clmnet::wsi
