#include "tools/view/review_journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "tools/base/csv.h"
#include "tools/base/error.h"

namespace clmnet::tools::view {
namespace {

constexpr std::size_t kLongestName = 120;
constexpr std::int64_t kLargestSeq = std::int64_t{1} << 53;

bool allowed_in_name(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '.' || c == '_' || c == '-' ||
         c >= 0x80;
}

[[noreturn]] void fail_write(const std::filesystem::path& file, const std::string& doing) {
  throw InputError(file.string() + ": " + doing + " failed (" + std::strerror(errno) +
                   "), the review was not kept; check space and permissions");
}

/// Whole lines that are JSON objects with a place; what a crash cut off is not.
std::vector<nlohmann::json> parse_lines(const std::string& text) {
  std::vector<nlohmann::json> entries;
  std::size_t begin = 0;
  for (auto end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
    auto entry = nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                       text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    const auto seq = entry.is_object() ? entry.value("seq", nlohmann::json()) : nlohmann::json();
    if (seq.is_number_integer() && seq >= 1 && seq < kLargestSeq) entries.push_back(std::move(entry));
  }
  return entries;
}

void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0 || fsync(descriptor) != 0) {
    if (descriptor >= 0) close(descriptor);
    fail_write(folder, "fsync");
  }
  close(descriptor);
}

/// A link in place of a journal's folder could lead a write out of the run.
void make_real_folder(const std::filesystem::path& folder) {
  struct stat status {};
  if (mkdir(folder.c_str(), 0777) == 0) {
    sync_folder(folder.parent_path());
  } else if (errno != EEXIST || lstat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    throw InputError(folder.string() + ": cannot be made or is no folder; nothing was kept");
  }
}

}  // namespace

bool is_reader_name(const std::string& name) {
  return !name.empty() && name.size() <= kLongestName && name.front() != '.' && name.front() != ' ' && name.back() != ' ' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return allowed_in_name(c); });
}

std::string text_of(const nlohmann::json& entry, const char* key) {
  const auto found = entry.find(key);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string utc_now() { return utc_text(std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count()); }

std::string utc_text(double seconds) {
  const auto milliseconds = static_cast<std::int64_t>(std::floor(seconds * 1000));
  const auto whole = static_cast<std::time_t>(milliseconds / 1000);
  std::tm utc{};
  gmtime_r(&whole, &utc);
  char date[32], text[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text, sizeof text, "%s.%03dZ", date, static_cast<int>(milliseconds % 1000));
  return text;
}

std::optional<double> seconds_of_utc(const std::string& text) {
  std::tm utc{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &utc);
  if (rest == nullptr || *rest != '.' || text.back() != 'Z') return std::nullopt;
  const auto fraction = parse_number("0" + std::string(rest, text.c_str() + text.size() - 1));
  if (!fraction) return std::nullopt;
  return static_cast<double>(timegm(&utc)) + *fraction;
}

ReviewJournal::Locked::Locked(const std::filesystem::path& folder, const std::string& reader)
    : file_(folder / (reader + ".jsonl")) {
  const bool is_new = access(file_.c_str(), F_OK) != 0;
  make_real_folder(folder);
  descriptor_ = open(file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_write(file_, "opening it");
  if (is_new) sync_folder(folder);
  if (flock(descriptor_, LOCK_EX) != 0) {
    close(descriptor_);
    fail_write(file_, "locking it");
  }
}

ReviewJournal::Locked::~Locked() { close(descriptor_); }

std::vector<nlohmann::json> ReviewJournal::Locked::entries() const {
  std::string text;
  char part[65536];
  off_t at = 0;
  for (ssize_t got = 0; (got = pread(descriptor_, part, sizeof part, at)) != 0; at += got) {
    if (got < 0) fail_write(file_, "reading it");
    text.append(part, static_cast<std::size_t>(got));
  }
  return parse_lines(text);
}

void ReviewJournal::Locked::write_line(const std::string& line) {
  const off_t end = lseek(descriptor_, 0, SEEK_END);
  char last = '\n';
  if (end > 0 && pread(descriptor_, &last, 1, end - 1) != 1) fail_write(file_, "reading it");
  // A line that a crash cut off is closed, so that the new one does not run into it.
  const std::string bytes = (last == '\n' ? "" : "\n") + line + "\n";
  const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
  if (written != static_cast<ssize_t>(bytes.size())) {
    const int reason = written < 0 ? errno : ENOSPC;
    if (ftruncate(descriptor_, end) != 0) { /* the half line is left out when it is read */ }
    errno = reason;
    fail_write(file_, "writing");
  }
  if (fsync(descriptor_) != 0) fail_write(file_, "fsync");
}

ReviewJournal::ReviewJournal(std::filesystem::path review_folder) : folder_(std::move(review_folder)) {}

void ReviewJournal::make_folder() const { make_real_folder(folder_); }

std::vector<nlohmann::json> ReviewJournal::entries(const std::string& reader) const {
  const std::lock_guard lock(mutex_);
  std::error_code error;
  if (!std::filesystem::exists(folder_ / (reader + ".jsonl"), error)) return {};
  return Locked(folder_, reader).entries();
}

std::vector<std::string> ReviewJournal::readers() const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().stem().string();
    if (entry->path().extension() == ".jsonl" && !entry->is_symlink() && is_reader_name(name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace clmnet::tools::view
