#include "specthink/report/trace.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "shared_data.h"
#include "specthink/base/error.h"
#include "specthink/base/file.h"

namespace specthink {
namespace {

namespace fs = std::filesystem;

class trace : public testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }

  fs::path write(const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    return path_;
  }

  std::string error_of(const std::string& content) {
    try {
      read_traces(write(content));
    } catch (const UserError& error) {
      return error.what();
    }
    ADD_FAILURE() << "no error for " << content;
    return "";
  }

  fs::path path_ = fs::temp_directory_path() / ("specthink_trace_" + std::to_string(::getpid()) + ".jsonl");
};

const std::string kLine =
    R"({"problem":1,"run":2,"prompt_tokens":3,"completion_tokens":9,"segments":[)"
    R"({"by":"draft","ms":1.5,"start_ms":0.0,"tokens":4},{"by":"probe","tokens":2},{"by":"inject","tokens":1},)"
    R"({"by":"target","tokens":4}]})";

TEST_F(trace, written_lines_are_read_back) {
  const Trace first = parse_trace(parse_json(kLine, "x"), "x");
  EXPECT_EQ(to_line(to_json(first)), kLine);
  ASSERT_EQ(first.segments.size(), 4u);
  EXPECT_EQ(first.segments[0].ms, 1.5);
  EXPECT_LT(first.segments[1].ms, 0) << "not measured";
  const std::vector<Trace> traces = read_traces(write("{\"format\": \"runs\"}\n" + kLine + "\n\n" + kLine));
  ASSERT_EQ(traces.size(), 2u);
  EXPECT_EQ(traces[1].completion_tokens, 9);
}

TEST_F(trace, segments_say_how_they_were_written) {
  const std::string line =
      R"({"problem":1,"run":2,"prompt_tokens":3,"completion_tokens":7,"segments":[)"
      R"({"by":"draft","proposals":{"ngram":[4,1]},"steps":3,"tokens":4},{"by":"probe","kept":0,"steps":2,"tokens":2},)"
      R"({"by":"target","proposals":{"draft":[8,2],"ngram":[1,0]},"steps":1,"tokens":3,"why":"score 4"}]})";
  const Trace run = parse_trace(parse_json(line, "x"), "x");
  EXPECT_EQ(to_line(to_json(run)), line);
  EXPECT_EQ(run.segments[0].written, (StepCount{3, {4, 1}, {}}));
  EXPECT_EQ(run.segments[1].written, (StepCount{2, {}, {}}));
  EXPECT_EQ(run.segments[2].written, (StepCount{1, {1, 0}, {8, 2}}));
  EXPECT_EQ(parse_trace(parse_json(kLine, "x"), "x").segments[0].written, StepCount{}) << "older files do not say";
}

TEST_F(trace, recorded_workload) {
  const fs::path path = testing_support::shared_data() / "seed_runs" / "qwen3_32b_1.7b_workload.jsonl";
  if (!fs::exists(path)) GTEST_SKIP() << "no shared data: " << path;
  const std::vector<Trace> traces = read_traces(path);
  ASSERT_EQ(traces.size(), 25u);
  double draft = 0;
  double target = 0;
  for (const Trace& run : traces) {
    for (const Segment& segment : run.segments) {
      if (segment.by == "draft") draft += segment.tokens;
      if (segment.by == "target") target += segment.tokens;
    }
  }
  EXPECT_NEAR(draft / 25, 7827, 0.5);
  EXPECT_NEAR(target / 25, 2329, 0.5);
  std::cout << "checked " << traces.size() << " recorded traces\n";
}

TEST_F(trace, a_check_sees_every_trace) {
  std::vector<std::string> sources;
  read_traces(write(kLine + "\n" + kLine), [&](const Trace& run, std::string_view source) {
    EXPECT_EQ(run.run, 2);
    sources.emplace_back(source);
  });
  EXPECT_EQ(sources, (std::vector<std::string>{path_.string() + ":1", path_.string() + ":2"}));
}

TEST_F(trace, malformed_lines_are_named) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string line = kLine;
    line.replace(line.find(from), from.size(), to);
    return line;
  };
  const std::vector<std::pair<std::string, std::string>> cases{
      {"[1]", "JSON object"},
      {"{", "not valid JSON"},
      {kLine.substr(0, kLine.size() - 1), "not valid JSON"},
      {with("\"problem\":1,", ""), "'problem'"},
      {with("\"segments\"", "\"parts\""), "'segments'"},
      {with("\"run\":2", "\"run\":-2"), "'run', found -2"},
      {with("\"run\":2", "\"run\":2.5"), "'run', found 2.5"},
      {with("\"run\":2", "\"run\":\"2\""), "'run'"},
      {with("\"run\":2", "\"run\":18446744073709551615"), "'run'"},
      {with("\"run\":2", "\"run\":null"), "'run'"},
      {with("\"tokens\":2", "\"tokens\":99999999999"), "segments[1]"},
      {with("\"by\":\"probe\"", "\"by\":\"prober\""), "segments[1]: expected draft, probe, inject, target or read"},
      {with("\"by\":\"probe\"", "\"by\":3"), "'by', found 3"},
      {with("\"by\":\"probe\",", ""), "segments[1]"},
      {with("\"ms\":1.5", "\"ms\":-1"), "'ms', found -1"},
      {with("\"ms\":1.5", "\"ms\":\"a\""), "'ms'"},
      {with("{\"by\":\"probe\",\"tokens\":2}", "7"), "segments[1]"},
      {with("\"tokens\":2", "\"tokens\":2,\"steps\":-1"), "'steps', found -1"},
      {with("\"tokens\":2", "\"tokens\":2,\"proposals\":3"), "segments[1]: proposals"},
      {with("\"tokens\":2", "\"tokens\":2,\"proposals\":{\"ngram\":[1]}"), "expected [proposed, accepted] in 'ngram'"},
      {with("\"tokens\":2", "\"tokens\":2,\"proposals\":{\"draft\":[1,2]}"),
       "expected [proposed, accepted] in 'draft'"},
      {with("\"tokens\":2", "\"tokens\":2,\"proposals\":{\"draft\":[-1,-1]}"), "expected [proposed, accepted]"},
      {with("\"tokens\":2", "\"tokens\":2,\"proposals\":{\"draft\":[99999999999,1]}"), "expected [proposed, accepted]"},
      {R"({"problem":1,"run":2,"prompt_tokens":3,"completion_tokens":9,"segments":{}})", "expected a list"},
  };
  for (const auto& [line, expected] : cases) {
    const std::string message = error_of(kLine + "\n" + line + "\n" + kLine + "\n");
    EXPECT_NE(message.find(expected), std::string::npos) << message;
    EXPECT_NE(message.find(".jsonl:2"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  for (const char* content : {"", "\n", "{\"format\":1}\n"}) {
    EXPECT_NE(error_of(content).find("no recorded run in it"), std::string::npos);
  }
  std::cout << "checked " << cases.size() << " malformed traces\n";
}

}  // namespace
}  // namespace specthink
