#include "nets/checkpoint/pickle.h"

#include <bit>
#include <cstring>

#include "tools/base/error.h"

namespace clmnet::nets {
namespace {
constexpr std::size_t kMaxValues = 2'000'000;  // a network of a thousand tensors makes about twenty thousand
constexpr int kMaxProtocol = 5;
}  // namespace

PickleParser::PickleParser(std::string_view bytes, std::string where, PickleHooks hooks)
    : bytes_(bytes), where_(std::move(where)), hooks_(std::move(hooks)) {}

void PickleParser::refuse(const std::string& found) const {
  throw InputError(where_ + ": the pickle in it " + found + " (byte " + std::to_string(at_) +
                   "); expected a state dict of tensors; nothing of it was run");
}

std::string_view PickleParser::take(std::size_t bytes) {
  if (bytes > bytes_.size() - at_) refuse("is cut short");
  const std::string_view part = bytes_.substr(at_, bytes);
  at_ += bytes;
  return part;
}

std::string_view PickleParser::take_line() {
  const std::size_t end = bytes_.find('\n', at_);
  if (end == std::string_view::npos) refuse("is cut short");
  const std::string_view line = bytes_.substr(at_, end - at_);
  at_ = end + 1;
  return line;
}

template <typename T>
T PickleParser::take_number() {
  T value;
  std::memcpy(&value, take(sizeof value).data(), sizeof value);
  return value;
}

PickleValue& PickleParser::make(Kind kind) {
  if (arena_.size() >= kMaxValues) refuse("makes more than " + std::to_string(kMaxValues) + " values");
  arena_.emplace_back().kind = kind;
  return arena_.back();
}

PickleValue& PickleParser::pop() {
  if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back())) refuse("takes from an empty stack");
  PickleValue& value = *stack_.back();
  stack_.pop_back();
  return value;
}

PickleValue& PickleParser::top(Kind kind) {
  if (stack_.empty() || !stack_.back()->is(kind)) refuse("adds to something that is no list or dict");
  return *stack_.back();
}

std::vector<const PickleValue*> PickleParser::pop_to_mark() {
  if (marks_.empty()) refuse("lacks a mark");
  const std::size_t mark = marks_.back();
  marks_.pop_back();
  std::vector<const PickleValue*> items(stack_.begin() + static_cast<std::ptrdiff_t>(mark), stack_.end());
  stack_.resize(mark);
  return items;
}

void PickleParser::push_text(std::string_view text) {
  PickleValue& value = make(Kind::kText);
  value.text = text;
  push(value);
}

void PickleParser::push_int(std::int64_t integer) {
  PickleValue& value = make(Kind::kInt);
  value.integer = integer;
  push(value);
}

void PickleParser::push_tuple(std::size_t count) {
  PickleValue& value = make(Kind::kTuple);
  value.items.resize(count);
  for (std::size_t i = count; i-- > 0;) value.items[i] = &pop();
  push(value);
}

void PickleParser::push_global(const std::string& name) {
  PickleValue& value = make(Kind::kGlobal);
  value.text = name;
  hooks_.reduce(name, nullptr, value);
  push(value);
}

void PickleParser::memoize(std::uint64_t slot) {
  if (stack_.empty()) refuse("remembers nothing");
  memo_[slot] = stack_.back();
}

void PickleParser::recall(std::uint64_t slot) {
  const auto found = memo_.find(slot);
  if (found == memo_.end()) refuse("recalls value " + std::to_string(slot) + ", which it never stored");
  push(*found->second);
}

bool PickleParser::step_scalar(std::uint8_t opcode) {
  switch (opcode) {
    case 'N': push(make(Kind::kNone)); return true;
    case 0x88:  // NEWTRUE
    case 0x89: {
      PickleValue& value = make(Kind::kBool);
      value.integer = opcode == 0x88;
      push(value);
      return true;
    }
    case 'J': push_int(take_number<std::int32_t>()); return true;
    case 'K': push_int(take_number<std::uint8_t>()); return true;
    case 'M': push_int(take_number<std::uint16_t>()); return true;
    case 0x8a: {  // LONG1: little-endian two's complement of any length
      const std::size_t size = take_number<std::uint8_t>();
      const std::string_view digits = take(size);
      if (size > 8) refuse("holds a whole number of " + std::to_string(size) + " bytes");
      std::int64_t value = size > 0 && (digits.back() & 0x80) != 0 ? -1 : 0;
      std::memcpy(&value, digits.data(), size);
      push_int(value);
      return true;
    }
    case 'G': {  // BINFLOAT: big-endian
      PickleValue& value = make(Kind::kFloat);
      value.real = std::bit_cast<double>(__builtin_bswap64(take_number<std::uint64_t>()));
      push(value);
      return true;
    }
    case 'X': push_text(take(take_number<std::uint32_t>())); return true;
    case 'T': push_text(take(take_number<std::uint32_t>())); return true;
    case 'U': push_text(take(take_number<std::uint8_t>())); return true;
    case 0x8c: push_text(take(take_number<std::uint8_t>())); return true;
    default: return false;
  }
}

bool PickleParser::step_container(std::uint8_t opcode) {
  switch (opcode) {
    case '(': marks_.push_back(stack_.size()); return true;
    case '}': push(make(Kind::kDict)); return true;
    case ']': push(make(Kind::kList)); return true;
    case ')': push_tuple(0); return true;
    case 0x85: push_tuple(1); return true;
    case 0x86: push_tuple(2); return true;
    case 0x87: push_tuple(3); return true;
    case 't': {
      PickleValue& value = make(Kind::kTuple);
      value.items = pop_to_mark();
      push(value);
      return true;
    }
    case 'a': {
      const PickleValue& item = pop();
      top(Kind::kList).items.push_back(&item);
      return true;
    }
    case 'e': {
      const auto items = pop_to_mark();
      auto& list = top(Kind::kList).items;
      list.insert(list.end(), items.begin(), items.end());
      return true;
    }
    case 's': {
      const PickleValue& value = pop();
      const PickleValue& key = pop();
      auto& dict = top(Kind::kDict).items;
      dict.insert(dict.end(), {&key, &value});
      return true;
    }
    case 'u': {
      const auto items = pop_to_mark();
      if (items.size() % 2 != 0) refuse("gives a dict a key without a value");
      auto& dict = top(Kind::kDict).items;
      dict.insert(dict.end(), items.begin(), items.end());
      return true;
    }
    default: return false;
  }
}

bool PickleParser::step_memo(std::uint8_t opcode) {
  switch (opcode) {
    case 'q': memoize(take_number<std::uint8_t>()); return true;
    case 'r': memoize(take_number<std::uint32_t>()); return true;
    case 0x94: memoize(memo_.size()); return true;
    case 'h': recall(take_number<std::uint8_t>()); return true;
    case 'j': recall(take_number<std::uint32_t>()); return true;
    default: return false;
  }
}

bool PickleParser::step_object(std::uint8_t opcode) {
  switch (opcode) {
    case 0x80:
      if (const int protocol = take_number<std::uint8_t>(); protocol < 2 || protocol > kMaxProtocol) {
        refuse("has protocol " + std::to_string(protocol) + ", not 2 to 5");
      }
      return true;
    case 0x95: take(8); return true;  // FRAME: a length that only matters to streams
    case 'c': {
      const std::string module(take_line());
      push_global(module + '.' + std::string(take_line()));
      return true;
    }
    case 0x93: {
      const PickleValue& name = pop();
      const PickleValue& module = pop();
      if (!name.is(Kind::kText) || !module.is(Kind::kText)) refuse("names a global with something that is no text");
      push_global(module.text + '.' + name.text);
      return true;
    }
    case 'Q': {
      const PickleValue& id = pop();
      PickleValue& value = make(Kind::kNone);
      hooks_.persistent(id, value);
      push(value);
      return true;
    }
    case 'R': {
      const PickleValue& arguments = pop();
      const PickleValue& global = pop();
      if (!global.is(Kind::kGlobal) || !arguments.is(Kind::kTuple)) refuse("calls something that is no name");
      PickleValue& value = make(Kind::kNone);
      hooks_.reduce(global.text, &arguments, value);
      push(value);
      return true;
    }
    case 'b':  // attributes of an OrderedDict (a state dict's "_metadata"): versions of modules, not needed here
      pop();
      top(Kind::kDict);
      return true;
    default: return false;
  }
}

const PickleValue& PickleParser::parse() {
  while (true) {
    const auto opcode = take_number<std::uint8_t>();
    if (opcode == '.') break;
    if (step_scalar(opcode) || step_container(opcode) || step_memo(opcode) || step_object(opcode)) continue;
    refuse("holds opcode " + std::to_string(opcode) + ", which data does not need");
  }
  if (stack_.size() != 1 || !marks_.empty()) refuse("ends with " + std::to_string(stack_.size()) + " values, not one");
  return *stack_.front();
}

}  // namespace clmnet::nets
