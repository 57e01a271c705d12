#include "tools/view/page_files.h"

#include <cstdlib>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools::view {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::string>& media_types() {
  static const std::map<std::string, std::string> types = {{".html", "text/html; charset=utf-8"},
                                                           {".css", "text/css; charset=utf-8"},
                                                           {".js", "text/javascript; charset=utf-8"},
                                                           {".svg", "image/svg+xml"}};
  return types;
}

fs::path from_variable(const char* name, const fs::path& otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? fs::path(value) : otherwise;
}

}  // namespace

PageFiles load_page(const fs::path& page_folder, const fs::path& openseadragon_folder) {
  PageFiles page;
  std::error_code error;
  for (fs::directory_iterator entry(page_folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto type = media_types().find(entry->path().extension().string());
    if (type == media_types().end() || !entry->is_regular_file()) continue;
    page["/" + entry->path().filename().string()] = {type->second, read_whole_file(entry->path())};
  }
  if (page.count("/index.html") == 0) {
    throw InputError(page_folder.string() + ": the page of the viewer is not there; run clmnet from its checkout or set CLMNET_PAGE");
  }
  page["/"] = page["/index.html"];
  const fs::path script = openseadragon_folder / "openseadragon.min.js";
  if (!fs::exists(script, error)) throw InputError(script.string() + ": OpenSeadragon is not there; run tools/setup");
  page["/openseadragon.min.js"] = {media_types().at(".js"), read_whole_file(script)};
  return page;
}

fs::path default_page_folder() {
  return from_variable("CLMNET_PAGE", fs::path(CLMNET_SOURCE_DIR) / "tools" / "view" / "page");
}

fs::path default_openseadragon_folder() {
  return from_variable("CLMNET_DEPS", fs::path(CLMNET_SOURCE_DIR) / ".deps") / "openseadragon";
}

}  // namespace clmnet::tools::view
