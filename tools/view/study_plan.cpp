#include "tools/view/study_plan.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <set>

#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "tools/config_file.h"
#include "tools/view/review_journal.h"
#include "tools/view/safe_path.h"

namespace clmnet::tools::view {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr double kSecondsPerDay = 86400;
constexpr std::size_t kDigits = 16;

void check_readers(const fs::path& file, const std::vector<std::string>& readers) {
  if (readers.empty()) throw InputError(file.string() + ": 'readers' is missing; expected a list of names");
  std::set<std::string> seen;
  for (const auto& reader : readers) {
    if (!is_reader_name(reader)) {
      throw InputError(file.string() + ": reader '" + reader + "': expected a name of letters, digits, blanks, '.', '_', '-'");
    }
    if (!seen.insert(reader).second) throw InputError(file.string() + ": reader '" + reader + "' stands twice");
  }
}

/// The plan's slides, or all; each must be in the run and have its scan.
std::vector<std::string> cases_of(const fs::path& file, std::vector<std::string> named, const ViewRun& run) {
  if (named.empty()) {
    for (const auto& slide : run.slides()) named.push_back(slide.id);
  }
  std::sort(named.begin(), named.end());
  for (std::size_t i = 0; i < named.size(); ++i) {
    const ViewSlide* slide = run.find(named[i]);
    if (slide == nullptr) throw InputError(file.string() + ": slide '" + named[i] + "' is not in the run " + run.folder().string());
    if (!slide->missing.empty()) throw InputError(file.string() + ": slide '" + named[i] + "' cannot be shown: " + slide->missing);
    if (i > 0 && named[i] == named[i - 1]) throw InputError(file.string() + ": slide '" + named[i] + "' stands twice");
  }
  return named;
}

std::map<std::string, std::string> read_truth(const fs::path& file, const std::vector<std::string>& cases) {
  const auto table = CsvTable::read(file);
  const auto name = table.column("case"), truth = table.column("truth");
  std::map<std::string, std::string> result;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto& value = table.cell(row, truth);
    if (value != "0" && value != "1") throw InputError(table.where(row, truth) + ": '" + value + "', expected 0 or 1");
    if (!result.emplace(table.cell(row, name), value).second) {
      throw InputError(table.where(row, name) + ": case '" + table.cell(row, name) + "' stands twice");
    }
  }
  for (const auto& one : cases) {
    if (result.count(one) == 0) throw InputError(table.name() + ": has no row for case '" + one + "'");
  }
  return result;
}

/// Entries of the study as they came; others, of a hand that wrote into the journal, are passed over.
bool is_entry(const json& entry, const char* kind) { return text_of(entry, "kind") == kind && !text_of(entry, "place").empty(); }

std::string number_text(const json& value) { return value.is_number_integer() ? std::to_string(value.get<std::int64_t>()) : std::string(); }

}  // namespace

std::string StudyPlan::fingerprint() const {
  return sha256_of(json{name, seed, washout_days, cases}.dump()).substr(0, kDigits);
}

StudyPlan read_study_plan(const fs::path& file, const ViewRun& run) {
  ConfigFile config(file);
  StudyPlan plan;
  std::string truth;
  std::vector<std::string> slides;
  plan.name = file.stem().string();
  config.take("name", plan.name);
  config.take("seed", plan.seed, 0, 2147483647);
  config.take("washout_days", plan.washout_days, 0, 3650);
  config.take("question", plan.question);
  config.take("readers", plan.readers);
  config.take("slides", slides);
  config.take("truth", truth);
  config.finish();
  if (!is_reader_name(plan.name)) throw InputError(file.string() + ": 'name' is '" + plan.name + "', expected a plain file name");
  check_readers(file, plan.readers);
  plan.cases = cases_of(file, std::move(slides), run);
  if (!truth.empty()) plan.truth = read_truth(fs::path(truth).is_absolute() ? fs::path(truth) : file.parent_path() / truth, plan.cases);
  return plan;
}

std::vector<std::string> study_order(const StudyPlan& plan, const std::string& reader, int phase) {
  const auto digest = sha256_of(std::to_string(plan.seed) + "|" + reader + "|" + std::to_string(phase));
  std::mt19937_64 random(std::stoull(digest.substr(0, kDigits), nullptr, 16));
  auto order = plan.cases;
  for (std::size_t i = order.size(); i > 1; --i) {
    // Values beyond the last whole multiple of i would favour some places; they are drawn again.
    const std::uint64_t last = UINT64_MAX - UINT64_MAX % i;
    std::uint64_t drawn = random();
    while (drawn >= last) drawn = random();
    std::swap(order[i - 1], order[drawn % i]);
  }
  return order;
}

StudyPlace study_place(const StudyPlan& plan, const std::vector<json>& entries, double now) {
  StudyPlace at;
  double last_answer = 0;
  for (const auto& entry : entries) {
    const bool here = at.phase < 2 && text_of(entry, "place") == at.code();
    if (!here) continue;
    if (is_entry(entry, "opened")) at.opened = true;
    if (!is_entry(entry, "answer")) continue;
    last_answer = seconds_of_utc(text_of(entry, "time")).value_or(last_answer);
    at.opened = false;
    if (++at.place < plan.cases.size()) continue;
    at.place = 0;
    ++at.phase;
  }
  const double begins = last_answer + plan.washout_days * kSecondsPerDay;
  if (at.phase == 1 && at.place == 0 && !at.opened && now < begins) at.not_before = begins;
  return at;
}

std::string ratings_csv(const StudyPlan& plan, const std::map<std::string, std::vector<json>>& entries_by_reader) {
  std::string text = "reader,case,modality,truth,rating,seconds,openings,place,answered\n";
  for (const auto& [reader, entries] : entries_by_reader) {
    std::map<std::string, int> openings;
    std::map<std::string, double> opened;
    for (const auto& entry : entries) {
      const auto place = text_of(entry, "place"), time = text_of(entry, "time");
      const double seconds = seconds_of_utc(time).value_or(0);
      if (is_entry(entry, "opened")) {
        ++openings[place];
        opened[place] = seconds;
      }
      if (!is_entry(entry, "answer")) continue;
      const auto one = text_of(entry, "case");
      const auto truth = plan.truth.find(one);
      char took[32];
      std::snprintf(took, sizeof took, "%.1f", seconds - opened[place]);
      text += csv_field(reader) + "," + csv_field(one) + "," + text_of(entry, "modality") + "," +
              (truth == plan.truth.end() ? "" : truth->second) + "," + number_text(entry.value("confidence", json())) + "," + took + "," +
              std::to_string(openings[place]) + "," + place + "," + time + "\n";
    }
  }
  return text;
}

}  // namespace clmnet::tools::view
