#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>

namespace clmnet::nets::lattice {

/// Memory in pages of 2 MiB where the system gives them: its first touch, page by page of 4 KiB, is else a tenth of the whole filter.
template <typename T>
struct LargePages {
  using value_type = T;

  LargePages() = default;
  template <typename Other>
  LargePages(const LargePages<Other>&) {}  // NOLINT: an allocator of one type is one of another
  template <typename Other>
  bool operator==(const LargePages<Other>&) const { return true; }

  T* allocate(std::size_t count) {
    constexpr std::size_t kPage = std::size_t{2} << 20;
    const std::size_t bytes = count * sizeof(T);
    const bool large = bytes >= kPage;
    void* memory = large ? std::aligned_alloc(kPage, (bytes + kPage - 1) / kPage * kPage) : std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    if (large) ::madvise(memory, bytes, MADV_HUGEPAGE);  // advice: that it may be refused does not matter
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) { std::free(memory); }

  /// What comes without a value is left as the memory is: filled in parallel, its first touch is no longer one core's work.
  template <typename Element>
  void construct(Element* place) { ::new (static_cast<void*>(place)) Element; }
  template <typename Element, typename... Arguments>
  void construct(Element* place, Arguments&&... arguments) { ::new (static_cast<void*>(place)) Element(std::forward<Arguments>(arguments)...); }
};

template <typename T>
using LargeVector = std::vector<T, LargePages<T>>;

/// Zeros, written in parallel.
template <typename Number>
void fill_with_zeros(LargeVector<Number>& numbers, std::size_t count) {
  numbers.resize(count);
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count, 8192), [&](const auto& range) {
    std::fill(numbers.data() + range.begin(), numbers.data() + range.end(), Number{});
  });
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

/// An array that is written before it is read.
template <typename T>
std::unique_ptr<T[], Free> large_array(std::size_t count) {
  return std::unique_ptr<T[], Free>(LargePages<T>().allocate(count));
}

}  // namespace clmnet::nets::lattice
