#include "specthink/report/ledger.h"

#include <gtest/gtest.h>

#include "fixtures.h"

namespace specthink {
namespace {

const Ledger kLedger{.draft = 7,
                     .target = 5,
                     .injected = 8,
                     .draft_wasted = 4,
                     .target_wasted = 5,
                     .draft_prefilled = 8,
                     .target_prefilled = 9,
                     .nominal_target_tokens = 10,
                     .ngram = {.proposed = {5, 4}, .accepted = {3}},
                     .draft_model = {.proposed = {9, 9, 9}, .accepted = {8, 7, 2}}};

TEST(ledger, has_counts_and_shares) {
  EXPECT_EQ(to_json(kLedger), Json({{"draft", 7},
                                    {"target", 5},
                                    {"injected", 8},
                                    {"draft_wasted", 4},
                                    {"target_wasted", 5},
                                    {"draft_prefilled", 8},
                                    {"target_prefilled", 9},
                                    {"nominal_target_share", 0.5},
                                    {"target_share", 0.25},
                                    {"proposed", {{"ngram", {5, 4}}, {"draft", {9, 9, 9}}}},
                                    {"accepted", {{"ngram", {3}}, {"draft", {8, 7, 2}}}}}));
}

TEST(ledger, is_read_back) {
  EXPECT_EQ(parse_ledger(to_json(kLedger), "x"), kLedger);
  EXPECT_EQ(parse_ledger(to_json(Ledger{}), "x"), Ledger{});
}

TEST(ledger, of_an_older_program_has_no_proposals) {
  Json old = to_json(kLedger);
  old.erase("proposed");
  old.erase("accepted");
  Ledger expected = kLedger;
  expected.ngram = {};
  expected.draft_model = {};
  EXPECT_EQ(parse_ledger(old, "x"), expected);
}

TEST(ledger, mistakes_in_proposals_are_named) {
  for (const Json& bad : {Json("a"), Json({1, -2}), Json({1.5}), Json(std::vector<int>(16, 1))}) {
    Json ledger = to_json(kLedger);
    ledger["accepted"]["draft"] = bad;
    expect_contains(message_of<UserError>([&] { parse_ledger(ledger, "log:3"); }), "'draft'");
  }
}

TEST(ledger, mistakes_are_named) {
  const Json good = to_json(kLedger);
  for (const auto& [key, value] : good.items()) {
    if (key == "target_share") continue;  // follows from the counts
    Json bad = good;
    bad[key] = -1;
    const std::string message = message_of<UserError>([&] { parse_ledger(bad, "log:3: ledger"); });
    expect_contains(message, "log:3: ledger: ");
    expect_contains(message, "'" + key + "', found -1");
    bad.erase(key);
    expect_contains(message_of<UserError>([&] { parse_ledger(bad, "log:3"); }), "has no key '" + key + "'");
  }
}

}  // namespace
}  // namespace specthink
