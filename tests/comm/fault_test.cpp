#include "specthink/comm/fault.h"

#include <gtest/gtest.h>

#include "specthink/base/error.h"

namespace specthink {
namespace {

TEST(fault, happens_once_at_its_phase_and_count) {
  Fault fault = Fault::parse("1:decode:throw:3");
  EXPECT_EQ(fault.rank(), 1);
  fault.reach(FaultPhase::decode);
  fault.reach(FaultPhase::load);
  fault.reach(FaultPhase::decode);
  EXPECT_THROW(fault.reach(FaultPhase::decode), EnvironmentError);
  EXPECT_NO_THROW(fault.reach(FaultPhase::decode));
}

TEST(fault, is_thrown_at_once_by_default) {
  EXPECT_THROW(Fault::parse("0:start").reach(FaultPhase::start), EnvironmentError);
}

TEST(fault, kills) {
  EXPECT_EXIT(Fault::parse("0:write:kill").reach(FaultPhase::write), testing::KilledBySignal(9), "");
}

TEST(fault, counts_how_often_each_phase_comes) {
  Fault fault = Fault::parse("1:load:count");
  for (int i = 0; i < 3; ++i) fault.reach(FaultPhase::collective);
  fault.reach(FaultPhase::load);
  EXPECT_EQ(fault.counts(), "start 0, load 1, prefill 0, decode 0, collective 3, write 0");
  EXPECT_EQ(Fault::parse("1:load").counts(), std::nullopt);
}

TEST(fault, mistakes_are_named) {
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
           {"", "two to four parts"},
           {"1", "two to four parts"},
           {"1:decode:throw:1:1", "two to four parts"},
           {"x:decode", "'x'"},
           {"-1:decode", "'-1'"},
           {"1:decoding", "start, load, prefill, decode, collective or write"},
           {"1:decode:explode", "throw, kill, stop, hang or count"},
           {"1:decode:throw:0", "at least 1"},
           {"1:decode:throw:99999999999999999999999", "at least 1"}}) {
    try {
      Fault::parse(text);
      ADD_FAILURE() << text;
    } catch (const UserError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("SPECTHINK_FAULT"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace specthink
