#!/usr/bin/env python3
"""Answers of `specthink serve`: equal to those of `generate`, whole and as streams, of each model, with all fields."""

import concurrent.futures
import json
import unittest

from running_server import EXACT, RunningServer, chat, demo_prompt, generate, joined, run_program, text_of


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = RunningServer(*EXACT, ranks=2)
        cls.reference = generate(0)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.text()
        assert "stopped" in cls.server.text()

    def test_a_chat_is_answered_as_generate_does(self):
        reply = self.server.complete(chat(0))
        self.assertEqual(reply["object"], "chat.completion")
        choice = reply["choices"][0]
        self.assertEqual(text_of(reply), self.reference["text"])
        self.assertIn("boxed", choice["message"]["content"])
        self.assertNotIn("boxed", choice["message"]["reasoning"])
        self.assertEqual(choice["message"]["role"], "assistant")
        self.assertEqual(choice["finish_reason"], self.reference["finish_reason"])
        usage = reply["usage"]
        self.assertEqual(usage["completion_tokens"], len(self.reference["ids"]))
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])
        for key in ["draft", "target", "injected", "target_wasted"]:
            self.assertEqual(usage["ledger"][key], self.reference["ledger"][key], key)
        origins = choice["specthink"]["origins"]
        self.assertEqual(sum(characters for _, characters in origins), len(self.reference["text"]) - len("<think></think>"))
        self.assertEqual({name for name, _ in origins}, {"draft", "target"})

    def test_a_stream_is_the_same_text_and_says_who_wrote_it(self):
        events = self.server.stream(chat(0, stream_options={"include_usage": True}))
        self.assertEqual(joined(events), self.reference["text"])
        self.assertEqual(events[0]["choices"][0]["delta"], {"role": "assistant", "content": ""})
        self.assertEqual({event["object"] for event in events}, {"chat.completion.chunk"})
        self.assertEqual(len({event["id"] for event in events}), 1)
        written = {}
        for event in events:
            for choice in event["choices"]:
                if "specthink" in choice:
                    origin = choice["specthink"]["origin"]
                    written[origin] = written.get(origin, 0) + len(choice["delta"].get("content") or choice["delta"]["reasoning"])
        self.assertEqual(set(written), {"draft", "target"})
        self.assertGreater(written["draft"], written["target"])
        self.assertEqual(events[-2]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(events[-1]["choices"], [])
        self.assertEqual(events[-1]["usage"]["completion_tokens"], len(self.reference["ids"]))
        self.assertTrue(all(event["usage"] is None for event in events[:-1]))

    def test_without_include_usage_there_is_none(self):
        events = self.server.stream(chat(0, max_tokens=4))
        self.assertTrue(all("usage" not in event for event in events))
        self.assertEqual(events[-1]["choices"][0]["finish_reason"], "length")

    def test_models_are_chosen_by_name(self):
        status, reply, _ = self.server.request("GET", "/v1/models")
        self.assertEqual(status, 200)
        self.assertEqual([model["id"] for model in reply["data"]], ["draft+target", "target", "draft"])
        self.assertEqual(self.server.request("GET", "/v1/models/target")[1]["id"], "target")
        self.assertEqual(self.server.request("GET", "/v1/models/none")[0], 404)
        alone = self.server.complete(chat(0, model="target", max_tokens=40))
        self.assertEqual(alone["usage"]["ledger"]["target"], 40)
        self.assertEqual(alone["model"], "target")
        alone = self.server.complete(chat(0, model="draft", max_completion_tokens=40))
        self.assertEqual(alone["usage"]["ledger"]["draft"], 40)
        status, reply, _ = self.server.request("POST", "/v1/chat/completions", chat(0, model="gpt-4"))
        self.assertEqual((status, reply["error"]["param"]), (404, "model"))

    def test_completions_go_on_with_text_or_ids(self):
        text = "<|im_start|>user\n" + demo_prompt(0) + "<|im_end|>\n<|im_start|>assistant\n"
        reply = self.server.complete({"prompt": text, "max_tokens": 600}, "/v1/completions")
        self.assertEqual(reply["object"], "text_completion")
        self.assertEqual(reply["choices"][0]["text"], self.reference["text"])
        events = self.server.stream({"prompt": [text, "The display"], "max_tokens": 600}, "/v1/completions")
        self.assertEqual(
            "".join(part["text"] for event in events for part in event["choices"] if part["index"] == 0),
            self.reference["text"],
        )
        self.assertEqual({part["index"] for event in events for part in event["choices"]}, {0, 1})
        ids = {"prompt": [60, 61, 62], "max_tokens": 5}
        self.assertEqual(self.server.complete(ids, "/v1/completions")["usage"]["prompt_tokens"], 3)
        defaults = self.server.complete({"prompt": "The display", "ignore_eos": True}, "/v1/completions")
        self.assertEqual(defaults["usage"]["completion_tokens"], 16)

    def test_samples_are_the_runs_of_a_seed(self):
        sampling = {"temperature": 1.0, "top_p": 0.9, "top_k": 8, "seed": 7}
        reply = self.server.complete(chat(1, n=3, max_tokens=60, **sampling))
        texts = [text_of(reply, choice) for choice in range(3)]
        self.assertEqual([choice["index"] for choice in reply["choices"]], [0, 1, 2])
        self.assertGreater(len(set(texts)), 1)
        flags = ["--temperature", "1", "--top-p", "0.9", "--top-k", "8", "--seed", "7", "--max-tokens", "60"]
        self.assertEqual(generate(1, *flags)["text"], texts[0])
        again = self.server.complete(chat(1, n=3, max_tokens=60, **sampling))
        self.assertEqual([text_of(again, choice) for choice in range(3)], texts)
        events = self.server.stream(chat(1, n=3, max_tokens=60, **sampling))
        self.assertEqual([joined(events, choice) for choice in range(3)], texts)
        self.assertEqual(reply["usage"]["completion_tokens"], 180)

    def test_without_a_seed_answers_differ(self):
        texts = {
            text_of(self.server.complete(chat(1, temperature=2, top_p=1, top_k=0, max_tokens=100)))
            for _ in range(3)
        }
        self.assertGreater(len(texts), 1)

    def test_stop_texts_cut_the_answer(self):
        text = self.reference["text"]
        for stop in ["\n\n", text[30:41], text[57:64], ["never in it", text[100:103]], text[:2]]:
            # vLLM: the first stop text that is complete, and the answer ends before it
            first = min((text.find(word) for word in ([stop] if isinstance(stop, str) else stop) if word in text))
            with self.subTest(stop=stop):
                reply = self.server.complete(chat(0, stop=stop))
                choice = reply["choices"][0]
                self.assertEqual(text_of(reply), text[:first])
                self.assertEqual(choice["finish_reason"], "stop")
                self.assertIn(choice["stop_reason"], [stop] if isinstance(stop, str) else stop)
                events = self.server.stream(chat(0, stop=stop))
                self.assertEqual(joined(events), text[:first])
                self.assertLess(reply["usage"]["completion_tokens"], len(self.reference["ids"]))

    def test_what_was_asked_before_is_not_prefilled_again(self):
        def asked_twice(*flags):
            with RunningServer(*EXACT, *flags) as server:
                replies = [server.complete(chat(150)) for _ in range(2)]
            self.assertEqual(text_of(replies[0]), text_of(replies[1]))
            prompt_tokens = replies[0]["usage"]["prompt_tokens"]
            return prompt_tokens, *(reply["usage"]["ledger"]["draft_prefilled"] for reply in replies)

        prompt_tokens, first, again = asked_twice()
        self.assertGreaterEqual(first - again, prompt_tokens - 1)
        self.assertEqual(asked_twice("--no-keep-prefixes"), (prompt_tokens, first, first))

    def test_log_probabilities_are_those_of_score(self):
        text = "<|im_start|>user\n" + demo_prompt(0) + "<|im_end|>\n<|im_start|>assistant\n"
        fields = {"model": "target", "prompt": text, "max_tokens": 50, "logprobs": 0}
        reply = self.server.complete(fields, "/v1/completions")["choices"][0]
        given = reply["logprobs"]
        self.assertEqual(len(given["token_logprobs"]), 50)
        self.assertEqual("".join(given["tokens"]), reply["text"])
        self.assertEqual([reply["text"][offset] for offset in given["text_offset"]], [token[0] for token in given["tokens"]])
        for token, logprob in zip(given["tokens"], self.scores_of(text + reply["text"])[-50:], strict=True):
            self.assertAlmostEqual(given["token_logprobs"].pop(0), logprob, delta=2e-4, msg=token)
        streamed = [
            part["logprobs"]
            for event in self.server.stream(fields, "/v1/completions")
            for part in event["choices"]
            if part["logprobs"]
        ]
        again = self.server.complete(fields, "/v1/completions")["choices"][0]["logprobs"]
        for key in ["tokens", "token_logprobs", "text_offset"]:
            self.assertEqual([value for part in streamed for value in part[key]], again[key])

    def scores_of(self, text):
        result = run_program("score", *EXACT[:4], "--format", "json", text)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)["logprobs"]

    def test_log_probabilities_of_a_chat_are_of_all_its_tokens(self):
        plain = self.server.complete(chat(0))["choices"][0]
        self.assertIsNone(plain["logprobs"])
        reply = self.server.complete(chat(0, logprobs=True, top_logprobs=0))
        self.assertEqual(text_of(reply), self.reference["text"])  # measuring changes no token
        content = reply["choices"][0]["logprobs"]["content"]
        self.assertEqual(len(content), len(self.reference["ids"]))
        text = b"".join(bytes(token["bytes"]) for token in content).decode()
        self.assertEqual(text.removesuffix("<|im_end|>"), self.reference["text"])
        self.assertTrue(all(token["logprob"] <= 0 and token["top_logprobs"] == [] for token in content))
        events = self.server.stream(chat(0, logprobs=True))
        streamed = [
            token
            for event in events
            for part in event["choices"]
            if part.get("logprobs")
            for token in part["logprobs"]["content"]
        ]
        self.assertEqual([token["token"] for token in streamed], [token["token"] for token in content])
        cut = self.server.complete(chat(0, logprobs=True, stop="\n\n"))
        self.assertEqual(len(cut["choices"][0]["logprobs"]["content"]), cut["usage"]["completion_tokens"])

    def test_the_schedule_is_set_by_its_keys(self):
        reply = self.server.complete(chat(0, schedule={"begin": True, "begin_token_num": 30, "choose_large": False}))
        self.assertGreaterEqual(reply["usage"]["ledger"]["target"], 30)
        expected = generate(0, "--begin", "--begin-token-num", "30", "--no-choose-large")
        self.assertEqual(text_of(reply), expected["text"])

    def test_policies_and_budgets(self):
        reply = self.server.complete(chat(0, schedule={"policy": "token_entropy", "entropy_threshold": 0.6}))
        expected = generate(0, "--policy", "token_entropy", "--entropy-threshold", "0.6")
        self.assertEqual(text_of(reply), expected["text"])
        reply = self.server.complete(chat(0, thinking_budget=30, max_tokens=80))
        expected = generate(0, "--thinking-budget", "30", "--max-tokens", "80")
        self.assertEqual(text_of(reply), expected["text"])
        status, reply, _ = self.server.request("POST", "/v1/chat/completions", chat(0, schedule={"policy": "relay"}))
        self.assertEqual(status, 400)
        self.assertIn("policy relay", reply["error"]["message"])

    def test_the_template_has_variables(self):
        plain = self.server.complete(chat(0, max_tokens=1))["usage"]["prompt_tokens"]
        off = self.server.complete(chat(0, max_tokens=1, chat_template_kwargs={"enable_thinking": False}))
        self.assertGreater(off["usage"]["prompt_tokens"], plain)

    def test_many_at_once_are_answered_as_alone(self):
        problems = range(12)
        alone = [text_of(self.server.complete(chat(problem))) for problem in problems]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            together = list(pool.map(lambda problem: joined(self.server.stream(chat(problem))), problems))
        self.assertEqual(together, alone)

    def test_status_pages(self):
        self.assertEqual(self.server.request("GET", "/health")[:2], (200, {"status": "ok"}))
        before = self.server.metrics()
        reply = self.server.complete(chat(2))
        after = self.server.wait_until_idle()
        for origin in ["draft", "target"]:
            name = f'specthink_tokens_total{{origin="{origin}"}}'
            self.assertEqual(after[name] - before[name], reply["usage"]["ledger"][origin])
        name = "specthink_time_to_first_token_seconds_count"
        self.assertEqual(after[name] - before[name], 1)

    def test_a_connection_takes_several_requests(self):
        connection = self.server.connect()
        for path in ["/health", "/v1/models", "/health"]:
            connection.request("GET", path)
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            json.loads(response.read())
        body = json.dumps(chat(0, stream=True, max_tokens=3))
        connection.request("POST", "/v1/chat/completions", body)
        self.assertIn(b"[DONE]", connection.getresponse().read())
        connection.request("GET", "/health")
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()


if __name__ == "__main__":
    unittest.main()
