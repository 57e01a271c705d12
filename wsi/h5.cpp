#include "wsi/h5.h"

namespace clmnet::wsi {
namespace {

herr_t take_first(unsigned, const H5E_error2_t* error, void* text) {
  auto& reason = *static_cast<std::string*>(text);
  if (reason.empty() && error->desc != nullptr) reason = error->desc;
  return 0;
}

}  // namespace

std::mutex& h5_mutex() {
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
  return text.empty() ? "no reason given" : text;
}

}  // namespace clmnet::wsi
