#include "specthink/report/text_origins.h"

#include <optional>
#include <string_view>

#include "specthink/base/strings.h"

namespace specthink::inline report {
namespace {

std::optional<Writer> find_writer(const Json& name) {
  if (name == "draft") return Writer::draft;
  if (name == "target") return Writer::target;
  if (name == "injected") return Writer::injected;
  return std::nullopt;
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  return count;
}

// The byte behind `characters` of them.
std::size_t bytes_of(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (begins && characters-- == 0) break;
  }
  return at;
}

// Null when the lengths are of another text.
std::optional<std::vector<WrittenPiece>> from_origins(std::string_view text, const Json& origins) {
  if (origins.empty()) return std::nullopt;
  std::size_t total = 0;
  for (const Json& entry : origins) {
    if (!entry.is_array() || entry.size() != 2 || !find_writer(entry[0]) || !entry[1].is_number_unsigned()) {
      return std::nullopt;
    }
    total += entry[1].get<std::size_t>();
  }
  const std::size_t characters = count_characters(text);
  if (total > characters) return std::nullopt;
  std::vector<WrittenPiece> pieces;
  const auto take = [&](Writer writer, std::size_t count) {
    const std::size_t size = bytes_of(text, count);
    if (size > 0) pieces.push_back({writer, std::string(text.substr(0, size))});
    text.remove_prefix(size);
  };
  take(Writer::prompt, characters - total);
  for (const Json& entry : origins) take(*find_writer(entry[0]), entry[1].get<std::size_t>());
  return pieces;
}

std::optional<std::vector<WrittenPiece>> from_log(std::string_view text, const Json& log) {
  std::vector<WrittenPiece> pieces;
  std::size_t at = 0;
  for (const Json& entry : log) {
    if (!entry.is_object() || !entry.value("traget", Json()).is_string()) continue;
    const std::string passage = entry["traget"].get<std::string>();
    const std::size_t found = passage.empty() ? std::string_view::npos : text.find(passage, at);
    if (found == std::string_view::npos) continue;
    if (found > at) pieces.push_back({Writer::draft, std::string(text.substr(at, found - at))});
    pieces.push_back({Writer::target, passage});
    at = found + passage.size();
  }
  if (pieces.empty()) return std::nullopt;
  if (at < text.size()) pieces.push_back({Writer::draft, std::string(text.substr(at))});
  return pieces;
}

}  // namespace

std::vector<WrittenPiece> text_pieces(const SeriesRun& run, SystemKind kind) {
  const std::string text = replace_invalid_utf8(run.text);
  if (text.empty()) return {};
  if (auto pieces = from_origins(text, run.origins)) return *pieces;
  if (auto pieces = from_log(text, run.log)) return *pieces;
  if (kind == SystemKind::speculative) return {{Writer::unknown, text}};
  return {{kind == SystemKind::target ? Writer::target : Writer::draft, text}};
}

}  // namespace specthink::inline report
