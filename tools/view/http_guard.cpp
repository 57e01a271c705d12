#include "tools/view/http_guard.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace clmnet::tools::view {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  });
  return result;
}

/// "name:port", "[::1]:port" or a bare name into name (without brackets) and port (80 where none stands).
bool split_host(std::string_view header, std::string& name, int& port) {
  std::string_view rest;
  if (!header.empty() && header.front() == '[') {
    const auto close = header.find(']');
    if (close == std::string_view::npos) return false;
    name = lower(header.substr(1, close - 1));
    rest = header.substr(close + 1);
  } else {
    const auto colon = header.find(':');
    name = lower(header.substr(0, colon));
    rest = colon == std::string_view::npos ? std::string_view() : header.substr(colon);
  }
  port = 80;
  if (name.empty()) return false;
  if (rest.empty()) return true;
  if (rest.front() != ':' || rest.size() < 2 || rest.size() > 6) return false;
  port = 0;
  for (const char digit : rest.substr(1)) {
    if (digit < '0' || digit > '9') return false;
    port = port * 10 + (digit - '0');
  }
  return true;
}

bool all_addresses(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

bool digits_only(std::string_view name) {
  const bool v6 = name.find(':') != std::string_view::npos;
  return !name.empty() && name.find_first_not_of(v6 ? "0123456789abcdef:." : "0123456789.") == std::string_view::npos;
}

std::string_view cookie_value(std::string_view cookies, const std::string& name) {
  while (!cookies.empty()) {
    const auto end = cookies.find(';');
    std::string_view one = cookies.substr(0, end);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    if (one.size() > name.size() && one.substr(0, name.size()) == name && one[name.size()] == '=') {
      return one.substr(name.size() + 1);
    }
    if (end == std::string_view::npos) break;
    cookies.remove_prefix(end + 1);
  }
  return {};
}

bool reads_only(std::string_view method) { return method == "GET" || method == "HEAD"; }

}  // namespace

bool same_secret(std::string_view given, std::string_view wanted) {
  if (wanted.empty() || given.size() != wanted.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(wanted[i]);
  }
  return difference == 0;
}

bool is_loopback(std::string_view host) {
  const std::string name = lower(host);
  return name == "localhost" || name == "::1" || (name.rfind("127.", 0) == 0 && digits_only(name));
}

bool host_allowed(const GuardPolicy& policy, std::string_view host_header) {
  std::string name;
  int port = 0;
  if (!split_host(host_header, name, port) || port != policy.port) return false;
  if (name == lower(policy.host)) return true;
  if (is_loopback(policy.host)) return is_loopback(name);
  return all_addresses(policy.host) && (digits_only(name) || name == "localhost");
}

std::string cookie_name(const GuardPolicy& policy) { return std::string("clmnet_view_") + std::to_string(policy.port); }

bool has_token(const GuardPolicy& policy, const RequestFacts& request) {
  return same_secret(request.token, policy.token) ||
         same_secret(cookie_value(request.cookie, cookie_name(policy)), policy.token);
}

std::optional<Refusal> check_request(const GuardPolicy& policy, const RequestFacts& request) {
  if (request.host_headers != 1) return Refusal{400, "exactly one Host header is expected"};
  if (!host_allowed(policy, request.host)) {
    return Refusal{421, "this server does not answer to that host; use the address that clmnet view printed"};
  }
  if (request.path.find('\0') != std::string::npos || request.path.find('\\') != std::string::npos) {
    return Refusal{400, "the address holds a character that no file here has"};
  }
  const bool reading = reads_only(request.method);
  if (!reading && request.method != "POST") return Refusal{405, "only GET, HEAD and POST are answered"};
  if (!has_token(policy, request) && (!reading || !is_loopback(policy.host))) {
    return Refusal{403, "the token is missing or wrong; open the address that clmnet view printed"};
  }
  if (request.fetch_site == "cross-site" && (!reading || request.path != "/")) {
    return Refusal{403, "asked for by another site"};
  }
  if (!reading && lower(request.origin) != "http://" + lower(request.host)) {
    return Refusal{403, "a change must come from this server's own page (Origin)"};
  }
  return std::nullopt;
}

std::string make_token() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("the system gives no random bytes for the token");
  }
  std::string token;
  for (const unsigned char byte : bytes) {
    token += "0123456789abcdef"[byte >> 4];
    token += "0123456789abcdef"[byte & 15];
  }
  return token;
}

}  // namespace clmnet::tools::view
