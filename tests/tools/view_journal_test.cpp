#include "tools/view/review_journal.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "tests/base/temporary_folder.h"
#include "tools/view/http_guard.h"
#include "tools/view/review.h"
#include "tools/view/study_plan.h"

namespace clmnet::tools::view {
namespace {

using nlohmann::json;

const auto kNoCheck = [](const std::vector<json>&, const json&) {};

/// A journal that holds these bytes.
std::vector<json> entries_of(const std::string& bytes) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "a.jsonl", std::ios::binary) << bytes;
  return ReviewJournal(folder.path()).entries("a");
}

TEST(UtcText, ThereAndBack) {
  for (const double seconds : {0.0, 951782400.0, 1709164799.999, 4102444800.5}) {
    EXPECT_NEAR(seconds_of_utc(utc_text(seconds)).value_or(-1), seconds, 0.0011) << utc_text(seconds);
  }
  EXPECT_EQ(utc_text(951782400), "2000-02-29T00:00:00.000Z");
  for (const char* text : {"", "2026-03-01", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00.1", "2026-13-01T12:00:00.000Z", "now", "2026-03-01T12:00:00.xyzZ"}) {
    EXPECT_FALSE(seconds_of_utc(text)) << text;
  }
}

TEST(ReviewJournal, OddLinesArePassedOver) {
  const std::string sound = "{\"seq\":1,\"kind\":\"comment\",\"slide\":\"s\",\"region\":\"\",\"text\":\"x\",\"time\":\"t\"}\n";
  for (const char* odd : {"\n", "null\n", "[]\n", "{}\n", "{\"seq\":\"1\"}\n", "{\"seq\":1.5}\n", "{\"seq\":0}\n", "{\"seq\":-4}\n",
                          "{\"seq\":9223372036854775807}\n", "{\"seq\":18446744073709551615}\n", "\xff\xfe\n", "{\"seq\":2", "[[[[[[[[[[[["}) {
    EXPECT_EQ(entries_of(sound + odd).size(), 1U) << odd;
  }
}

// What stands in a journal may have been written by any hand: folding it never throws and keeps what is sound.
TEST(ReviewState, EntriesOfWrongTypesArePassedOver) {
  const json sound = {{"seq", 1}, {"kind", "correction"}, {"slide", "s"}, {"time", "t"}, {"shape", "brush"}, {"label", "tumour"},
                      {"points", {{1, 2}, {3, 4}}}, {"radius_px", 5}};
  EXPECT_EQ(fold_review({sound}).corrections.size(), 1U);
  const std::vector<json> values = {nullptr, 3, -1.5, "", "x", json::array(), json::object(), {{1}}, {{"a", 1}}, true, 1e300};
  for (const auto& [key, ignored] : sound.items()) {
    if (key == "seq") continue;
    for (const auto& value : values) {
      json entry = sound;
      entry[key] = value;
      ReviewState state;
      ASSERT_NO_THROW(state = fold_review({entry})) << entry;
      for (const auto& correction : state.corrections) ASSERT_NO_THROW(geometry_of(correction)) << entry;
      entry.erase(key);
      ASSERT_NO_THROW(state = fold_review({entry})) << entry;
      EXPECT_TRUE(state.corrections.empty()) << entry;
    }
  }
  EXPECT_NO_THROW(fold_review({{{"seq", 2}, {"kind", "undo"}, {"target", "1"}}, {{"seq", 3}, {"kind", "undo"}}}));
}

/// Cuts, swaps, repeats and changes bytes.
std::string mutated(std::string text, std::mt19937& random) {
  for (unsigned times = 1 + random() % 6; times > 0 && !text.empty(); --times) {
    const std::size_t at = random() % text.size();
    switch (random() % 5) {
      case 0: text[at] = static_cast<char>(random()); break;
      case 1: text.erase(at, 1 + random() % 9); break;
      case 2: text.insert(at, text.substr(random() % text.size(), random() % 12)); break;
      case 3: text.resize(at); break;
      default: text.insert(at, 1, "{}[]\":,\n\0-9eE"[random() % 14]); break;
    }
  }
  return text;
}

TEST(ReviewJournal, DamagedBytesNeverThrow) {
  const std::string whole =
      "{\"kind\":\"verdict\",\"slide\":\"s\",\"region\":\"r\",\"verdict\":\"agree\",\"seq\":1,\"time\":\"2026-03-01T12:30:05.123Z\"}\n"
      "{\"kind\":\"correction\",\"slide\":\"s\",\"shape\":\"polygon\",\"label\":\"tumour\",\"points\":[[1,2],[3,4],[5,6.5]],\"seq\":2,\"time\":\"t\"}\n"
      "{\"kind\":\"opened\",\"place\":\"1-1\",\"seq\":3,\"time\":\"2026-03-01T12:30:05.123Z\"}\n"
      "{\"kind\":\"answer\",\"place\":\"1-1\",\"confidence\":40,\"case\":\"s\",\"seq\":4,\"time\":\"2026-03-01T12:31:05.123Z\"}\n"
      "{\"kind\":\"undo\",\"slide\":\"s\",\"target\":2,\"seq\":5,\"time\":\"t\"}\n";
  StudyPlan plan;
  plan.cases = {"s", "t"};
  std::mt19937 random(20260301);
  const test::TemporaryFolder folder;
  const ReviewJournal journal(folder.path());
  for (int i = 0; i < 1500; ++i) {
    const auto bytes = mutated(whole, random);
    std::ofstream(folder / "a.jsonl", std::ios::binary | std::ios::trunc) << bytes;
    std::vector<json> entries;
    ASSERT_NO_THROW(entries = journal.entries("a")) << bytes;
    ASSERT_NO_THROW({
      for (const auto& correction : fold_review(entries).corrections) geometry_of(correction);
      study_place(plan, entries, 0);
      ratings_csv(plan, {{"a", entries}});
    }) << bytes;
  }
}

TEST(ReviewJournal, GoesOnAfterAnyDamage) {
  const test::TemporaryFolder folder;
  ReviewJournal journal(folder.path());
  std::mt19937 random(7);
  std::string noise(300, ' ');
  for (auto& byte : noise) byte = static_cast<char>(random());
  std::ofstream(folder / "a.jsonl", std::ios::binary) << "{\"seq\":41,\"kind\":\"x\"}\n" << noise;
  EXPECT_EQ(journal.append("a", {{"kind", "comment"}}, kNoCheck).at("seq"), 42);
  EXPECT_EQ(journal.entries("a").back().at("kind"), "comment");
}

// The guard decides on bytes that anyone can send: only its own names, with its own port, are let through.
TEST(HttpGuard, MutatedHostsAndOriginsAreRefused) {
  const GuardPolicy policy{"127.0.0.1", 8080, std::string(32, 'a')};
  std::mt19937 random(42);
  for (int i = 0; i < 20000; ++i) {
    const auto host = mutated("127.0.0.1:8080", random);
    const RequestFacts request{"POST", "/api/review", host, 1, "http://" + mutated(host, random), "same-origin", "", policy.token};
    const auto refusal = check_request(policy, request);
    if (refusal) continue;
    const auto colon = host.rfind(':');
    ASSERT_EQ(host.substr(colon), ":8080") << host;
    ASSERT_TRUE(is_loopback(host.substr(0, colon))) << host;
    ASSERT_EQ(request.origin, "http://" + host);
  }
  for (int i = 0; i < 20000; ++i) {
    const auto cookie = mutated("x=y; clmnet_view_8080=" + policy.token, random);
    const RequestFacts request{"GET", "/", "127.0.0.1:8080", 1, "", "", cookie, mutated(policy.token, random)};
    if (request.token != policy.token && has_token(policy, request)) {
      ASSERT_NE(cookie.find("clmnet_view_8080=" + policy.token), std::string::npos) << cookie;
    }
  }
}

}  // namespace
}  // namespace clmnet::tools::view
