#include "tools/cv/fold_jobs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <stdexcept>
#include <thread>

#include <nlohmann/json.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/command.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// This process's arguments.
std::vector<std::string> own_arguments() {
  const std::string text = read_whole_file("/proc/self/cmdline");
  std::vector<std::string> arguments;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = text.find('\0', from);
    arguments.push_back(text.substr(from, end - from));
    from = end == std::string::npos ? text.size() : end + 1;
  }
  return arguments;
}

std::string failure_of(const fs::path& folder) {
  try {
    return json::parse(read_whole_file(folder / "failure.json")).at("message").get<std::string>();
  } catch (const std::exception&) {
    return {};
  }
}

/// Starts a job's process; its output goes to the fold's log.txt.
pid_t start(const FoldJob& job, const std::string& device) {
  std::vector<std::string> arguments = own_arguments();
  arguments.insert(arguments.end(), {"--only-fold", job.name, "--fold-device", device});
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const std::string log = (job.folder / "log.txt").string();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw InputError("no further process can be started; give fewer --jobs");
  if (child > 0) return child;
  // Between fork and exec only calls that are safe there.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file >= 0) {
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
  }
  ::execv("/proc/self/exe", pointers.data());
  ::_exit(127);
}

/// What a process that has ended left to say; empty when it did its fold.
std::string outcome_of(const FoldJob& job, int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  std::string message = failure_of(job.folder);
  if (message.empty() || WIFSIGNALED(status)) {
    message = WIFSIGNALED(status) ? "its process was ended by signal " + std::to_string(WTERMSIG(status))
                                  : "its process ended with status " + std::to_string(WEXITSTATUS(status));
    message += "; see " + (job.folder / "log.txt").string();
    write_failure(job.folder, message);
  }
  return message;
}

struct Running {
  const FoldJob* job;
  std::string device;
};

void stop_all(const std::map<pid_t, Running>& running) {
  for (const auto& [child, what] : running) ::kill(child, SIGTERM);
  for (const auto& [child, what] : running) ::waitpid(child, nullptr, 0);
}

std::vector<std::string> run_in_processes(const std::vector<FoldJob>& list, int jobs, DeviceSlots slots, ProgressBar& bar) {
  std::vector<std::string> failures;
  std::map<pid_t, Running> running;
  std::size_t next = 0, done = 0;
  const auto close = [&](pid_t child, int status) {
    const FoldJob& job = *running.at(child).job;
    slots.give_back(running.at(child).device);
    running.erase(child);
    ++done;
    const std::string message = outcome_of(job, status);
    bar.line(job.label + (message.empty() ? "finished" : "FAILED: " + message));
    if (!message.empty()) failures.push_back(job.label + message);
    bar.update("folds", done, list.size(), "folds");
  };
  while (done < list.size()) {
    while (next < list.size() && static_cast<int>(running.size()) < jobs) {
      const std::string device = slots.take();
      bar.line(list[next].label + "started on device " + device + ", its messages are in " +
               (list[next].folder / "log.txt").string());
      std::error_code ignored;
      fs::remove(list[next].folder / "failure.json", ignored);  // of an earlier try; it must not speak for this one
      const pid_t child = start(list[next], device);
      running[child] = {&list[next++], device};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (interrupted()) stop_all(running);
    stop_if_interrupted(kWhatIsKept);
    std::vector<std::pair<pid_t, int>> ended;
    for (const auto& [child, what] : running) {
      int status = 0;
      if (::waitpid(child, &status, WNOHANG) == child) ended.emplace_back(child, status);
    }
    for (const auto& [child, status] : ended) close(child, status);
  }
  return failures;
}

}  // namespace

void write_failure(const fs::path& folder, const std::string& message) {
  try {
    write_atomically(
        folder / "failure.json",
        json{{"message", message}, {"when", std::time(nullptr)}}.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
  } catch (const InputError&) {  // the disk is full, as the failure most likely says itself
  }
}

DeviceSlots::DeviceSlots(std::vector<std::string> devices) {
  if (devices.empty()) throw std::invalid_argument("DeviceSlots: no device");
  for (auto& device : devices) jobs_on_.emplace_back(std::move(device), 0);
}

std::string DeviceSlots::take() {
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto least = std::min_element(jobs_on_.begin(), jobs_on_.end(), fewer);
  ++least->second;
  return least->first;
}

void DeviceSlots::give_back(const std::string& device) {
  for (auto& [name, jobs] : jobs_on_) {
    if (name != device || jobs == 0) continue;
    --jobs;
    return;
  }
  throw std::invalid_argument("DeviceSlots: nothing runs on '" + device + "'");
}

std::vector<std::string> run_fold_jobs(const std::vector<FoldJob>& list, int jobs, const std::vector<std::string>& devices,
                                       ProgressBar& bar) {
  if (jobs > 1 && list.size() > 1) return run_in_processes(list, jobs, DeviceSlots(devices), bar);
  std::vector<std::string> failures;
  for (const auto& job : list) {
    try {
      bar.record_to(job.folder / "progress.json");
      job.run();
    } catch (const Interrupted&) {
      throw;
    } catch (const std::exception& error) {
      failures.push_back(job.label + error.what());
      bar.line(job.label + "FAILED: " + error.what());
      write_failure(job.folder, error.what());
    }
    bar.record_to({});
  }
  return failures;
}

}  // namespace clmnet::tools
