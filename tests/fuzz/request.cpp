// The body of a request to the server: any bytes, for each of its two endpoints.
#include "fuzz/input.h"
#include "server/api/completion_request.h"

using namespace specthink;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<ServedModel> kModels{
      {"pair", std::nullopt}, {"large", Role::target}, {"small", Role::draft}};
  for (const Endpoint endpoint : {Endpoint::chat, Endpoint::completions}) {
    try {
      const CompletionRequest request = parse_completion(endpoint, fuzz::text_of(data, size), kModels,
                                                         {.temperature = 0.5F, .top_p = 0.9F, .top_k = 7});
      check(request.n >= 1 && !request.runs.empty(), "an accepted request asks for something");
      for (const RunRequest& run : request.runs) {
        check(!run.max_tokens || *run.max_tokens > 0, "a limit is positive");
        // What becomes part of an answer can be written as JSON.
        static_cast<void>(run.messages.dump());
        static_cast<void>(run.schedule.dump());
        static_cast<void>(run.chat_template_kwargs.dump());
      }
    } catch (const BadRequest& error) {
      check(!error.error.message.empty(), "a refusal says why");
    }
  }
  return 0;
}
