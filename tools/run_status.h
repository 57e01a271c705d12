#pragma once

#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace clmnet::tools {

/// What a run's folder says of how far the run is; nothing is changed there. `now` in seconds since 1970.
/// "kind"          "cv", "analyze", "train", …
/// "state"         "finished", "running" (its progress was written within the last two minutes), "stopped"
/// "parts"         cv: folds {name, state (finished, running, failed, begun, waiting), epochs_done, epochs, doing, failure};
///                 analyze: slides {name, state}
/// "done", "total" parts; "epochs_done", "epochs" of all networks; "doing"; "last_failure"; "seconds_left" or null: epochs left at
///                 the mean time of those done, over the parts that run side by side
/// Throws InputError when the folder is missing or holds no run.
nlohmann::json run_status(const std::filesystem::path& folder, std::time_t now);

/// The same for people.
std::string status_text(const nlohmann::json& status);

}  // namespace clmnet::tools
