// Data of our own making for each of the original's task files, with the hub's column names.
#pragma once

#include <string>
#include <vector>

namespace specthink {

// A task file by its name, one of our own making in its place, and rows with the hub's columns.
struct Made {
  std::string name;
  std::string handler;
  std::string keys;  // question_key and answer_key
  std::string templates;
  std::string rows;
  std::vector<std::string> known;  // of the rows that are problems; empty: programs
  std::string in_prompt;           // of the first
};

inline const std::string kTemplate = R"(  template: "In \\boxed{{}}: {prompt} <think>\n")";
inline const std::string kProblemKeys = "question_key: problem\nanswer_key: answer\n";
inline const std::string kQuestionKeys = "question_key: question\nanswer_key: answer\n";

inline const std::string kAimeRows =
    R"({"id": 0, "problem": "P22", "solution": "", "answer": "070", "url": "https://x/2022_AIME_I/1"}
{"id": 1, "problem": "P23", "solution": "", "answer": "9", "url": "https://x/2023_AIME_I/1"}
{"id": 2, "problem": "P24", "solution": "", "answer": "204", "url": "https://x/2024_AIME_I/1"}
)";

inline const std::string kCodeRows =
    R"({"question_title": "t", "question_content": "Add.", "platform": "p", "question_id": "q1", "starter_code": "",
 "difficulty": "easy", "public_test_cases": "[{\"input\": \"1\", \"output\": \"2\", \"testtype\": \"stdin\"}]"}
{"question_content": "Max.", "question_id": "q2", "starter_code": "class Solution:", "difficulty": "hard",
 "public_test_cases": "[{\"input\": \"1\", \"output\": \"2\", \"testtype\": \"functional\"}]"}
)";

inline std::string one_line_each(std::string rows) {
  for (std::size_t at = 0; (at = rows.find("\n ", at)) != std::string::npos;) rows.replace(at, 1, "");
  return rows;
}

inline std::vector<Made> made_tasks() {
  const std::string numina =
      R"({"source": "math", "problem": "N1", "solution": "so $\\boxed{\\frac{1}{2}}$", "messages": []}
{"source": "olympiads", "problem": "N2", "solution": "no answer"}
{"source": "olympiads", "problem": "N3", "solution": "$\\boxed{3}$"}
)";
  const std::string gpqa =
      R"({"Record ID": "r1", "Question": "Which?", "Correct Answer": "right", "Incorrect Answer 1": "w1",
 "Incorrect Answer 2": "w2", "Incorrect Answer 3": "w3"}
)";
  return {
      {"aime22", "aime", kProblemKeys + "preprocess_config:\n  url: \"2022\"\n", kTemplate, kAimeRows, {"070"}, "P22"},
      {"aime23", "aime", kProblemKeys + "preprocess_config:\n  url: \"2023\"\n", kTemplate, kAimeRows, {"9"}, "P23"},
      {"aime24", "aime", kProblemKeys + "preprocess_config:\n  url: \"2024\"\n", kTemplate, kAimeRows, {"204"}, "P24"},
      {"aime24_sky",
       "aime",
       kProblemKeys + "preprocess_config:\n  url: \"2024\"\n",
       kTemplate,
       kAimeRows,
       {"204"},
       "P24"},
      {"aime25", "aime", kProblemKeys, kTemplate, "{\"problem\": \"Q\", \"answer\": \"82\"}\n", {"82"}, " Q"},
      {"amc23",
       "amc23",
       kProblemKeys,
       R"(  template: "{problem} <think>\n")",
       R"({"id": 0, "problem": "A22", "answer": 5.0, "url": "https://x/2022_AMC"}
{"id": 1, "problem": "A23", "answer": 27.0, "url": "https://x/2023_AMC"}
)",
       {"27"},
       "A23 <think>\n"},
      {"math500",
       "math",
       kProblemKeys,
       R"(  template: "Problem: {problem} <think>\n")",
       R"({"problem": "M", "solution": "", "answer": "\\frac{3}{4}", "subject": "s", "level": 2, "unique_id": "u"}
)",
       {"\\frac{3}{4}"},
       "Problem: M <think>\n"},
      {"minervamath",
       "math",
       "question_key: problem\nanswer_key: solution\n",
       R"(  template: "{problem}")",
       R"({"problem": "V", "solution": "The speed is $\\boxed{3e8}$ m/s.", "type": "t", "idx": 0}
)",
       {"3e8"},
       "V"},
      {"olympiadbench_math_en",
       "olympiadbench_math",
       "question_key: question\nanswer_key: final_answer\n",
       R"(  template: "{question}")",
       R"({"id": 1606, "question": "O", "final_answer": ["$-1$", "$4$"], "answer_type": "Numerical"}
)",
       {"$-1$, $4$"},
       "O"},
      {"numina",
       "numina",
       "question_key: problem\nanswer_key: solution\n",
       kTemplate,
       numina,
       {"\\frac{1}{2}", "3"},
       "N1"},
      {"gsm8k",
       "gsm8k",
       kQuestionKeys,
       R"(  template: "Problem: {question}\nend")",
       R"({"question": "G", "answer": "500*2=<<500*2=1000>>1000\n#### 1,000"}
)",
       {"1,000"},
       "Problem: G\n"},
      {"gpqa_diamond",
       "gpqa_diamond",
       "question_key: Question\nanswer_key: Answer\n",
       kTemplate,
       gpqa,
       {"?"},
       "Which?\nA) "},
      {"mmlu",
       "mmlu",
       kQuestionKeys,
       kTemplate,
       R"({"question": "U", "subject": "s", "choices": ["one ", "two", "three", "four"], "answer": 2}
)",
       {"C"},
       "U\nAnswer Choices: (A) one (B) two (C) three (D) four"},
      {"mmlu_pro",
       "mmlu_pro",
       kQuestionKeys,
       kTemplate,
       R"({"question_id": 7, "question": "R", "options": ["a", "b", "c", "d", "e", "f"], "answer": "F", "answer_index": 5}
)",
       {"F"},
       "R\nAnswer Choices: (A) a (B) b (C) c (D) d (E) e (F) f"},
      {"arc_c",
       "arc_c",
       "question_key: question\nanswer_key: answerKey\n",
       R"(  template: "Pick.\n{question}\n{choices_text}")",
       R"({"id": "x", "question": "S", "choices": {"text": ["p", "q", "r"], "label": ["1", "2", "3"]}, "answerKey": "2"}
)",
       {"B"},
       "S\nA.p\nB.q\nC.r"},
      {"livecodebench",
       "livecodebench",
       "question_key: task_id\nanswer_key: null\n",
       "  stdin_template: \"stdin. {prompt}\"\n  non_stdin_template: \"function. {prompt}\"",
       kCodeRows,
       {},
       "Add."},
      {"livecodebench_v5",
       "livecodebench_v5",
       "question_key: task_id\nanswer_key: null\n",
       "  stdin_template: \"{prompt}\"\n  non_stdin_template: \"{prompt}\"",
       "{\"task_id\": \"t1\", \"prompt\": \"Add.\", \"is_stdin\": true}\n",
       {},
       "Add."},
      {"apps",
       "apps",
       "question_key: question\nanswer_key: null\n",
       "  with_fn_name_template: \"with. {prompt}\"\n  without_fn_name_template: \"without. {prompt}\"\n"
       "  with_starter_code_template: \"{input}\\n{starter_code}\"",
       R"({"problem_id": 0, "question": "Add.", "input_output": "{\"inputs\": [], \"outputs\": []}", "starter_code": ""}
)",
       {},
       "Add.\n"},
      {"taco",
       "taco",
       "question_key: question\nanswer_key: null\n",
       "  initial_template: \"Q:\\n{prompt}\"\n  starter_code_template: \"{input}\\n{starter_code}\"\n"
       "  stdin_template: \"{input}\\nUse Standard Input format\"\n  call_template: \"{input}\\nUse Call-Based "
       "format\"",
       R"({"question": "Add.", "input_output": "{\"fn_name\": \"add\"}", "starter_code": "def add(a, b):"}
)",
       {},
       "Add.\ndef add(a, b):\nUse Call-Based format"},
  };
}

inline std::string yaml_of(const Made& made) {
  return "handler: " + made.handler + "\ndataset_path: some/data\ndataset_subset: null\ndataset_split: test\n" +
         made.keys + "templating_parameters:\n" + made.templates + "\n";
}

}  // namespace specthink
