#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace clmnet::tools::view {

/// What was asked for last, up to a number of bytes; the oldest goes first. Any thread may call any member.
template <typename Value>
class LruCache {
 public:
  explicit LruCache(std::size_t capacity) : capacity_(capacity) {}

  /// Null when it is not there.
  std::shared_ptr<const Value> find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->value;
  }

  /// `cost` in the unit of the capacity; a value that costs more than the whole capacity is not kept.
  void put(const std::string& key, std::shared_ptr<const Value> value, std::size_t cost) {
    const std::lock_guard lock(mutex_);
    if (const auto found = places_.find(key); found != places_.end()) drop(found->second);
    if (cost > capacity_) return;
    entries_.push_front({key, std::move(value), cost});
    places_[key] = entries_.begin();
    used_ += cost;
    while (used_ > capacity_) drop(std::prev(entries_.end()));
  }

  std::size_t used() const {
    const std::lock_guard lock(mutex_);
    return used_;
  }

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Value> value;
    std::size_t cost = 0;
  };
  using Place = typename std::list<Entry>::iterator;

  void drop(Place place) {
    used_ -= place->cost;
    places_.erase(place->key);
    entries_.erase(place);
  }

  mutable std::mutex mutex_;
  std::list<Entry> entries_;
  std::unordered_map<std::string, Place> places_;
  std::size_t capacity_;
  std::size_t used_ = 0;
};

}  // namespace clmnet::tools::view
