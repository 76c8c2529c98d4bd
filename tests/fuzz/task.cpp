// A task file and its problems, one after the other with a line "%%" between them: any YAML, any lines.
#include "specthink/evaluation/task.h"

#include "fuzz/input.h"
#include "specthink/base/log.h"

using namespace specthink;

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  spdlog::set_level(spdlog::level::off);  // a warning an input
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [task_text, problems_text] = fuzz::halves_of(fuzz::text_of(data, size));
  const fuzz::InputFile task_file(task_text);
  const fuzz::InputFile problems_file(problems_text);
  fuzz::allow_user_error([&] {
    Task task = load_task(task_file.path());
    task.data = problems_file.path();  // whatever file the input names, this one is read
    for (const Problem& problem : load_problems(task, "", 100)) {
      check(problem.id.is_string() || problem.id.is_number_integer(), "an id is a string or an integer");
      check(problem.answer.has_value() == task.answer_key.has_value(), "an answer is read when a key names it");
      static_cast<void>(task.answer_rule.find(problem.problem));
      if (problem.answer) static_cast<void>(same_answer(problem.problem, *problem.answer));
    }
  });
  return 0;
}
