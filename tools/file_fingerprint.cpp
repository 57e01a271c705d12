#include "tools/file_fingerprint.h"

#include <cstdint>
#include <fstream>
#include <string>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

json fingerprint(const fs::path& file) {
  constexpr std::uintmax_t kWhole = 1 << 20, kPart = 64 << 10, kParts = 16;
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(file, error);
  std::ifstream in(file, std::ios::binary);
  if (error || !in) throw InputError(file.string() + ": cannot be read; check the path and its permissions");
  const bool whole = bytes <= kWhole;
  std::string parts;
  for (std::uintmax_t i = 0; i < (whole ? 1 : kParts); ++i) {
    const std::uintmax_t begin = whole ? 0 : (bytes - kPart) / (kParts - 1) * i + (i + 1 == kParts ? (bytes - kPart) % (kParts - 1) : 0);
    const std::size_t length = static_cast<std::size_t>(whole ? bytes : kPart), before = parts.size();
    parts.resize(before + length);
    in.seekg(static_cast<std::streamoff>(begin));
    if (length > 0 && !in.read(parts.data() + before, static_cast<std::streamsize>(length))) {
      throw InputError(file.string() + ": cannot be read to its end; copy it again");
    }
  }
  return {{"bytes", bytes}, {"sha256_of_parts", sha256_of(parts)}};
}

bool matches(const fs::path& file, const json& recorded) {
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(file, error);
  if (error || !recorded.is_object() || recorded.value("bytes", json()) != json(bytes)) return false;
  try {
    return fingerprint(file) == recorded;
  } catch (const InputError&) {
    return false;
  }
}

}  // namespace clmnet::tools
