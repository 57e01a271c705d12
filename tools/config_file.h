#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace clmnet::tools {

/// A TOML file of sections and scalar keys, read through CLI11. Every key must be asked for: one that nobody knows is an
/// error that names the file, the key and the keys that were asked for.
class ConfigFile {
 public:
  ConfigFile() = default;
  /// Throws InputError when the file is missing or is not TOML, or a key stands twice.
  explicit ConfigFile(const std::filesystem::path& file);

  /// Replaces `value` when the key ("section.key", or "key" at the top) is in the file.
  /// Throws InputError naming file, key, what was found and the range.
  void take(const std::string& key, double& value, double low, double high);
  void take(const std::string& key, int& value, int low, int high);
  void take(const std::string& key, bool& value);
  void take(const std::string& key, std::string& value);
  void take(const std::string& key, std::vector<std::string>& values);
  void take(const std::string& key, std::vector<std::int64_t>& values, std::int64_t low, std::int64_t high);

  /// To be called last. Throws InputError for keys that were not taken.
  void finish() const;

 private:
  std::vector<std::string>* find(const std::string& key);
  [[noreturn]] void fail(const std::string& key, const std::string& expected) const;

  std::string name_;
  std::map<std::string, std::vector<std::string>> values_;
  std::map<std::string, bool> known_;
};

}  // namespace clmnet::tools
