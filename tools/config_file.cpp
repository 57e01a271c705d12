#include "tools/config_file.h"

#include <cmath>
#include <set>
#include <sstream>

#include <CLI/CLI.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

/// The keys of `key`'s section; the sections, and the keys outside of them, where it has none.
std::string known_near(const std::map<std::string, bool>& known_keys, const std::string& key) {
  const auto section_of = [](const std::string& name) { return name.substr(0, name.rfind('.') + 1); };
  std::set<std::string> near, all;
  for (const auto& [name, known] : known_keys) {
    const std::string section = section_of(name);
    if (section == section_of(key)) near.insert(name);
    all.insert(section.empty() ? name : "[" + section.substr(0, section.size() - 1) + "]");
  }
  std::string text;
  for (const auto& name : near.empty() ? all : near) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

ConfigFile::ConfigFile(const std::filesystem::path& file) : name_(file.string()) {
  std::istringstream text(read_whole_file(file));
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(text);
  } catch (const CLI::Error& error) {
    throw InputError(name_ + ": not TOML: " + error.what());
  }
  for (const auto& item : items) {
    if (item.name == "++" || item.name == "--") continue;  // CLI11's marks for the beginning and end of a section
    if (!values_.emplace(item.fullname(), item.inputs).second) {
      throw InputError(name_ + ": the key '" + item.fullname() + "' stands twice");
    }
  }
}

std::vector<std::string>* ConfigFile::find(const std::string& key) {
  known_[key] = true;
  const auto it = values_.find(key);
  return it == values_.end() ? nullptr : &it->second;
}

void ConfigFile::fail(const std::string& key, const std::string& expected) const {
  std::string found;
  for (const auto& text : values_.at(key)) found += (found.empty() ? "" : ", ") + text;
  throw InputError(name_ + ": '" + key + "' is '" + found + "', expected " + expected);
}

void ConfigFile::take(const std::string& key, double& value, double low, double high) {
  const auto* found = find(key);
  if (!found) return;
  std::ostringstream expected;
  expected << "a number from " << low << " to " << high;
  const auto number = found->size() == 1 ? parse_number(found->front()) : std::nullopt;
  if (!number || *number < low || *number > high) fail(key, expected.str());
  value = *number;
}

void ConfigFile::take(const std::string& key, int& value, int low, int high) {
  double number = value;
  take(key, number, low, high);
  if (number != static_cast<int>(number)) fail(key, "a whole number");
  value = static_cast<int>(number);
}

void ConfigFile::take(const std::string& key, bool& value) {
  const auto* found = find(key);
  if (!found) return;
  if (found->size() != 1 || (found->front() != "true" && found->front() != "false")) fail(key, "true or false");
  value = found->front() == "true";
}

void ConfigFile::take(const std::string& key, std::string& value) {
  const auto* found = find(key);
  if (!found) return;
  if (found->size() != 1) fail(key, "one text");
  value = found->front();
}

void ConfigFile::take(const std::string& key, std::vector<std::string>& values) {
  if (const auto* found = find(key)) values = *found;
}

void ConfigFile::take(const std::string& key, std::vector<std::int64_t>& values, std::int64_t low, std::int64_t high) {
  const auto* found = find(key);
  if (!found) return;
  const std::string expected = "a list of whole numbers from " + std::to_string(low) + " to " + std::to_string(high);
  std::vector<std::int64_t> numbers;
  for (const auto& text : *found) {
    const auto number = parse_number(text);
    if (!number || *number != std::floor(*number) || *number < static_cast<double>(low) || *number > static_cast<double>(high)) fail(key, expected);
    numbers.push_back(static_cast<std::int64_t>(*number));
  }
  if (numbers.empty()) fail(key, expected);
  values = std::move(numbers);
}

void ConfigFile::finish() const {
  for (const auto& [key, value] : values_) {
    if (known_.contains(key)) continue;
    throw InputError(name_ + ": unknown key '" + key + "'; there are: " + known_near(known_, key));
  }
}

}  // namespace clmnet::tools
