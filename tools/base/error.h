#pragma once

#include <stdexcept>
#include <string>

namespace clmnet {

/// A mistake in what the user gave: a file, a value, a column. The command prints the message and ends with status 1.
/// The message says where, what was found, what was expected and what to do:
///   "case_017.svs: pixel size unknown (no openslide.mpp-x); give --mpp if you know it"
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The user stopped the run (Ctrl-C) or the system asked it to end; what is on disk is whole. Status 130.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace clmnet
