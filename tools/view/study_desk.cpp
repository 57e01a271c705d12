#include "tools/view/study_desk.h"

#include <chrono>
#include <cstdio>
#include <set>
#include <stdexcept>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/view/http_guard.h"

namespace clmnet::tools::view {
namespace {

using nlohmann::json;

constexpr const char* kRoot = "/api/study/";

/// What another answer, or the time, keeps out.
struct OutOfTurn : std::runtime_error {
  using std::runtime_error::runtime_error;
};

double now_seconds() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string days_text(double days) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", days);
  return text;
}

/// What belongs to the scan alone; the rest of a summary is the program's opinion or a name.
json scan_summary(const json& summary) {
  json kept = json::object();
  for (const char* key : {"width_level0_px", "height_level0_px", "um_per_px_x", "um_per_px_y"}) kept[key] = summary.value(key, json());
  return kept;
}

/// With the maps the reader sees what the program found, still without the slide's name.
json aided_summary(json summary) {
  for (const char* key : {"file", "slide", "slide_path", "file_bytes"}) summary.erase(key);
  return summary;
}

}  // namespace

StudyDesk::StudyDesk(StudyPlan plan, ViewRun& run, Router& router)
    : plan_(std::move(plan)), run_(run), router_(router), journal_(run.folder() / ("study-" + plan_.name)) {
  for (const auto& reader : journal_.readers()) {
    for (const auto& entry : journal_.entries(reader)) {
      if (text_of(entry, "plan") == plan_.fingerprint()) continue;
      throw InputError((journal_.folder() / (reader + ".jsonl")).string() +
                       ": was begun with another seed, washout or list of slides; give that plan, or this one another 'name'");
    }
  }
  for (const auto& reader : plan_.readers) keys_.emplace_back(reader, make_token());
  journal_.make_folder();
  write_ratings();
}

const std::string* StudyDesk::reader_of(const std::string& key) const {
  const std::string* found = nullptr;
  for (const auto& [reader, own] : keys_) {
    if (same_secret(key, own)) found = &reader;
  }
  return found;
}

Reply StudyDesk::get(const Query& query) {
  const auto parts = split(query.path, '/');
  if (query.path.rfind(kRoot, 0) != 0 || parts.size() < 4) return not_found();
  const std::string* reader = reader_of(parts[3]);
  if (reader == nullptr) return error_reply(403, "no reader has this address; open the one that clmnet view printed for you");
  if (parts.size() == 4) return state(*reader);
  if (parts.size() >= 6 && parts[4] == "slides") return slide(*reader, parts, query);
  return not_found();
}

Reply StudyDesk::state(const std::string& reader) const {
  const auto at = study_place(plan_, journal_.entries(reader), now_seconds());
  json document = {{"study", plan_.name}, {"reader", reader},         {"question", plan_.question}, {"cases", plan_.cases.size()},
                   {"phase", at.phase},   {"place", at.place},        {"code", at.code()},          {"opened", at.opened},
                   {"aided", at.phase == 1}, {"not_before", nullptr}, {"washout_days", plan_.washout_days}};
  if (at.not_before) document["not_before"] = utc_text(*at.not_before);
  return json_reply(document);
}

StudyDesk::Shown StudyDesk::shown_to(const std::string& reader, const StudyPlace& at) const {
  if (at.phase > 1) return {};
  return {at.code(), study_order(plan_, reader, at.phase).at(at.place), at.phase == 1};
}

Reply StudyDesk::slide(const std::string& reader, const std::vector<std::string>& parts, const Query& query) {
  Shown shown;
  {
    const std::lock_guard lock(mutex_);
    shown = shown_[reader];
  }
  if (shown.place.empty() || parts[5] != shown.place) {
    return error_reply(403, "this case is not open; only the one whose turn it is can be seen");
  }
  if (parts.size() == 6) return details(shown);
  const std::string& what = parts[6];
  static const std::set<std::string> kOfTheScan = {"tiles"}, kOfTheProgram = {"layers", "outlines", "value", "crop.jpg"};
  if (kOfTheScan.count(what) == 0 && !(shown.aided && kOfTheProgram.count(what) > 0)) {
    return error_reply(403, shown.aided ? "not part of the study" : "this phase is read without the program's maps");
  }
  Query inner = query;
  inner.path = "/api/slides/" + shown.slide;
  for (std::size_t i = 6; i < parts.size(); ++i) inner.path += "/" + parts[i];
  return router_.get(inner);
}

Reply StudyDesk::details(const Shown& shown) {
  Query inner;
  inner.path = "/api/slides/" + shown.slide;
  auto reply = router_.get(inner);
  if (reply.status != 200) return reply;
  const auto all = json::parse(reply.body);
  json document = {{"id", shown.place},
                   {"missing", ""},
                   {"summary", shown.aided ? aided_summary(all.at("summary")) : scan_summary(all.at("summary"))},
                   {"layers", shown.aided ? all.at("layers") : json::array()},
                   {"problems", json::array()},
                   {"has_label", false}};
  for (const char* key : {"objective_power", "tile_px", "max_level"}) document[key] = all.at(key);
  return json_reply(document);
}

Reply StudyDesk::post(const Query& query, const std::string& body) {
  const auto parts = split(query.path, '/');
  if (query.path.rfind(kRoot, 0) != 0 || parts.size() != 5) return not_found();
  const std::string* reader = reader_of(parts[3]);
  if (reader == nullptr) return error_reply(403, "no reader has this address; open the one that clmnet view printed for you");
  if (parts[4] != "open" && parts[4] != "answer") return not_found();
  const auto document = json::parse(body, nullptr, false);
  if (!document.is_object() || !document.value("place", json()).is_string()) {
    return error_reply(400, "place: expected phase and place, as \"1-3\"");
  }
  if (parts[4] == "answer") {
    const auto confidence = document.value("confidence", json());
    if (!confidence.is_number_integer() || confidence.get<double>() < 0 || confidence.get<double>() > 100) {
      return error_reply(400, "confidence: expected a whole number from 0 to 100");
    }
  }
  return record(*reader, parts[4] == "open" ? "opened" : "answer", document);
}

Reply StudyDesk::record(const std::string& reader, const std::string& kind, const json& document) {
  const auto place = document.at("place").get<std::string>();
  json entry = {{"kind", kind}, {"place", place}, {"plan", plan_.fingerprint()}};
  if (kind == "answer") entry["confidence"] = document.at("confidence").get<int>();
  Shown shown;
  try {
    journal_.append(reader, entry, [&](const std::vector<json>& before, json& kept) {
      const auto at = study_place(plan_, before, now_seconds());
      if (at.phase > 1) throw OutOfTurn("the study is over for " + reader);
      if (at.not_before) {
        throw OutOfTurn("the second phase begins on " + utc_text(*at.not_before) + ", " + days_text(plan_.washout_days) + " days after the first");
      }
      if (place != at.code()) throw OutOfTurn("place: it is the turn of " + at.code() + "; what was answered stays as it is");
      if (kind == "answer" && !at.opened) throw OutOfTurn("place: the case has not been opened");
      shown = shown_to(reader, at);
      kept["case"] = shown.slide;
      kept["modality"] = kPhaseNames[at.phase];
    });
  } catch (const OutOfTurn& problem) {
    return error_reply(409, problem.what());
  } catch (const InputError& problem) {
    return error_reply(507, problem.what());
  }
  try {
    const std::lock_guard lock(mutex_);
    shown_[reader] = kind == "opened" ? shown : Shown();
    if (kind == "answer") write_ratings();
  } catch (const InputError& problem) {
    return error_reply(507, problem.what());
  }
  return state(reader);
}

void StudyDesk::write_ratings() const {
  std::map<std::string, std::vector<json>> entries;
  for (const auto& reader : journal_.readers()) entries[reader] = journal_.entries(reader);
  write_atomically(journal_.folder() / "ratings.csv", ratings_csv(plan_, entries));
}

}  // namespace clmnet::tools::view
