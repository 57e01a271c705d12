#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace clmnet::tools {

/// A folder of results: RUN/run.json says what was asked for, RUN/<slide>/summary.json closes a slide.
/// The same command on the same folder goes on where it stopped.
class RunFolder {
 public:
  /// Opens or makes the folder. `configuration` is everything that decides the results.
  /// Throws InputError when it holds something else than a run of the same configuration, naming what differs.
  RunFolder(std::filesystem::path folder, nlohmann::json configuration);

  const std::filesystem::path& path() const { return folder_; }
  /// RUN/<slide>, made when it is missing.
  std::filesystem::path slide_folder(const std::string& slide) const;
  /// A slide's summary when all its files are there with the sizes that it lists, else null.
  nlohmann::json finished(const std::string& slide) const;
  /// Adds `outputs` {file: bytes} to the summary and writes it: from now on the slide is finished.
  void finish(const std::string& slide, nlohmann::json summary, const std::vector<std::string>& files) const;
  /// Writes run.json: the configuration and `results`.
  void write_run(const nlohmann::json& results) const;

 private:
  std::filesystem::path folder_;
  nlohmann::json configuration_;
};

}  // namespace clmnet::tools
