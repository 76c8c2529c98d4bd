// specthink score: the log-probability of each token of a text under the target model.
#include <fmt/format.h>

#include "app/commands.h"
#include "app/input.h"
#include "app/job/job.h"
#include "app/job/loaded_models.h"
#include "app/job/text_side.h"
#include "specthink/base/json.h"

namespace specthink::inline app {
namespace {

void print_table(const TokenIds& ids, const std::vector<float>& logprobs, const Tokenizer* tokenizer) {
  double sum = 0;
  fmt::print("{:>8}  {:>10}  {}\n", "id", "logprob", tokenizer ? "token" : "");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string text = tokenizer ? Json(tokenizer->decode(std::span(&ids[i], 1))).dump() : "";
    fmt::print("{:>8}  {:>10}  {}\n", ids[i], i == 0 ? "" : fmt::format("{:.5f}", logprobs[i - 1]), text);
    if (i > 0) sum += logprobs[i - 1];
  }
  if (!logprobs.empty())
    fmt::print("mean {:.5f} over {} tokens\n", sum / static_cast<double>(logprobs.size()), logprobs.size());
}

/// Of each token by itself.
std::vector<std::string> texts_of(const TokenIds& ids, const Tokenizer& tokenizer) {
  std::vector<std::string> texts;
  for (const TokenId id : ids) texts.push_back(tokenizer.decode(std::span(&id, 1)));
  return texts;
}

}  // namespace

int run_score(const Invocation& invocation) {
  const Settings& settings = invocation.settings;
  return run_on_ranks(settings.models.collective_timeout, [&](const ProcessGroup& group) {
    require_one_group(group, invocation);
    LoadedModels models(group, invocation, /*with_draft=*/false);
    TextSide text(group, models, settings);
    TokenIds ids;
    together(group, [&] {
      if (!models.is_root()) return;
      group.mark(Phase::input);
      ids = settings.generate.prompt_ids ? *settings.generate.prompt_ids
                                         : text.require_tokenizer().encode_framed(read_text_input(settings.generate));
      group.mark(Phase::start);
      models.check_prompt(ids, /*answer_tokens=*/0);
    });
    models.load();
    return models.drive([&] {
      std::vector<float> margins;
      const std::vector<float> logprobs =
          models.engine().score(Role::target, ids, settings.score.margins ? &margins : nullptr);
      if (settings.format == Format::text) {
        print_table(ids, logprobs, text.tokenizer());
      } else {
        Json output;
        output["ids"] = ids;
        output["logprobs"] = logprobs;
        if (settings.score.margins) {
          output["margins"] = margins;
          if (text.tokenizer()) output["texts"] = texts_of(ids, *text.tokenizer());
        }
        fmt::print("{}\n", output.dump());
      }
      return kExitSuccess;
    });
  });
}

}  // namespace specthink::inline app
