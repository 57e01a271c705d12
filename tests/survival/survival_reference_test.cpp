// Runs every reference case of a folder through the public API and compares with its expected values.
//   survival_reference_test [--write OUT] [FOLDER [CASE...]]
// FOLDER (default: CLMNET_REFERENCE, else ../shared/ref beside the source) holds cases/ and data/, or has them in stats/.
// --write leaves what came out as OUT/<id>.json, for the reference's own check.py.
// Exit status: 0 all hold, 1 a miss, a key that is not produced, or an unknown method, 77 no such folder (skipped).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/survival/reference_handlers.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace fs = std::filesystem;
using namespace clmnet;
using namespace clmnet::survival::reference;

namespace {

constexpr int kSkipped = 77;
constexpr std::size_t kShownMisses = 20;

struct Arguments {
  fs::path folder, out;
  std::vector<std::string> cases;
};

Arguments read_arguments(int argc, char** argv) {
  Arguments arguments;
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() > 1 && words[0] == "--write") {
    arguments.out = words[1];
    words.erase(words.begin(), words.begin() + 2);
  }
  if (!words.empty()) {
    arguments.folder = words[0];
    arguments.cases.assign(words.begin() + 1, words.end());
  }
  return arguments;
}

fs::path reference_folder(const Arguments& arguments) {
  if (!arguments.folder.empty()) return arguments.folder;
  if (const char* folder = std::getenv("CLMNET_REFERENCE"); folder != nullptr && *folder != '\0') return folder;
  return fs::path(CLMNET_SOURCE_DIR).parent_path() / "shared" / "ref";
}

/// Prints the line of one case; true when it holds.
bool run_case(const fs::path& root, const fs::path& file, const fs::path& out) {
  std::string id = file.stem().string();
  try {
    const auto document = nlohmann::json::parse(read_whole_file(file));
    id = document.value("id", id);
    const auto method = document.at("method").get<std::string>();
    const Handler handler = find_handler(method);
    if (handler == nullptr) throw InputError("unknown method '" + method + "'");
    const Case test{id, method, document.value("columns", nlohmann::json::object()),
                    document.value("settings", nlohmann::json::object()), root,
                    CsvTable::read(root / document.at("dataset").get<std::string>()), only_stated(document.at("expected"))};
    const nlohmann::json found = handler(test);
    if (!out.empty()) write_atomically(out / (id + ".json"), nlohmann::json{{"expected", found}}.dump() + "\n");
    const Comparison result = compare(document.at("expected"), found, document.value("tolerance", nlohmann::json::object()));
    std::printf("%s compared %zu %.3g%s\n", id.c_str(), result.compared, result.worst_relative_error,
                result.misses.empty() ? "" : (" MISSED " + std::to_string(result.misses.size())).c_str());
    for (std::size_t i = 0; i < std::min(result.misses.size(), kShownMisses); ++i) {
      std::printf("  %s\n", result.misses[i].c_str());
    }
    return result.misses.empty();
  } catch (const std::exception& error) {
    std::printf("%s compared 0 FAILED: %s\n", id.c_str(), error.what());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = read_arguments(argc, argv);
  fs::path root = reference_folder(arguments);
  if (!fs::is_directory(root / "cases")) root /= "stats";
  if (!fs::is_directory(root / "cases")) {
    std::printf("skipped: no reference cases in '%s'; name their folder with CLMNET_REFERENCE\n", root.parent_path().c_str());
    return kSkipped;
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(root / "cases")) {
    if (entry.path().extension() != ".json") continue;
    const auto& cases = arguments.cases;
    const bool asked = cases.empty() || std::find(cases.begin(), cases.end(), entry.path().stem().string()) != cases.end();
    if (asked) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::size_t failed = 0;
  for (const auto& file : files) {
    failed += run_case(root, file, arguments.out) ? 0 : 1;
    std::fflush(stdout);
  }
  std::printf("%zu cases, %zu failed\n", files.size(), failed);
  return failed == 0 && !files.empty() ? 0 : 1;
}
