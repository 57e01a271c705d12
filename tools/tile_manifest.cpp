#include "tools/tile_manifest.h"

#include <set>

#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/tile_folder.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

std::size_t write_tile_manifest(const fs::path& out, const TileSetup& setup) {
  const std::string ending = setup.images == TileImages::jpeg ? ".jpg" : ".png";
  std::set<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(out)) {
    if (fs::exists(entry.path() / "summary.json")) folders.insert(entry.path());
  }
  std::string text = "image,mask,patient_id,diagnosis,tumour\n";
  std::size_t lines = 0;
  for (const auto& folder : folders) {
    const json summary = json::parse(read_whole_file(folder / "summary.json"));
    const json& patient = summary.at("inputs").at("patient");
    const std::string name = folder.filename().string();
    const auto given = patient.at("diagnosis").get<std::string>();
    for (const auto& row : read_tiles_csv(folder / "tiles.csv")) {
      if (row.label < 0) continue;
      text += csv_field(name + "/images/" + tile_file(row.origin, ending)) + ',';
      text += csv_field(name + "/masks/" + tile_file(row.origin, ".png")) + ',';
      text += csv_field(patient.at("id").get<std::string>()) + ',';
      text += csv_field(given.empty() ? setup.classes.name_of(row.label) : given) + ',' + std::to_string(row.label) + '\n';
      ++lines;
    }
  }
  write_atomically(out / "manifest.csv", text);
  return lines;
}

}  // namespace clmnet::tools
