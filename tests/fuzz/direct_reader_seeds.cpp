// Writes the corpus that direct_reader_fuzz starts from: direct_reader_seeds FOLDER
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/fuzz_seeds.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("usage: direct_reader_seeds FOLDER\n", stderr);
    return 2;
  }
  std::filesystem::create_directories(arguments[1]);
  int number = 0;
  for (const auto& seed : clmnet::wsi::fuzz_seeds()) {
    std::ofstream(std::filesystem::path(arguments[1]) / ("seed" + std::to_string(number++)), std::ios::binary) << seed;
  }
  return 0;
}
