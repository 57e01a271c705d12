#include "tools/tile_folder.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "tools/file_fingerprint.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kSamples = 32;

void remove_whole(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) throw InputError(folder.string() + ": what is left of an earlier run cannot be removed (" + error.message() + ")");
}

void make_durable(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool done = fd >= 0 && ::syncfs(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!done) throw InputError(folder.string() + ": cannot be made durable (" + std::strerror(error) + "); free some disk space, then run again");
}

/// Up to kSamples places spread evenly over `count`.
std::vector<std::size_t> sampled(std::size_t count) {
  std::vector<std::size_t> places;
  const std::size_t n = std::min(count, kSamples);
  for (std::size_t i = 0; i < n; ++i) places.push_back(n == 1 ? 0 : i * (count - 1) / (n - 1));
  return places;
}

}  // namespace

AtomicFolder::AtomicFolder(fs::path target) : target_(std::move(target)), temporary_(target_.string() + ".part") {
  remove_whole(target_);
  remove_whole(temporary_);
  std::error_code error;
  fs::create_directories(temporary_, error);
  if (error) throw InputError(temporary_.string() + ": the folder cannot be made (" + error.message() + ")");
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
}

void AtomicFolder::write(const std::string& name, const std::vector<unsigned char>& bytes) const {
  std::ofstream out(temporary_ / name, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw InputError((temporary_ / name).string() + ": cannot be written; free some disk space, then run again");
}

void AtomicFolder::commit() {
  make_durable(temporary_);
  std::error_code error;
  fs::rename(temporary_, target_, error);
  if (error) throw InputError(target_.string() + ": cannot be given its name (" + error.message() + ")");
  committed_ = true;
}

std::string tile_file(const wsi::Level0Px& origin, const std::string& ending) {
  return std::to_string(origin.x) + "_" + std::to_string(origin.y) + ending;
}

std::string tiles_csv(const std::vector<TileRow>& rows, std::int64_t width, std::int64_t height, bool labels) {
  std::string text = labels ? "minx,miny,width,height,label,share\n" : "minx,miny,width,height\n";
  const std::string side = "," + std::to_string(width) + "," + std::to_string(height);
  for (const auto& row : rows) {
    text += std::to_string(row.origin.x);
    text += ',';
    text += std::to_string(row.origin.y);
    text += side;
    if (labels) {
      char share[32];
      std::snprintf(share, sizeof share, ",%d,%.6g", row.label, row.share);
      text += share;
    }
    text += '\n';
  }
  return text;
}

std::vector<TileRow> read_tiles_csv(const fs::path& file) {
  const CsvTable table = CsvTable::read(file);
  const std::size_t x = table.column("minx"), y = table.column("miny");
  const auto label = table.find("label"), share = table.find("share");
  std::vector<TileRow> rows;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    TileRow row{{static_cast<std::int64_t>(table.number(i, x)), static_cast<std::int64_t>(table.number(i, y))}, -1, 0};
    if (label && share) {
      row.label = static_cast<int>(table.number(i, *label));
      row.share = table.number(i, *share);
    }
    rows.push_back(row);
  }
  return rows;
}

void finish_slide(const fs::path& folder, json summary, const std::vector<std::string>& files,
                  const std::vector<std::pair<std::string, std::string>>& tile_folders, const std::vector<TileRow>& rows) {
  summary["files"] = json::object();
  for (const auto& file : files) summary["files"][file] = fingerprint(folder / file);
  summary["folders"] = json::object();
  for (const auto& [name, ending] : tile_folders) {
    json sizes = json::array(), samples = json::object();
    for (const auto& row : rows) sizes.push_back(fs::file_size(folder / name / tile_file(row.origin, ending)));
    for (const std::size_t i : sampled(rows.size())) {
      const std::string file = tile_file(rows[i].origin, ending);
      samples[file] = fingerprint(folder / name / file);
    }
    summary["folders"][name] = {{"ending", ending}, {"bytes", sizes}, {"samples", samples}};
  }
  write_atomically(folder / "summary.json", summary.dump() + "\n");
}

namespace {

/// What of a folder is not as recorded; empty when all is.
std::string folder_difference(const fs::path& folder, const json& recorded, const std::vector<TileRow>& rows) {
  const auto& sizes = recorded.at("bytes");
  const auto ending = recorded.at("ending").get<std::string>();
  if (sizes.size() != rows.size()) return folder.filename().string() + " does not go with tiles.csv";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const fs::path file = folder / tile_file(rows[i].origin, ending);
    std::error_code error;
    if (fs::file_size(file, error) != sizes[i].get<std::uintmax_t>() || error) {
      return folder.filename().string() + "/" + file.filename().string() + " is missing or of another size";
    }
  }
  for (const auto& [name, fingerprint] : recorded.at("samples").items()) {
    if (!matches(folder / name, fingerprint)) return folder.filename().string() + "/" + name + " has other content";
  }
  return {};
}

}  // namespace

json finished_slide(const fs::path& folder, const json& inputs, std::string& why) {
  why.clear();
  std::error_code error;
  if (!fs::exists(folder / "summary.json", error)) return nullptr;
  try {
    json summary = json::parse(read_whole_file(folder / "summary.json"));
    for (const auto& [key, value] : inputs.items()) {
      if (summary.at("inputs").value(key, json()) != value) why = "the " + key + " is another one";
    }
    for (const auto& [name, recorded] : summary.at("files").items()) {
      if (why.empty() && !matches(folder / name, recorded)) why = name + " is missing or has other content";
    }
    if (why.empty() && !summary.at("folders").empty()) {
      const auto rows = read_tiles_csv(folder / "tiles.csv");
      for (const auto& [name, recorded] : summary.at("folders").items()) {
        if (why.empty()) why = folder_difference(folder / name, recorded, rows);
      }
    }
    if (why.empty()) return summary;
  } catch (const json::exception&) {
    why = "summary.json is damaged";
  } catch (const InputError& found) {
    why = found.what();
  }
  return nullptr;
}

}  // namespace clmnet::tools
