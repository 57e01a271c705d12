#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "nets/torch.h"

namespace clmnet::nets {

/// A value of a pickle. Owned by the parser's arena, so that cycles do not leak and deep nesting needs no deep stack.
struct PickleValue {
  enum class Kind { kNone, kBool, kInt, kFloat, kText, kGlobal, kTuple, kList, kDict, kStorage, kTensor };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;                ///< kInt, kBool
  double real = 0;                         ///< kFloat
  std::string text;                        ///< kText; kGlobal: "module.name"
  std::vector<const PickleValue*> items;   ///< kTuple, kList; kDict: key, value, key, value, ...
  torch::Tensor tensor;                    ///< kTensor; kStorage: one-dimensional

  bool is(Kind wanted) const { return kind == wanted; }
};

/// What the pickle's two ways of naming things outside it become. A hook fills `result` or throws; nothing is imported
/// and nothing is called but these.
struct PickleHooks {
  /// Protocol's "persistent id": torch.save's storages.
  std::function<void(const PickleValue& id, PickleValue& result)> persistent;
  /// A global applied to arguments. Also asked, without arguments, when a global is named, so that it may refuse early.
  std::function<void(const std::string& global, const PickleValue* arguments, PickleValue& result)> reduce;
};

/// Reads a pickle of protocol 0x02 to 0x05 as data: numbers, texts, tuples, lists, dicts and what the hooks know.
/// Source: Python's pickletools, which documents each opcode.
class PickleParser {
 public:
  /// where  stands for the file in messages. The bytes must outlive the parser.
  PickleParser(std::string_view bytes, std::string where, PickleHooks hooks);

  /// Throws InputError when the pickle is cut short, holds an opcode that data does not need, uses its stack or memo
  /// wrongly, or makes more than two million values.
  const PickleValue& parse();

 private:
  using Kind = PickleValue::Kind;

  [[noreturn]] void refuse(const std::string& found) const;
  std::string_view take(std::size_t bytes);
  std::string_view take_line();
  template <typename T>
  T take_number();

  PickleValue& make(Kind kind);
  void push(const PickleValue& value) { stack_.push_back(const_cast<PickleValue*>(&value)); }
  PickleValue& pop();
  PickleValue& top(Kind kind);
  std::vector<const PickleValue*> pop_to_mark();
  void push_text(std::string_view text);
  void push_int(std::int64_t value);
  void push_tuple(std::size_t count);
  void push_global(const std::string& name);
  void memoize(std::uint64_t slot);
  void recall(std::uint64_t slot);

  bool step_scalar(std::uint8_t opcode);
  bool step_container(std::uint8_t opcode);
  bool step_memo(std::uint8_t opcode);
  bool step_object(std::uint8_t opcode);

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::string where_;
  PickleHooks hooks_;
  std::deque<PickleValue> arena_;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
};

}  // namespace clmnet::nets
