#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tools/view/review_journal.h"
#include "tools/view/router.h"
#include "tools/view/study_plan.h"

namespace clmnet::tools::view {

/// Answers /api/study/<key>/…: each reader has a key of their own, made at the start, and sees only the case that is their turn,
/// under its place ("1-3") and not its name; maps, outlines and numbers of the program only in the second phase. Every opening and
/// answer goes into RUN/study-<name>/<reader>.jsonl (append-only, fsync), ratings.csv beside it is written after each answer.
/// Any thread may call get and post.
class StudyDesk {
 public:
  /// Throws InputError when RUN holds a study of that name with another plan, or its folder cannot be written.
  StudyDesk(StudyPlan plan, ViewRun& run, Router& router);

  Reply get(const Query& query);
  Reply post(const Query& query, const std::string& body);

  /// Reader and key, in the plan's order.
  const std::vector<std::pair<std::string, std::string>>& keys() const { return keys_; }

 private:
  /// What a reader may see now; filled when a case is opened, emptied when it is answered.
  struct Shown {
    std::string place;
    std::string slide;
    bool aided = false;
  };

  const std::string* reader_of(const std::string& key) const;
  Reply state(const std::string& reader) const;
  Reply slide(const std::string& reader, const std::vector<std::string>& parts, const Query& query);
  Reply details(const Shown& shown);
  Reply record(const std::string& reader, const std::string& kind, const nlohmann::json& document);
  Shown shown_to(const std::string& reader, const StudyPlace& at) const;
  void write_ratings() const;

  StudyPlan plan_;
  ViewRun& run_;
  Router& router_;
  ReviewJournal journal_;
  std::vector<std::pair<std::string, std::string>> keys_;
  mutable std::mutex mutex_;              ///< of shown_ and ratings.csv
  std::map<std::string, Shown> shown_;    ///< by reader
};

}  // namespace clmnet::tools::view
