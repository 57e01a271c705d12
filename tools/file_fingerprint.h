#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

namespace clmnet::tools {

/// What a file is, in a few milliseconds whatever its size: {"bytes": n, "sha256_of_parts": hex}. Files up to 1 MiB are read
/// whole, larger ones in 16 parts of 64 KiB spread evenly from their first byte to their last.
/// Throws InputError when it is missing or cannot be read.
nlohmann::json fingerprint(const std::filesystem::path& file);

/// Whether the file is there and is what `recorded` says. Never throws for a file.
bool matches(const std::filesystem::path& file, const nlohmann::json& recorded);

}  // namespace clmnet::tools
