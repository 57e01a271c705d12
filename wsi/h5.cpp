#include "wsi/h5.h"

#include <string_view>

namespace clmnet::wsi {
namespace {

herr_t take_first(unsigned, const H5E_error2_t* error, void* text) {
  auto& reason = *static_cast<std::string*>(text);
  if (reason.empty() && error->desc != nullptr) reason = error->desc;
  return 0;
}

}  // namespace

std::mutex& h5_mutex() {
  // At its end HDF5 would close what is still open, and crashes over a file that a full disk kept from being closed.
  [[maybe_unused]] static const herr_t no_end = H5dont_atexit();
  static std::mutex mutex;
  return mutex;
}

H5Quiet::H5Quiet() {
  H5Eget_auto2(H5E_DEFAULT, &handler_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

H5Quiet::~H5Quiet() { H5Eset_auto2(H5E_DEFAULT, handler_, data_); }

std::string H5Quiet::reason() const {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &text);
  // Of what the system refused HDF5 also tells time, descriptor and addresses; the system's reason says all.
  constexpr std::string_view kSystem = "error message = '";
  if (const auto at = text.find(kSystem); at != std::string::npos) {
    const auto from = at + kSystem.size();
    return text.substr(from, text.find('\'', from) - from);
  }
  return text.empty() ? "no reason given" : text;
}

}  // namespace clmnet::wsi
