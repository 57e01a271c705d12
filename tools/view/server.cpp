#include "tools/view/server.h"

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tools/base/error.h"

namespace clmnet::tools::view {
namespace {

constexpr std::size_t kThreads = 256;         // one per open connection; a browser opens six, one that stalls holds one for seconds
constexpr std::size_t kRequestsPerConnection = 100000;
constexpr int kKeepAliveSeconds = 10;
constexpr int kReadSeconds = 5;
constexpr int kWriteSeconds = 20;

// Nothing from outside, no script in the page's text, no frame around it.
constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

RequestFacts facts_of(const httplib::Request& request) {
  RequestFacts facts;
  facts.method = request.method;
  facts.path = request.path;
  facts.host = request.get_header_value("Host");
  facts.host_headers = static_cast<int>(request.get_header_value_count("Host"));
  facts.origin = request.get_header_value("Origin");
  facts.fetch_site = request.get_header_value("Sec-Fetch-Site");
  facts.cookie = request.get_header_value("Cookie");
  facts.token = request.get_header_value("X-Clmnet-Token");
  if (facts.token.empty() && request.method == "GET") facts.token = request.get_param_value("token");
  return facts;
}

void send(httplib::Response& response, Reply&& reply) {
  response.status = reply.status;
  response.body = std::move(reply.body);
  response.set_header("Content-Type", reply.type);
  response.set_header("Content-Security-Policy", kContentSecurityPolicy);
  response.set_header("X-Content-Type-Options", "nosniff");
  response.set_header("X-Frame-Options", "DENY");
  response.set_header("Referrer-Policy", "no-referrer");
  response.set_header("Cross-Origin-Opener-Policy", "same-origin");
  response.set_header("Cross-Origin-Resource-Policy", "same-origin");
  response.set_header("Cache-Control", "no-store");  // pictures of patients do not stay on the viewer's disk
  for (const auto& [name, value] : reply.headers) response.set_header(name, value);
}

Query query_of(const httplib::Request& request, bool may_write) {
  Query query;
  query.path = request.path;
  query.may_write = may_write;
  for (const auto& [name, value] : request.params) query.parameters.emplace_back(name, value);
  return query;
}

std::string in_address(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

struct Server::Http {
  httplib::Server server;
};

Server::Server(ReadHandler read, ChangeHandler change, const std::string& host, int port)
    : http_(std::make_unique<Http>()), read_(std::move(read)), change_(std::move(change)) {
  auto& server = http_->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(kRequestsPerConnection);
  server.set_keep_alive_timeout(kKeepAliveSeconds);
  server.set_read_timeout(kReadSeconds);
  server.set_write_timeout(kWriteSeconds);
  server.set_payload_max_length(kLargestBody);
  policy_.host = host;
  policy_.token = make_token();
  policy_.port = port == 0 ? server.bind_to_any_port(host) : (server.bind_to_port(host, port) ? port : -1);
  if (policy_.port <= 0) {
    throw InputError(in_address(host) + ":" + std::to_string(port) +
                     ": cannot be listened on; it is taken or no address of this machine. Give another --host or --port (0: any)");
  }
  server.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
    const auto facts = facts_of(request);
    if (const auto refusal = check_request(policy_, facts)) {
      send(response, error_reply(refusal->status, refusal->message));
      return httplib::Server::HandlerResponse::Handled;
    }
    if (request.method == "POST") return httplib::Server::HandlerResponse::Unhandled;
    if (request.path == "/" && request.has_param("token")) {
      // The token moves from the address, where it could be seen and copied, into a cookie.
      Reply reply{303, "text/plain; charset=utf-8", "", {{"Location", "/"}}};
      if (has_token(policy_, facts)) {
        reply.headers.emplace_back("Set-Cookie", cookie_name(policy_) + "=" + policy_.token + "; HttpOnly; SameSite=Strict; Path=/");
      }
      send(response, std::move(reply));
    } else {
      send(response, read_(query_of(request, has_token(policy_, facts))));
    }
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Post("/api/.*", [this](const httplib::Request& request, httplib::Response& response,
                               const httplib::ContentReader& content) {
    if (request.get_header_value("Content-Type").rfind("application/json", 0) != 0) {
      send(response, error_reply(415, "expected Content-Type: application/json"));
      return;
    }
    std::string body;
    const bool whole = content([&](const char* bytes, std::size_t size) {
      if (body.size() + size > kLargestBody) return false;
      body.append(bytes, size);
      return true;
    });
    if (!whole) {
      send(response, error_reply(413, "the body is cut off or larger than 1 MiB"));
      return;
    }
    send(response, change_(query_of(request, true), body));
  });
  server.set_exception_handler([](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
    send(response, error_reply(500, "the server failed at this request"));
  });
  server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (response.body.empty() && response.status >= 400) send(response, error_reply(response.status, "the request cannot be answered"));
  });
}

Server::~Server() = default;

std::string Server::address() const {
  return "http://" + in_address(policy_.host) + ":" + std::to_string(policy_.port) + "/?token=" + policy_.token;
}

void Server::run(const std::function<bool()>& stop) {
  std::atomic<bool> ended{false};
  std::thread watcher([&] {
    while (!ended && !stop()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    http_->server.stop();
  });
  http_->server.listen_after_bind();
  ended = true;
  watcher.join();
}

}  // namespace clmnet::tools::view
