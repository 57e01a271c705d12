#include "tests/fuzz/direct_reader_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  clmnet::wsi::read_everything_directly(bytes, count);
  return 0;
}
