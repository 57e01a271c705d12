#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/view/view_run.h"

namespace clmnet::tools::view {

/// A reader study: every reader reads every case twice, first without and, after a washout, with the program's maps.
struct StudyPlan {
  std::string name;                          ///< plain file name; the journals lie in RUN/study-<name>
  int seed = 0;
  double washout_days = 28;                  ///< from a reader's last answer of the first phase to the second phase
  std::string question = "How sure are you that this slide shows carcinoma?";
  std::vector<std::string> readers;
  std::vector<std::string> cases;            ///< ids of slides, sorted
  std::map<std::string, std::string> truth;  ///< "0" or "1" by case; empty where the plan names no file

  /// What must not change while a study runs: name, seed, washout and cases. Readers may be added. 16 hex digits.
  std::string fingerprint() const;
};

/// Reads PLAN.toml. Throws InputError that names the key, the reader, the slide or the line of the truth file that is wrong.
StudyPlan read_study_plan(const std::filesystem::path& file, const ViewRun& run);

/// "unaided" and "aided", as the ratings call them.
inline constexpr const char* kPhaseNames[] = {"unaided", "aided"};

/// The order of the cases for one reader in one phase (0 or 1): a Fisher-Yates shuffle of the sorted cases by a 64-bit Mersenne
/// twister, seeded with the first 16 hex digits of SHA-256("<seed>|<reader>|<phase>"), so that anyone can work it out again.
std::vector<std::string> study_order(const StudyPlan& plan, const std::string& reader, int phase);

/// Where a reader stands.
struct StudyPlace {
  int phase = 0;                        ///< 0, 1; 2 when all is answered
  std::size_t place = 0;                ///< in the phase's order, from 0
  bool opened = false;                  ///< the case has been shown
  std::optional<double> not_before;     ///< UTC seconds since 1970: the second phase has not begun yet

  /// "2-7": phase and place from 1, as addresses and entries have it.
  std::string code() const { return std::to_string(phase + 1) + "-" + std::to_string(place + 1); }
};

/// From a reader's journal; entries are those of kind "opened" and "answer". now: UTC seconds since 1970.
StudyPlace study_place(const StudyPlan& plan, const std::vector<nlohmann::json>& entries, double now);

/// ratings.csv as clmnet stats readers reads it: reader, case, modality, truth, rating, then seconds (from the case's last opening
/// to its answer), openings, place and answered (UTC). One row per answer.
std::string ratings_csv(const StudyPlan& plan, const std::map<std::string, std::vector<nlohmann::json>>& entries_by_reader);

}  // namespace clmnet::tools::view
