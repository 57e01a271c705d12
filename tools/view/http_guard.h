#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace clmnet::tools::view {

/// Who may ask for what.
struct GuardPolicy {
  std::string host;    ///< the address that the server listens on, as the user gave it
  int port = 0;
  std::string token;   ///< never empty
};

/// What of a request decides whether it is answered; header values as they came, empty where there is none.
struct RequestFacts {
  std::string method;
  std::string path;           ///< decoded
  std::string host;           ///< Host
  int host_headers = 0;       ///< how many Host lines there were
  std::string origin;         ///< Origin
  std::string fetch_site;     ///< Sec-Fetch-Site
  std::string cookie;         ///< Cookie
  std::string token;          ///< X-Clmnet-Token, or the parameter token of the address
};

struct Refusal {
  int status = 0;
  std::string message;
};

/// Compares without telling by its time how much was right; an empty secret is never right.
bool same_secret(std::string_view given, std::string_view wanted);

/// True for 127.0.0.0/8, ::1 and localhost: only this machine can reach it.
bool is_loopback(std::string_view host);

/// True when the Host header names this server: the address it listens on, or another name of the same loopback. A server on
/// all addresses is asked by any of them, so there any address in digits will do, but no name: a name may be an attacker's.
bool host_allowed(const GuardPolicy& policy, std::string_view host_header);

/// True when the request carries the token, in its header, its address or the cookie that the page was given.
bool has_token(const GuardPolicy& policy, const RequestFacts& request);

/// The cookie that remembers the token; its name holds the port, because cookies do not tell ports apart.
std::string cookie_name(const GuardPolicy& policy);

/// Empty when the request may be answered. Reading on a loopback needs no token, everything else does; a change also needs an
/// Origin that is this server's own.
std::optional<Refusal> check_request(const GuardPolicy& policy, const RequestFacts& request);

/// 128 random bits as hex. Throws std::runtime_error when the system has none.
std::string make_token();

}  // namespace clmnet::tools::view
