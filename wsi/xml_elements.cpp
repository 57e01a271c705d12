#include "wsi/xml_elements.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "tools/base/error.h"

namespace clmnet::wsi {
namespace {

constexpr std::size_t kMostLevels = 64;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' ||
         c == ':' || static_cast<unsigned char>(c) >= 128;
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 63));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 63));
    put(0x80 | (code & 63));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 63));
    put(0x80 | ((code >> 6) & 63));
    put(0x80 | (code & 63));
  }
}

class XmlReader {
 public:
  XmlReader(std::string_view text, const std::string& where, const XmlVisitor& visitor)
      : text_(text), where_(where), visitor_(visitor) {}

  void run() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    bool any = false;
    while (next_markup()) {
      if (starts("<?")) {
        skip_past("?>", "a processing instruction");
      } else if (starts("<!--")) {
        skip_past("-->", "a comment");
      } else if (starts("<![CDATA[")) {
        skip_past("]]>", "a CDATA section");
      } else if (starts("<!")) {
        skip_declaration();
      } else if (starts("</")) {
        close();
      } else {
        open();
        any = true;
      }
    }
    if (!open_.empty()) fail("<" + open_.back() + "> is not closed; the file is cut off");
    if (!any) fail("no XML element; expected annotations of ImageScope or ASAP");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const auto end = text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size()));
    const auto line = 1 + std::count(text_.begin(), end, '\n');
    throw InputError(where_ + ": line " + std::to_string(line) + ": " + what);
  }

  bool starts(std::string_view with) const { return text_.substr(at_).starts_with(with); }

  bool next_markup() {
    const auto found = text_.find('<', at_);
    if (found == std::string_view::npos) return false;
    at_ = found;
    return true;
  }

  void skip_past(std::string_view end, const char* what) {
    const auto found = text_.find(end, at_);
    if (found == std::string_view::npos) fail(std::string(what) + " does not end; the file is cut off");
    at_ = found + end.size();
  }

  /// A document type; entities declared in it stay unknown.
  void skip_declaration() {
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '<' || text_[at_] == '[') ++depth;
      if (text_[at_] == '>' || text_[at_] == ']') --depth;
      if (depth == 0) {
        ++at_;
        return;
      }
    }
    fail("a declaration does not end; the file is cut off");
  }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  std::string name() {
    const auto begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    if (at_ == begin) fail("expected a name after '<' or between attributes; the file is not XML or is damaged");
    return std::string(text_.substr(begin, at_ - begin));
  }

  void expect(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) fail(std::string("expected '") + c + "'; the file is not XML or is damaged");
    ++at_;
  }

  void close() {
    at_ += 2;
    const std::string closed = name();
    expect('>');
    if (open_.empty() || open_.back() != closed) {
      fail("</" + closed + "> closes " + (open_.empty() ? std::string("nothing") : "<" + open_.back() + ">"));
    }
    open_.pop_back();
    if (visitor_.end) visitor_.end(closed);
  }

  void open() {
    ++at_;
    const std::string element = name();
    std::map<std::string, std::string> attributes;
    for (;;) {
      skip_space();
      if (at_ >= text_.size()) fail("<" + element + " does not end; the file is cut off");
      if (text_[at_] == '>' || text_[at_] == '/') break;
      const std::string key = name();
      expect('=');
      skip_space();
      if (!attributes.emplace(key, value()).second) fail("the attribute '" + key + "' stands twice in <" + element + ">");
    }
    const bool empty = text_[at_] == '/';
    if (empty) ++at_;
    expect('>');
    if (open_.size() == kMostLevels) fail("more than " + std::to_string(kMostLevels) + " levels of elements");
    if (visitor_.begin) visitor_.begin(element, attributes);
    if (!empty) {
      open_.push_back(element);
    } else if (visitor_.end) {
      visitor_.end(element);
    }
  }

  std::string value() {
    if (at_ >= text_.size() || (text_[at_] != '"' && text_[at_] != '\'')) fail("an attribute's value is not in quotes");
    const char quote = text_[at_++];
    std::string result;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '<') fail("'<' in an attribute's value; a quote is missing");
      if (text_[at_] == '&') {
        entity(result);
      } else {
        result += text_[at_];
      }
    }
    if (at_ >= text_.size()) fail("an attribute's value does not end; the file is cut off");
    ++at_;
    return result;
  }

  /// Leaves the position on the ';'.
  void entity(std::string& into) {
    const auto end = text_.find(';', at_);
    if (end == std::string_view::npos || end - at_ > 12) fail("'&' without an entity");
    const std::string_view found = text_.substr(at_ + 1, end - at_ - 1);
    static const std::map<std::string_view, char> known{{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    if (const auto plain = known.find(found); plain != known.end()) {
      into += plain->second;
    } else if (found.starts_with("#")) {
      const bool hex = found.starts_with("#x");
      const auto digits = found.substr(hex ? 2 : 1);
      std::uint32_t code = 0;
      const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
      if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || code == 0 || code > 0x10FFFF) {
        fail("'&" + std::string(found) + ";' is no character");
      }
      append_utf8(into, code);
    } else {
      fail("unknown entity '&" + std::string(found) + ";'");
    }
    at_ = end;
  }

  std::string_view text_;
  const std::string& where_;
  const XmlVisitor& visitor_;
  std::size_t at_ = 0;
  std::vector<std::string> open_;
};

}  // namespace

void read_xml(std::string_view text, const std::string& where, const XmlVisitor& visitor) { XmlReader(text, where, visitor).run(); }

}  // namespace clmnet::wsi
