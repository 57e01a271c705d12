#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace clmnet::tools::view {

/// True for a name that can be a file's: 1 to 120 bytes of letters, digits, blanks, . _ - and non-ASCII UTF-8, not beginning with
/// a dot or blank.
bool is_reader_name(const std::string& name);

/// What readers did, one JSON object a line in RUN/review/<reader>.jsonl; lines are only ever added. A line is on the disk
/// (fsync) before append returns, so a killed server loses nothing that it confirmed. Any thread may call any member, and several
/// servers may share a run.
class ReviewJournal {
 public:
  /// The folder is made at the first append.
  explicit ReviewJournal(std::filesystem::path review_folder);

  /// Adds `entry` with its place "seq" (from 1) and "time" (UTC, ISO 8601) and returns it so.
  /// `check(before, entry)` sees the entries before it, may complete it, and throws what keeps it out.
  /// Throws InputError when the disk does not take it.
  template <typename Check>
  nlohmann::json append(const std::string& reader, nlohmann::json entry, const Check& check);

  /// In the order in which they came; a line that a crash cut off is left out.
  std::vector<nlohmann::json> entries(const std::string& reader) const;
  std::vector<std::string> readers() const;
  const std::filesystem::path& folder() const { return folder_; }
  /// Throws InputError when it cannot be made, or is no folder of its own.
  void make_folder() const;

 private:
  class Locked;

  std::filesystem::path folder_;
  mutable std::mutex mutex_;
};

/// The file of one reader, open and locked against other servers.
class ReviewJournal::Locked {
 public:
  Locked(const std::filesystem::path& folder, const std::string& reader);
  ~Locked();
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

  std::vector<nlohmann::json> entries() const;
  void write_line(const std::string& line);

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

/// A field of an entry; empty where it is missing or no text. A journal can be edited by hand.
std::string text_of(const nlohmann::json& entry, const char* key);

/// "2026-03-01T12:30:05.123Z"
std::string utc_now();
/// Seconds since 1970 as such a text, and back; empty for what is none.
std::string utc_text(double seconds);
std::optional<double> seconds_of_utc(const std::string& text);

template <typename Check>
nlohmann::json ReviewJournal::append(const std::string& reader, nlohmann::json entry, const Check& check) {
  const std::lock_guard lock(mutex_);
  Locked file(folder_, reader);
  const auto before = file.entries();
  check(before, entry);
  entry["seq"] = before.empty() ? 1 : before.back().at("seq").get<std::int64_t>() + 1;
  entry["time"] = utc_now();
  file.write_line(entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return entry;
}

}  // namespace clmnet::tools::view
