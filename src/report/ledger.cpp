#include "specthink/report/ledger.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "report/proposer_keys.h"
#include "specthink/base/error.h"
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
constexpr std::pair<const char*, ProposalCounts Ledger::*> kProposers[] = {
    {kNgramKey, &Ledger::ngram},
    {kDraftKey, &Ledger::draft_model},
};
constexpr const char* kProposed = "proposed";
constexpr const char* kAccepted = "accepted";
constexpr const char* kNominalShare = "nominal_target_share";
constexpr const char* kShare = "target_share";
constexpr const char* kUnjudged = "unjudged";
constexpr const char* kHandOvers = "hand_overs";

using Counts = std::array<std::int64_t, kMaxProposals>;

/// By place in the step, without the zeros at the end.
Json counts_json(const Counts& counts) {
  std::size_t size = counts.size();
  while (size > 0 && counts[size - 1] == 0) --size;
  return std::vector<std::int64_t>(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(size));
}

void parse_counts(const Json& object, const char* proposer, std::string_view source, Counts& counts) {
  const JsonReader reader(object, source, "the proposals");
  const Json& list = reader.list(proposer);
  if (list.size() > counts.size()) {
    throw UserError("{}: expected at most {} entries in '{}', found {}", source, counts.size(), proposer, list.size());
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_number_integer() || list[i].get<std::int64_t>() < 0) reader.fail(proposer, "a list of counts");
    counts[i] = list[i].get<std::int64_t>();
  }
}

}  // namespace

Json to_json(const Ledger& ledger) {
  Json json{{kNominalShare, ledger.nominal_target_share()}, {kShare, ledger.target_share()}};
  for (const auto& [key, count] : kCounts) json[key] = ledger.*count;
  json[kProposed] = Json::object();
  json[kAccepted] = Json::object();
  for (const auto& [proposer, counts] : kProposers) {
    json[kProposed][proposer] = counts_json((ledger.*counts).proposed);
    json[kAccepted][proposer] = counts_json((ledger.*counts).accepted);
  }
  // Policies that have none leave them out.
  if (ledger.unjudged > 0) json[kUnjudged] = ledger.unjudged;
  if (!ledger.hand_overs.empty()) json[kHandOvers] = ledger.hand_overs;
  return json;
}

Ledger parse_ledger(const Json& object, std::string_view source) {
  const JsonReader reader(object, source, "the ledger");
  Ledger ledger;
  for (const auto& [key, count] : kCounts) ledger.*count = reader.count(key);
  if (reader.has(kProposed) || reader.has(kAccepted)) {  // files of older programs have no proposals
    for (const char* key : {kProposed, kAccepted}) {
      if (!reader.value(key).is_object()) reader.fail(key, "an object of lists");
    }
    for (const auto& [proposer, counts] : kProposers) {
      parse_counts(reader.value(kProposed), proposer, source, (ledger.*counts).proposed);
      parse_counts(reader.value(kAccepted), proposer, source, (ledger.*counts).accepted);
    }
  }
  if (reader.has(kUnjudged)) ledger.unjudged = reader.count(kUnjudged);
  if (reader.has(kHandOvers)) {
    if (!reader.value(kHandOvers).is_object()) reader.fail(kHandOvers, "an object of counts");
    const JsonReader counts(reader.value(kHandOvers), source, "the hand-overs");
    for (const auto& [rule, count] : reader.value(kHandOvers).items()) {
      ledger.hand_overs[rule] = counts.count(rule.c_str());
    }
  }
  // The file has the share; counts are far below 2^53, so that rounding gives back the count it was made from.
  const double share = reader.number(kNominalShare);
  ledger.nominal_target_tokens = std::llround(share * static_cast<double>(ledger.generated()));
  return ledger;
}

}  // namespace specthink::inline report
