#include "tools/view/http_guard.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace clmnet::tools::view {
namespace {

const std::string kToken = "0123456789abcdef0123456789abcdef";

GuardPolicy on(const std::string& host) { return {host, 8080, kToken}; }

RequestFacts reading(const std::string& host) { return {"GET", "/", host, 1, "", "", "", ""}; }

int status(const GuardPolicy& policy, const RequestFacts& request) {
  const auto refusal = check_request(policy, request);
  return refusal ? refusal->status : 200;
}

TEST(HttpGuard, Loopback) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "localhost", "LocalHost", "::1"}) EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "128.0.0.1", "127.example.org", "localhost.example.org", "", "10.0.0.1", "127.0.0.1.evil"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

TEST(HttpGuard, HostNamesThisServerWithItsPort) {
  for (const char* host : {"127.0.0.1:8080", "localhost:8080", "[::1]:8080"}) EXPECT_TRUE(host_allowed(on("127.0.0.1"), host)) << host;
  for (const char* host : {"127.0.0.1", "127.0.0.1:80", "127.0.0.1:8081", "127.0.0.1:808", "127.0.0.1:", "127.0.0.1:8080x", "127.0.0.1:+8080",
                           "127.0.0.1:008080", "[::1", "[]:8080", "", ":8080", "evil.example:8080", "10.0.0.5:8080"}) {
    EXPECT_FALSE(host_allowed(on("127.0.0.1"), host)) << host;
  }
}

TEST(HttpGuard, ServerOnANamedAddressAnswersToThatOne) {
  EXPECT_TRUE(host_allowed(on("10.0.0.5"), "10.0.0.5:8080"));
  EXPECT_TRUE(host_allowed(on("Lab.example"), "lab.EXAMPLE:8080"));
  EXPECT_FALSE(host_allowed(on("10.0.0.5"), "127.0.0.1:8080"));
  EXPECT_FALSE(host_allowed(on("10.0.0.5"), "10.0.0.6:8080"));
}

// A name that an attacker owns can be made to point at any address (DNS rebinding); digits cannot.
TEST(HttpGuard, ServerOnAllAddressesAnswersToDigitsOnly) {
  for (const char* host : {"10.0.0.5:8080", "[fe80::1]:8080", "localhost:8080"}) EXPECT_TRUE(host_allowed(on("0.0.0.0"), host)) << host;
  for (const char* host : {"evil.example:8080", "10.0.0.5.evil:8080", "cafe:8080", "[evil]:8080"}) {
    EXPECT_FALSE(host_allowed(on("0.0.0.0"), host)) << host;
  }
}

TEST(HttpGuard, ReadingOnALoopbackNeedsNoToken) {
  EXPECT_EQ(status(on("127.0.0.1"), reading("127.0.0.1:8080")), 200);
  EXPECT_EQ(status(on("10.0.0.5"), reading("10.0.0.5:8080")), 403);
  auto request = reading("10.0.0.5:8080");
  request.token = kToken;
  EXPECT_EQ(status(on("10.0.0.5"), request), 200);
}

TEST(HttpGuard, TokenInTheCookieOfThisPort) {
  auto request = reading("10.0.0.5:8080");
  for (const auto& cookie : {"clmnet_view_8080=" + kToken, "a=b; clmnet_view_8080=" + kToken + "; c=d"}) {
    request.cookie = cookie;
    EXPECT_EQ(status(on("10.0.0.5"), request), 200) << cookie;
  }
  for (const std::string& cookie : std::vector<std::string>{
           "clmnet_view_8081=" + kToken, "xclmnet_view_8080=" + kToken, "clmnet_view_8080=", "clmnet_view_8080=" + kToken + "0",
           "clmnet_view_8080" + kToken, ";;;"}) {
    request.cookie = cookie;
    EXPECT_EQ(status(on("10.0.0.5"), request), 403) << cookie;
  }
}

TEST(HttpGuard, EmptyTokenNeverCounts) {
  auto policy = on("10.0.0.5");
  policy.token.clear();
  EXPECT_EQ(status(policy, reading("10.0.0.5:8080")), 403);
}

TEST(HttpGuard, ChangeNeedsTokenAndOwnOrigin) {
  RequestFacts change{"POST", "/api/review", "127.0.0.1:8080", 1, "http://127.0.0.1:8080", "same-origin", "", kToken};
  EXPECT_EQ(status(on("127.0.0.1"), change), 200);
  for (const char* origin : {"", "null", "http://127.0.0.1", "https://127.0.0.1:8080", "http://localhost:8080", "http://127.0.0.1:8080.evil"}) {
    auto other = change;
    other.origin = origin;
    EXPECT_EQ(status(on("127.0.0.1"), other), 403) << origin;
  }
  change.token.clear();
  EXPECT_EQ(status(on("127.0.0.1"), change), 403);
}

TEST(HttpGuard, OddRequests) {
  auto request = reading("127.0.0.1:8080");
  request.host_headers = 2;
  EXPECT_EQ(status(on("127.0.0.1"), request), 400);
  request = reading("127.0.0.1:8080");
  request.path = std::string("/app.js\0.png", 12);
  EXPECT_EQ(status(on("127.0.0.1"), request), 400);
  request.path = "/..\\secret";
  EXPECT_EQ(status(on("127.0.0.1"), request), 400);
  for (const char* method : {"PUT", "DELETE", "TRACE", "get", ""}) {
    request = reading("127.0.0.1:8080");
    request.method = method;
    EXPECT_EQ(status(on("127.0.0.1"), request), 405) << method;
  }
}

TEST(HttpGuard, TokensAreLongAndDiffer) {
  const auto token = make_token();
  EXPECT_EQ(token.size(), 32U);
  EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(token, make_token());
}

}  // namespace
}  // namespace clmnet::tools::view
