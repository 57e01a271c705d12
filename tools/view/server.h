#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tools/view/http_guard.h"
#include "tools/view/router.h"

namespace clmnet::tools::view {

/// Answers what only reads.
using ReadHandler = std::function<Reply(const Query& query)>;
/// Answers a change: address and body (JSON); that it may be made is settled before.
using ChangeHandler = std::function<Reply(const Query& query, const std::string& body)>;

/// HTTP around two handlers, which many threads call at once: guard, limits, headers. One object, one address.
class Server {
 public:
  static constexpr std::size_t kLargestBody = std::size_t{1} << 20;

  /// Binds the address; `port` 0 takes a free one. Throws InputError when the address cannot be had.
  Server(ReadHandler read, ChangeHandler change, const std::string& host, int port);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const GuardPolicy& policy() const { return policy_; }
  /// The address to open, with the token.
  std::string address() const;
  /// Answers until `stop` is true, which is looked at a few times a second.
  void run(const std::function<bool()>& stop);

 private:
  struct Http;
  std::unique_ptr<Http> http_;
  ReadHandler read_;
  ChangeHandler change_;
  GuardPolicy policy_;
};

}  // namespace clmnet::tools::view
