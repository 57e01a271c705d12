#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

#include <tiffio.h>

namespace clmnet::wsi {

/// libtiff's error handler that keeps the first message; `text` is a std::string.
inline int remember_error(TIFF*, void* text, const char*, const char* format, va_list arguments) {
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  auto& first = *static_cast<std::string*>(text);
  if (first.empty()) first = line;
  return 1;
}

inline int ignore_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

}  // namespace clmnet::wsi
