#include "tools/run_status.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::time_t kFreshSeconds = 120;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// A JSON file, null where it is absent or damaged: a status must not fail over one file of many.
json read_or_null(const fs::path& file) {
  if (!is_there(file)) return nullptr;
  try {
    return json::parse(read_whole_file(file));
  } catch (const std::exception&) {
    return nullptr;
  }
}

/// Epochs done by network, and the seconds that they took.
struct Epochs {
  std::map<std::string, int> done;
  std::map<std::string, double> seconds;
  int total() const {
    int sum = 0;
    for (const auto& [network, count] : done) sum += count;
    return sum;
  }
  double all_seconds() const {
    double sum = 0;
    for (const auto& [network, own] : seconds) sum += own;
    return sum;
  }
};

Epochs read_epochs(const fs::path& log) {
  Epochs epochs;
  if (!is_there(log)) return epochs;
  try {
    const CsvTable table = CsvTable::read(log);
    const std::size_t network = table.column("network"), seconds = table.column("seconds");
    for (std::size_t i = 0; i < table.rows(); ++i) {
      ++epochs.done[table.cell(i, network)];
      epochs.seconds[table.cell(i, network)] += table.number(i, seconds);
    }
  } catch (const InputError&) {
    return {};
  }
  return epochs;
}

/// Epochs that each network is to be trained for, from the configuration of a training.
std::map<std::string, int> planned_epochs(const json& training) {
  std::map<std::string, int> planned;
  if (!training.is_object()) return planned;
  for (const auto& [name, values] : training.items()) {
    if (values.is_object() && values.contains("epochs") && values["epochs"].is_number())
      planned[name] = values["epochs"].get<int>();
  }
  return planned;
}

int sum_of(const std::map<std::string, int>& planned) {
  int sum = 0;
  for (const auto& [network, count] : planned) sum += count;
  return sum;
}

/// The folder's progress.json where it was written lately, else null.
json fresh_progress(const fs::path& folder, std::time_t now) {
  json progress = read_or_null(folder / "progress.json");
  if (!progress.is_object() || !progress.contains("updated") || !progress["updated"].is_number()) return nullptr;
  return now - progress["updated"].get<std::time_t>() <= kFreshSeconds ? progress : json();
}

/// Time left for epochs that are not done, at the mean time of those that are; the networks of a run differ, so each has its own.
class TimeLeft {
 public:
  void add(const Epochs& epochs) {
    for (const auto& [network, count] : epochs.done) {
      count_[network] += count;
      seconds_[network] += epochs.seconds.at(network);
    }
  }
  void add_open(const std::map<std::string, int>& planned, const Epochs& done) {
    for (const auto& [network, count] : planned) {
      const auto it = done.done.find(network);
      open_[network] += std::max(0, count - (it == done.done.end() ? 0 : it->second));
    }
  }
  json seconds(int side_by_side) const {
    double all_seconds = 0, all_count = 0, left = 0;
    for (const auto& [network, count] : count_) {
      all_seconds += seconds_.at(network);
      all_count += count;
    }
    if (all_count == 0) return nullptr;
    for (const auto& [network, open] : open_) {
      const auto count = count_.find(network);
      left += open * (count == count_.end() ? all_seconds / all_count : seconds_.at(network) / count->second);
    }
    return std::lround(left / std::max(1, side_by_side));
  }

 private:
  std::map<std::string, int> count_, open_;
  std::map<std::string, double> seconds_;
};

/// Folders of a kind in numerical order: fold-2 before fold-10.
std::vector<fs::path> numbered(const fs::path& folder, const std::string& prefix) {
  std::map<long, fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    if (const auto number = parse_number(name.substr(prefix.size()))) found[std::lround(*number)] = entry.path();
  }
  std::vector<fs::path> folders;
  for (const auto& [number, path] : found) folders.push_back(path);
  return folders;
}

json fold_status(const fs::path& folder, const std::map<std::string, int>& planned, std::time_t now, TimeLeft& time) {
  const Epochs epochs = read_epochs(folder / "training" / "train.csv");
  const json progress = fresh_progress(folder, now), failure = read_or_null(folder / "failure.json");
  json part = {{"name", folder.parent_path().filename().string() + "/" + folder.filename().string()},
               {"epochs_done", epochs.total()},
               {"epochs", sum_of(planned)},
               {"doing", nullptr},
               {"failure", nullptr}};
  time.add(epochs);
  if (is_there(folder / "fold.json")) {
    part["state"] = "finished";
    return part;
  }
  time.add_open(planned, epochs);
  if (failure.is_object()) part["failure"] = failure.value("message", "");
  const bool goes_on = progress.is_object() &&
                       (!failure.is_object() || failure.value("when", std::time_t{0}) < progress["updated"].get<std::time_t>());
  part["state"] = goes_on                                               ? "running"
                  : failure.is_object()                                 ? "failed"
                  : epochs.total() > 0 || is_there(folder / "training") ? "begun"
                                                                        : "waiting";
  if (goes_on) part["doing"] = progress;
  return part;
}

json cv_status(const fs::path& folder, const json& run, std::time_t now) {
  const json& configuration = run["configuration"];
  const auto planned = planned_epochs(configuration.value("training", json::object()));
  json status = {{"kind", "cv"}, {"parts", json::array()}, {"last_failure", nullptr}};
  TimeLeft time;
  std::size_t done = 0;
  int epochs_done = 0, running = 0;
  for (const auto& repeat : numbered(folder, "repeat-")) {
    for (const auto& fold : numbered(repeat, "fold-")) {
      json part = fold_status(fold, planned, now, time);
      done += part["state"] == "finished";
      running += part["state"] == "running";
      epochs_done += part["epochs_done"].get<int>();
      if (!part["failure"].is_null())
        status["last_failure"] = part["name"].get<std::string>() + ": " + part["failure"].get<std::string>();
      status["parts"].push_back(std::move(part));
    }
  }
  const std::size_t total = status["parts"].size();
  status["done"] = done;
  status["total"] = total;
  status["epochs_done"] = epochs_done;
  status["epochs"] = sum_of(planned) * static_cast<int>(total);
  const json progress = fresh_progress(folder, now);
  const bool finished = run.value("finished", false);
  status["doing"] = done == total && !finished ? progress : json();
  status["state"] = finished ? "finished" : running > 0 || !status["doing"].is_null() ? "running" : "stopped";
  status["seconds_left"] = finished ? json(0) : done < total ? time.seconds(running) : json();
  return status;
}

json train_status(const fs::path& folder, const json& training, std::time_t now) {
  const auto planned = planned_epochs(training.value("configuration", json::object()));
  const Epochs epochs = read_epochs(folder / "training" / "train.csv");
  TimeLeft time;
  time.add(epochs);
  time.add_open(planned, epochs);
  const bool finished = is_there(folder / "config.json") && epochs.total() >= sum_of(planned);
  json status = {{"kind", "train"},           {"parts", json::array()},
                 {"last_failure", nullptr},   {"epochs_done", epochs.total()},
                 {"epochs", sum_of(planned)}, {"doing", fresh_progress(folder / "training", now)}};
  std::size_t done = 0;
  for (const auto& [network, count] : planned) {
    const auto its = epochs.done.find(network);
    const int own = its == epochs.done.end() ? 0 : its->second;
    done += own >= count;
    status["parts"].push_back({{"name", network},
                               {"state", own >= count ? "finished"
                                         : own > 0    ? "begun"
                                                      : "waiting"},
                               {"epochs_done", own},
                               {"epochs", count},
                               {"doing", nullptr},
                               {"failure", nullptr}});
  }
  status["done"] = done;
  status["total"] = planned.size();
  std::error_code ignored;
  const auto changed = fs::last_write_time(
      folder / "training" / (is_there(folder / "training" / "train.csv") ? "train.csv" : "training.json"), ignored);
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(fs::file_time_type::clock::now() - changed).count();
  // An epoch may take longer than a progress file stays fresh.
  const double epoch_seconds = epochs.total() > 0 ? epochs.all_seconds() / epochs.total() : 600;
  status["state"] = finished                                                                                     ? "finished"
                    : !status["doing"].is_null() || static_cast<double>(age) < 3 * epoch_seconds + kFreshSeconds ? "running"
                                                                                                                 : "stopped";
  status["seconds_left"] = finished ? json(0) : time.seconds(1);
  return status;
}

/// Slides of a run of analyze or tile: a folder each, closed by summary.json.
json slides_status(const fs::path& folder, const json& run, std::time_t now) {
  json status = {{"kind", run["configuration"].value("command", "analyze")},
                 {"parts", json::array()},
                 {"last_failure", nullptr},
                 {"epochs_done", 0},
                 {"epochs", 0},
                 {"seconds_left", nullptr}};
  std::set<fs::path> slides;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_directory(ignored)) slides.insert(entry.path());
  }
  std::size_t done = 0;
  for (const auto& slide : slides) {
    const bool closed = is_there(slide / "summary.json");
    done += closed;
    status["parts"].push_back({{"name", slide.filename().string()},
                               {"state", closed ? "finished" : "begun"},
                               {"epochs_done", 0},
                               {"epochs", 0},
                               {"doing", nullptr},
                               {"failure", nullptr}});
  }
  for (const auto& failure : run.value("failures", json::array())) status["last_failure"] = failure.value("error", "");
  status["done"] = done;
  status["total"] = slides.size();
  // run.json holds more than its configuration once the run came to its end.
  const bool finished = run.size() > 1;
  status["doing"] = finished ? json() : fresh_progress(folder, now);
  status["state"] = finished ? "finished" : status["doing"].is_null() ? "stopped" : "running";
  return status;
}

std::string time_text(long seconds) {
  if (seconds < 90) return std::to_string(seconds) + " s";
  if (seconds < 5400) return std::to_string((seconds + 30) / 60) + " min";
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds / 60 % 60) + " min";
}

std::string doing_text(const json& doing) {
  std::string text = doing.value("doing", "") + "  " + std::to_string(doing.value("done", 0)) + "/" +
                     std::to_string(doing.value("total", 0)) + " " + doing.value("unit", "");
  if (doing.contains("seconds_left") && doing["seconds_left"].is_number())
    text += ", " + time_text(doing["seconds_left"].get<long>()) + " left of these";
  return text;
}

}  // namespace

json run_status(const fs::path& folder, std::time_t now) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored))
    throw InputError(folder.string() + ": no such folder; expected the folder of a run (its -o)");
  const json training = read_or_null(folder / "training" / "training.json");
  if (training.is_object()) return train_status(folder, training, now);
  const json run = read_or_null(folder / "run.json");
  if (!run.is_object() || !run.contains("configuration") || !run["configuration"].is_object()) {
    if (is_there(folder / "run.json")) throw InputError((folder / "run.json").string() + ": is damaged, or not of clmnet");
    throw InputError(folder.string() +
                     ": holds no run (neither run.json nor training/training.json); expected the folder that -o of cv, analyze "
                     "or train named");
  }
  return run["configuration"].value("command", "") == "cv" ? cv_status(folder, run, now) : slides_status(folder, run, now);
}

std::string status_text(const json& status) {
  const bool folds = status["kind"] == "cv";
  std::ostringstream out;
  out << status["kind"].get<std::string>() << ", " << status["state"].get<std::string>() << ": " << status["done"] << " of "
      << status["total"]
      << (folds                       ? " folds"
          : status["kind"] == "train" ? " networks"
                                      : " slides")
      << " finished";
  if (status["epochs"] != 0) out << ", " << status["epochs_done"] << " of " << status["epochs"] << " epochs";
  if (status["state"] != "finished" && status["seconds_left"].is_number())
    out << ", about " << time_text(status["seconds_left"].get<long>())
        << (status["state"] == "running" ? " left" : " of training left");
  out << '\n';
  for (const auto& part : status["parts"]) {
    out << "  " << part["name"].get<std::string>() << "  " << part["state"].get<std::string>();
    if (part["epochs"] != 0 && part["state"] != "finished") out << ", epoch " << part["epochs_done"] << " of " << part["epochs"];
    if (!part["doing"].is_null()) out << "; " << doing_text(part["doing"]);
    if (!part["failure"].is_null())
      out << "; " << (part["state"] == "failed" ? "failed: " : "failed before: ") << part["failure"].get<std::string>();
    out << '\n';
  }
  if (!status["doing"].is_null()) out << "now: " << doing_text(status["doing"]) << '\n';
  if (!status["last_failure"].is_null()) out << "last failure: " << status["last_failure"].get<std::string>() << '\n';
  if (status["state"] == "stopped") out << "nothing is running; the command that began it goes on where it stopped\n";
  return out.str();
}

}  // namespace clmnet::tools
