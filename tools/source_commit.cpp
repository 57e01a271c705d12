#include "tools/source_commit.h"

#include <cstdio>

namespace clmnet::tools {

std::optional<std::string> source_commit() {
  // The folder is a constant of the build; quotes keep its spaces together.
  std::FILE* pipe = ::popen("git -C '" CLMNET_SOURCE_DIR "' describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null", "r");
  if (pipe == nullptr) return std::nullopt;
  char line[128] = {};
  const bool read = std::fgets(line, sizeof line, pipe) != nullptr;
  const bool worked = ::pclose(pipe) == 0;
  std::string commit = line;
  while (!commit.empty() && commit.back() == '\n') commit.pop_back();
  return read && worked && commit.size() >= 40 ? std::make_optional(commit) : std::nullopt;
}

}  // namespace clmnet::tools
