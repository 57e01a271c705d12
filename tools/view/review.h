#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/view/review_journal.h"
#include "tools/view/router.h"
#include "tools/view/view_run.h"

namespace clmnet::tools::view {

/// What is left of a reader's entries when undone ones are gone and a later verdict has replaced an earlier one.
struct ReviewState {
  std::map<std::pair<std::string, std::string>, nlohmann::json> verdicts;  ///< by slide and region; region "" is the whole slide
  std::vector<nlohmann::json> corrections;
  std::vector<nlohmann::json> comments;
};
/// Entries that are not as checked_entry makes them (a journal can be edited by hand) are passed over.
ReviewState fold_review(const std::vector<nlohmann::json>& entries);

/// An entry as the page sends it, checked: kind, slide, and what belongs to the kind, nothing else.
/// Throws InputError that names the field that is wrong.
nlohmann::json checked_entry(const nlohmann::json& entry, const ViewRun& run);

/// A correction as GeoJSON geometry in level-0 px; points of a brush stroke are widened to the polygon that it painted.
/// Null where the stroke is too long to be outlined.
nlohmann::json geometry_of(const nlohmann::json& correction);

/// QuPath's GeoJSON of a reader's corrections on a slide, and of the program's regions that the reader judged.
nlohmann::json review_geojson(const ReviewState& state, const ViewSlide& slide, const nlohmann::json& outlines, const std::string& reader);

/// The state as the page wants it.
nlohmann::json state_json(const ReviewState& state, const ViewRun& run, const std::string& slide);

/// Answers /api/review: reading, adding one entry, and writing RUN/review/training-<reader>.
class ReviewDesk {
 public:
  explicit ReviewDesk(ViewRun& run);

  Reply get(const Query& query) const;
  Reply post(const Query& query, const std::string& body);

 private:
  Reply agreement(const std::string& what) const;
  Reply geojson(const std::string& reader, const std::string& slide) const;
  Reply training(const nlohmann::json& document) const;

  ViewRun& run_;
  ReviewJournal journal_;
};

}  // namespace clmnet::tools::view
