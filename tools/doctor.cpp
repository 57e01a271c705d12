#include "tools/doctor.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include <Eigen/Core>
#include <boost/version.hpp>
#include <tbb/version.h>

#ifdef CLMNET_HAS_WSI
#include <H5public.h>
#include <jpeglib.h>
#include <lcms2.h>
#include <opencv2/core.hpp>
#include <openslide/openslide.h>
#include <tiffio.h>

#include "tools/base/error.h"
#include "wsi/picture_file.h"
#endif

#include "tools/base/cores.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
namespace {

Finding library(const std::string& name, const std::string& version) { return {"libraries", name, version, true, true, ""}; }

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// "4.5.0" from TIFFGetVersion's "LIBTIFF, Version 4.5.0\nCopyright …".
[[maybe_unused]] std::string last_word(const std::string& text) { return text.substr(text.find_last_of(' ') + 1); }

/// The value of "key : value" in a file of /proc, empty without it.
std::string proc_value(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const auto value = line.find_first_not_of(" \t:", key.size());
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

#ifdef CLMNET_HAS_WSI
/// libvips, whose part also holds the picture files.
Finding look_at_picture_part() {
  try {
    return library("libvips", wsi::libvips_version());
  } catch (const InputError& error) {
    return {"libraries", "libvips", error.what(), false, true, "run tools/setup, which installs libvips and OpenCV, then build clmnet anew"};
  }
}
#endif

std::string instruction_sets() {
#if defined(__x86_64__)
  std::string text;
  const auto add = [&text](bool has, const char* name) { text += has ? (text.empty() ? "" : ", ") + std::string(name) : ""; };
  add(__builtin_cpu_supports("sse4.2"), "SSE4.2");
  add(__builtin_cpu_supports("avx"), "AVX");
  add(__builtin_cpu_supports("avx2"), "AVX2");
  add(__builtin_cpu_supports("fma"), "FMA");
  add(__builtin_cpu_supports("avx512f"), "AVX-512");
  return text;
#else
  return "not x86-64";
#endif
}

/// Where a program lies in PATH, empty without it; names that a shell would take apart are passed over.
fs::path find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path program = fs::path(folder.empty() ? "." : folder) / name;
    std::error_code ignored;
    if (program.string().find_first_of(" '\"\\$`;&|<>()*?") != std::string::npos) continue;
    if (fs::is_regular_file(program, ignored) && ::access(program.c_str(), X_OK) == 0) return program;
  }
  return {};
}

std::string output_of(const std::string& command) {
  std::string text;
  if (FILE* pipe = ::popen(command.c_str(), "r")) {
    char block[256];
    while (std::fgets(block, sizeof block, pipe)) text += block;
    ::pclose(pipe);
  }
  return text;
}

}  // namespace

std::vector<Finding> look_at_libraries() {
  std::vector<Finding> findings;
  findings.push_back(library("clmnet", CLMNET_VERSION));
#ifdef CLMNET_HAS_WSI
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  findings.push_back(library("OpenSlide", openslide_get_version()));
  findings.push_back(library("libtiff", last_word(first_line(TIFFGetVersion()))));
  // libjpeg-turbo 2 cannot be asked at run time.
#define CLMNET_TEXT(x) #x
#define CLMNET_TEXT_OF(x) CLMNET_TEXT(x)
  findings.push_back(library("libjpeg-turbo", CLMNET_TEXT_OF(LIBJPEG_TURBO_VERSION)));
  findings.push_back(library("OpenCV", cv::getVersionString()));
  findings.push_back(library("HDF5", std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release)));
  findings.push_back(look_at_picture_part());
  findings.push_back(library("LittleCMS", std::to_string(cmsGetEncodedCMMversion() / 1000.0).substr(0, 4)));
#else
  findings.push_back({"libraries", "slides", "this build has no slide libraries", false, true, "configure with -DCLMNET_WITH_WSI=ON"});
#endif
  findings.push_back(library("TBB", TBB_runtime_version()));
  findings.push_back(library("Eigen", std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
                                          std::to_string(EIGEN_MINOR_VERSION)));
  findings.push_back(library("Boost", std::to_string(BOOST_VERSION / 100000) + "." + std::to_string(BOOST_VERSION / 100 % 1000) +
                                          "." + std::to_string(BOOST_VERSION % 100)));
  return findings;
}

std::vector<Finding> look_at_processor() {
  std::vector<Finding> findings;
  const unsigned threads = std::thread::hardware_concurrency();
  const std::string model = proc_value("/proc/cpuinfo", "model name");
  const unsigned usable = static_cast<unsigned>(usable_cores());
  const std::string limit = usable < threads ? ", of which affinity and cgroup leave " + std::to_string(usable) : "";
  findings.push_back({"devices", "CPU", (model.empty() ? "unknown model" : model) + ", " + std::to_string(threads) + " threads" + limit,
                      true, true, ""});
#ifdef __AVX2__
  const std::string built_for = "AVX2 and FMA";
#else
  const std::string built_for = "the baseline";
#endif
  findings.push_back({"devices", "instructions", instruction_sets() + "; our code is built for " + built_for, true, true, ""});
  const long available_mib = std::atol(proc_value("/proc/meminfo", "MemAvailable").c_str()) / 1024;
  constexpr long kWantedMib = 3072;  // what analyze may take at most
  findings.push_back({"devices", "memory", std::to_string(available_mib) + " MiB available", available_mib >= kWantedMib, false,
                      "analyze may take up to " + std::to_string(kWantedMib) + " MiB; end other programs or give a smaller --batch"});
  return findings;
}

Finding look_at_gnuplot() {
  const fs::path program = find_program("gnuplot");
  if (program.empty()) {
    return {"programs", "gnuplot", "not in PATH", false, true, "tools/setup installs it (package gnuplot-nox); it draws the figures"};
  }
  const std::string version = first_line(output_of(program.string() + " --version 2>/dev/null"));
  if (version.empty()) return {"programs", "gnuplot", program.string() + " does not run", false, true, "install gnuplot-nox again"};
  return {"programs", "gnuplot", version + " (" + program.string() + ")", true, true, ""};
}

Finding look_at_data() {
  const char* named = std::getenv("CLMNET_DATA");
  const fs::path folder = named && *named ? fs::path(named) : fs::path(CLMNET_SOURCE_DIR) / ".." / "shared" / "data";
  const std::string from = named && *named ? "CLMNET_DATA" : "default, CLMNET_DATA is not set";
  const std::string shown = folder.lexically_normal().string() + " (" + from + ")";
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return {"data", "folder", shown + ": no such folder", false, false,
            "tests on real data are skipped without it; fetch data with tools/fetch-data and set CLMNET_DATA"};
  }
  std::string parts;
  for (const char* part : {"slides", "clinical", "ebhi.csv", "crc_tiles.csv"}) {
    if (fs::exists(folder / part, ignored)) parts += (parts.empty() ? "" : ", ") + std::string(part);
  }
  if (parts.empty()) {
    return {"data", "folder", shown + ": holds none of slides/, clinical/, ebhi.csv, crc_tiles.csv", false, false,
            "tests on real data are skipped without them; set CLMNET_DATA to the folder that holds them"};
  }
  return {"data", "folder", shown + ": " + parts, true, false, ""};
}

bool all_well(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    if (finding.needed && !finding.ok) return false;
  }
  return true;
}

nlohmann::json to_json(const std::vector<Finding>& findings) {
  nlohmann::json document = {{"ok", all_well(findings)}};
  for (const Finding& finding : findings) {
    nlohmann::json entry = {{"found", finding.found}, {"ok", finding.ok}, {"needed", finding.needed}};
    if (!finding.ok) entry["advice"] = finding.advice;
    document[finding.group][finding.name] = std::move(entry);
  }
  return document;
}

std::string to_text(const std::vector<Finding>& findings) {
  std::string text, group;
  for (const Finding& finding : findings) {
    if (finding.group != group) text += (group.empty() ? "" : "\n") + finding.group + "\n";
    group = finding.group;
    char name[32];
    std::snprintf(name, sizeof name, "%-14s", finding.name.c_str());
    text += std::string(finding.ok ? "  ok       " : finding.needed ? "  MISSING  " : "  none     ") + name + " " + finding.found + "\n";
    if (!finding.ok) text += std::string(26, ' ') + "-> " + finding.advice + "\n";
  }
  return text;
}

}  // namespace clmnet::tools
