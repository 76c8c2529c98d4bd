#include "specthink/report/ledger.h"

#include <cmath>
#include <cstdint>
#include <utility>

#include "specthink/report/json_reader.h"

namespace specthink::inline report {
namespace {

constexpr std::pair<const char*, std::int64_t Ledger::*> kCounts[] = {
    {"draft", &Ledger::draft},
    {"target", &Ledger::target},
    {"injected", &Ledger::injected},
    {"draft_wasted", &Ledger::draft_wasted},
    {"target_wasted", &Ledger::target_wasted},
    {"draft_prefilled", &Ledger::draft_prefilled},
    {"target_prefilled", &Ledger::target_prefilled},
};
constexpr const char* kNominalShare = "nominal_target_share";
constexpr const char* kShare = "target_share";

}  // namespace

Json to_json(const Ledger& ledger) {
  Json json{{kNominalShare, ledger.nominal_target_share()}, {kShare, ledger.target_share()}};
  for (const auto& [key, count] : kCounts) json[key] = ledger.*count;
  return json;
}

Ledger parse_ledger(const Json& object, std::string_view source) {
  const JsonReader reader(object, source, "the ledger");
  Ledger ledger;
  for (const auto& [key, count] : kCounts) ledger.*count = reader.count(key);
  // The file has the share; counts are far below 2^53, so that rounding gives back the count it was made from.
  const double share = reader.number(kNominalShare);
  ledger.nominal_target_tokens = std::llround(share * static_cast<double>(ledger.generated()));
  return ledger;
}

}  // namespace specthink::inline report
