#!/usr/bin/env python3
"""The official Python client of the OpenAI API against `specthink serve`. Exit code 77 where it is not installed."""

import sys
import unittest

try:
    import openai
except ImportError:
    print("the package openai is not installed")
    sys.exit(77)

from running_server import EXACT, RunningServer, chat, generate, tagged


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = RunningServer(*EXACT, "--api-key", "key", "--batch", "2", "--max-queue", "2", ranks=2)
        cls.client = openai.OpenAI(base_url=f"http://127.0.0.1:{cls.server.port}/v1", api_key="key", max_retries=0)
        cls.reference = generate(0)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.text()

    def create(self, **fields):
        return self.client.chat.completions.create(model="draft+target", **chat(0, **fields))

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["draft+target", "target", "draft"])
        self.assertEqual(self.client.models.retrieve("draft").owned_by, "specthink")

    def test_a_chat(self):
        reply = self.create()
        message = reply.choices[0].message
        self.assertEqual(tagged(message.reasoning, message.content), self.reference["text"])
        self.assertEqual(reply.usage.completion_tokens, len(self.reference["ids"]))
        self.assertEqual(reply.usage.model_extra["ledger"]["target"], self.reference["ledger"]["target"])

    def test_a_stream(self):
        chunks = list(self.create(stream=True, stream_options={"include_usage": True}))
        parts = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        thought = "".join(getattr(part, "reasoning", None) or "" for part in parts)
        self.assertEqual(tagged(thought, "".join(part.content or "" for part in parts)), self.reference["text"])
        self.assertEqual(chunks[-1].usage.completion_tokens, len(self.reference["ids"]))
        self.assertIn("origin", chunks[1].choices[0].model_extra["specthink"])

    def test_completions(self):
        reply = self.client.completions.create(model="target", prompt="The display shows", max_tokens=5, n=2, seed=3)
        self.assertEqual(len(reply.choices), 2)
        parts = self.client.completions.create(model="target", prompt="The display shows", max_tokens=5, stream=True)
        self.assertEqual("".join(part.choices[0].text for part in parts), reply.choices[0].text)

    def test_errors_have_their_classes(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create(temperature=-1)
        self.assertEqual(caught.exception.param, "temperature")
        with self.assertRaises(openai.NotFoundError):
            self.client.chat.completions.create(model="none", **chat(0))
        with self.assertRaises(openai.AuthenticationError):
            self.client.with_options(api_key="wrong").models.list()
        with self.assertRaises(openai.BadRequestError):
            self.create(response_format={"type": "json_object"})

    def test_a_stream_that_is_closed(self):
        stream = self.create(stream=True, max_tokens=900, extra_body={"ignore_eos": True})
        next(iter(stream))
        stream.close()
        metrics = self.server.wait_until_idle()
        self.assertGreaterEqual(metrics["specthink_clients_gone_total"], 1)


if __name__ == "__main__":
    unittest.main()
