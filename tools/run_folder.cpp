#include "tools/run_folder.h"

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

json read_json(const fs::path& file) {
  try {
    return json::parse(read_whole_file(file));
  } catch (const json::exception&) {
    throw InputError(file.string() + ": is damaged (not JSON); remove the folder, or give another -o");
  }
}

/// "key: found, now wanted" for the first key whose value differs.
std::string first_difference(const json& found, const json& wanted) {
  const json flat = found.is_structured() ? found.flatten() : json::object();
  const json wanted_flat = wanted.flatten();
  for (const auto& [key, value] : wanted_flat.items()) {
    if (!flat.contains(key)) return key.substr(1) + " is not recorded there";
    if (flat.at(key) != value) return key.substr(1) + " was " + flat.at(key).dump() + ", now " + value.dump();
  }
  return "it was made with further settings";
}

/// A run that was killed before its first file was whole leaves that file's temporary; it is in nobody's way.
bool holds_anything(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.front() != '.' || name.find(".part") == std::string::npos) return true;
  }
  return false;
}

}  // namespace

RunFolder::RunFolder(fs::path folder, json configuration) : folder_(std::move(folder)), configuration_(std::move(configuration)) {
  std::error_code error;
  if (fs::exists(folder_, error) && !fs::is_directory(folder_, error)) {
    throw InputError(folder_.string() + ": is a file, expected a folder for the results; give another -o");
  }
  const fs::path mark = folder_ / "run.json";
  if (fs::exists(mark, error)) {
    const json found = read_json(mark).value("configuration", json());
    if (found != configuration_) {
      throw InputError(folder_.string() + ": holds a run of another configuration (" +
                       first_difference(found, configuration_) + "); give another -o");
    }
    return;
  }
  if (fs::exists(folder_, error) && holds_anything(folder_)) {
    throw InputError(folder_.string() + ": is not empty and holds no run of clmnet; give another -o");
  }
  fs::create_directories(folder_, error);
  if (error) throw InputError(folder_.string() + ": the folder cannot be made (" + error.message() + ")");
  write_run(json::object());
}

fs::path RunFolder::slide_folder(const std::string& slide) const {
  const fs::path folder = folder_ / slide;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw InputError(folder.string() + ": the folder cannot be made (" + error.message() + ")");
  return folder;
}

json RunFolder::finished(const std::string& slide) const {
  const fs::path file = folder_ / slide / "summary.json";
  std::error_code error;
  if (!fs::exists(file, error)) return nullptr;
  json summary;
  try {
    summary = json::parse(read_whole_file(file));
    for (const auto& [name, bytes] : summary.at("output_bytes").items()) {
      const auto size = fs::file_size(folder_ / slide / name, error);
      if (error || size != bytes.get<std::uintmax_t>()) return nullptr;
    }
  } catch (const json::exception&) {
    return nullptr;
  }
  return summary;
}

void RunFolder::finish(const std::string& slide, json summary, const std::vector<std::string>& files) const {
  summary["output_bytes"] = json::object();
  for (const auto& file : files) summary["output_bytes"][file] = fs::file_size(folder_ / slide / file);
  write_atomically(folder_ / slide / "summary.json", summary.dump(2) + "\n");
}

void RunFolder::write_run(const json& results) const {
  json document = results;
  document["configuration"] = configuration_;
  write_atomically(folder_ / "run.json", document.dump(2) + "\n");
}

}  // namespace clmnet::tools
