#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "wsi/geometry.h"

namespace clmnet::tools {

/// A folder of many files that is whole or absent: it fills up under another name, is made durable once and then renamed.
class AtomicFolder {
 public:
  /// Removes what stands under the target and under the temporary name. Throws InputError when that cannot be done.
  explicit AtomicFolder(std::filesystem::path target);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  /// Any thread may call it. Throws InputError when the disk does not take it.
  void write(const std::string& name, const std::vector<unsigned char>& bytes) const;
  /// Throws InputError when it cannot be made durable or renamed.
  void commit();

 private:
  std::filesystem::path target_, temporary_;
  bool committed_ = false;
};

/// "1024_2048.png": a tile's place, level-0 px.
std::string tile_file(const wsi::Level0Px& origin, const std::string& ending);

/// One line of a slide's tiles.csv.
struct TileRow {
  wsi::Level0Px origin;
  int label = -1;                  ///< -1: not known
  double share = 0;                ///< of the tile that has that label
};

/// tiles.csv: minx,miny,width,height (level-0 px), and with labels label,share.
std::string tiles_csv(const std::vector<TileRow>& rows, std::int64_t width, std::int64_t height, bool labels);
/// Throws InputError for a file that tiles_csv did not write.
std::vector<TileRow> read_tiles_csv(const std::filesystem::path& file);

/// summary.json closes a finished slide: it lists every file with its size and a checksum.
/// Adds "files" {name: fingerprint} and, for a folder of one file per tile, "folders" {name: {ending, bytes: [per tile],
/// samples: {name: fingerprint}}}, and writes it.
void finish_slide(const std::filesystem::path& folder, nlohmann::json summary, const std::vector<std::string>& files,
                  const std::vector<std::pair<std::string, std::string>>& tile_folders, const std::vector<TileRow>& rows);

/// The summary of a slide whose files are all there with their sizes and sampled checksums, and whose `inputs` are these;
/// else null, and `why` says what is not as recorded (empty where the slide was never finished).
nlohmann::json finished_slide(const std::filesystem::path& folder, const nlohmann::json& inputs, std::string& why);

}  // namespace clmnet::tools
