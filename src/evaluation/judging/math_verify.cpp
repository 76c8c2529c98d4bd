#include "evaluation/judging/math_verify.h"

#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>

#include "specthink/base/error.h"
#include "specthink/base/json.h"
#include "specthink/base/log.h"
#include "specthink/base/strings.h"

namespace specthink::inline evaluation {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr seconds kLoadLimit{60};    // of the first answer: Python reads sympy
constexpr seconds kAnswerLimit{10};  // the helper itself gives up after half of it
constexpr int kMaxFailures = 3;      // in a row

}  // namespace

std::vector<std::string> find_math_verify() {
  std::error_code ignored;
  const char* named = std::getenv("SPECTHINK_MATH_VERIFY");
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path folder = named && *named ? fs::path(named) : program.parent_path() / "eval";
  const fs::path python = folder / "bin" / "python3";
  const fs::path script = folder / "math_verify_helper.py";
  if (!fs::exists(python, ignored) || !fs::exists(script, ignored)) return {};
  return {python.string(), script.string()};
}

MathVerify::MathVerify(std::vector<std::string> command)
    : command_(std::move(command)), process_(std::make_unique<HelperProcess>(command_)) {}

std::optional<bool> MathVerify::same(std::string_view given, std::string_view known) {
  if (!process_) return std::nullopt;
  const Json question{{"given", replace_invalid_utf8(given)}, {"known", replace_invalid_utf8(known)}};
  const auto answer = process_->ask(question.dump(), is_loaded_ ? kAnswerLimit : kLoadLimit);
  is_loaded_ = is_loaded_ || answer;
  if (answer) {
    failures_ = 0;
    const Json verdict = Json::parse(*answer, nullptr, /*allow_exceptions=*/false);
    const auto same = verdict.find("same");
    if (verdict.is_object() && same != verdict.end() && same->is_boolean()) return same->get<bool>();
    return std::nullopt;
  }
  process_.reset();
  is_loaded_ = false;
  if (++failures_ < kMaxFailures) {
    process_ = std::make_unique<HelperProcess>(command_);
  } else {
    spdlog::warn("math-verify ({}) does not answer: what it should decide counts as wrong", command_[0]);
  }
  return std::nullopt;
}

}  // namespace specthink::inline evaluation
