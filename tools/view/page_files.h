#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace clmnet::tools::view {

struct PageFile {
  std::string type;   ///< media type
  std::string body;
};

/// The page's own files by their address ("/", "/app.js"), read once at the start.
using PageFiles = std::map<std::string, PageFile>;

/// Throws InputError when the page or OpenSeadragon is not there; tools/setup fetches the latter.
PageFiles load_page(const std::filesystem::path& page_folder, const std::filesystem::path& openseadragon_folder);

/// Where the page lies: the variable CLMNET_PAGE, else the checkout that this program was built from.
std::filesystem::path default_page_folder();
/// Where OpenSeadragon lies: the variable CLMNET_DEPS, else .deps of the checkout.
std::filesystem::path default_openseadragon_folder();

}  // namespace clmnet::tools::view
