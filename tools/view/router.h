#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tools/view/page_files.h"
#include "tools/view/slide_tiles.h"
#include "tools/view/view_run.h"

namespace clmnet::tools::view {

/// An answer, whatever carries it.
struct Reply {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
};

/// Parts of an address.
std::vector<std::string> split(const std::string& text, char at);

/// {"error": message} under a status.
Reply error_reply(int status, const std::string& message);
Reply json_reply(const nlohmann::json& document);
Reply not_found();

struct RouterOptions {
  bool show_labels = false;   ///< --show-labels: slide labels may hold a patient's name
};

/// A question that the guard let pass.
struct Query {
  std::string path;                                             ///< decoded
  std::vector<std::pair<std::string, std::string>> parameters;  ///< decoded
  bool may_write = false;                                       ///< it carries the token

  /// The first value of that name, empty when there is none.
  std::string parameter(const std::string& name) const;
};

/// Answers what only reads. Names in an address are looked up in what the run holds; none becomes a path.
/// Any thread may call any member.
class Router {
 public:
  Router(ViewRun& run, PageFiles page, const RouterOptions& options);

  Reply get(const Query& query);

 private:
  Reply api(const std::vector<std::string>& parts, const Query& query);
  Reply slide_part(const ViewSlide& slide, const std::vector<std::string>& parts, const Query& query);
  Reply slide_list() const;
  Reply slide_details(const ViewSlide& slide);
  Reply slide_picture(const ViewSlide& slide, const std::vector<std::string>& parts, const Query& query);
  Reply layer_part(const ViewSlide& slide, const std::vector<std::string>& parts);
  Reply values(const ViewSlide& slide, const Query& query);

  ViewRun& run_;
  PageFiles page_;
  RouterOptions options_;
  SlideTiles tiles_;
};

}  // namespace clmnet::tools::view
