#!/usr/bin/env python3
"""Requests that are wrong in a hundred ways: each gets its status and one JSON error, and the server is as before."""

import json
import socket
import time
import unittest

from running_server import EXACT, RunningServer, chat

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"


def deep(levels):
    return "[" * levels + "]" * levels


# Bodies of the chat endpoint as bytes, with a word of the message.
BODIES = [
    (b"", "body"),
    (b"{", "body"),
    (b"}", "body"),
    (b"[]", "object"),
    (b"null", "object"),
    (b"7", "object"),
    (b'"text"', "object"),
    (b'{"messages": [', "body"),
    (b'{"messages": [{"role": "user", "content": "cut sho', "body"),
    (b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}', "body"),
    (b'{"messages": [{"role": "user", "content": "\xed\xa0\x80"}]}', "body"),
    (b'\xef\xbb\xbf{"messages"', "body"),
    (b'{"messages": [{"role": "user", "content": "a"}],}', "body"),
    (b"{'messages': []}", "body"),
    (b'{"messages": [{"role": "user", "content": "a\n"}]}', "body"),
    (b"\x00\x01\x02", "body"),
    (b'{"n": 1e400, "messages": [{"role": "user", "content": "a"}]}', ""),
    (b'{"messages": ' + deep(5000).encode() + b"}", "body"),
    (b'{"messages": [{"role": "user", "content": ' + deep(200).encode() + b"}]}", "messages"),
]

# Fields of a chat request, with the field that the error names.
FIELDS = [
    *[({"messages": value}, "messages") for value in [None, [], {}, "hi", 3, True]],
    *[({"messages": [value]}, "messages[0]") for value in [None, "hi", 3, []]],
    ({"messages": [{}]}, "messages[0].role"),
    ({"messages": [{"role": 3, "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": {}}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [3]}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages[0].content"),
    ({"messages": [{"role": "assistant", "content": "", "tool_calls": [{}]}]}, "tool_calls"),
    *[({"model": value}, "model") for value in [3, [], {}, True]],
    *[({"max_tokens": value}, "max_tokens") for value in [0, -1, 1.5, "3", True, [], 2**31, 2**63, 2**64, 10**30, 1e300]],
    ({"max_tokens": 3, "max_completion_tokens": 4}, "max_tokens"),
    *[({"max_completion_tokens": value}, "max_completion_tokens") for value in [0, "3", {}]],
    *[({"n": value}, "n") for value in [0, -1, 129, 1.5, "2", True, 2**40]],
    *[({"temperature": value}, "temperature") for value in [-0.1, "1", True, [], 1e300]],
    *[({"top_p": value}, "top_p") for value in [0, -1, 1.1, "1", {}]],
    *[({"top_k": value}, "top_k") for value in [-2, 1.5, "3", 2**40]],
    *[({"seed": value}, "seed") for value in ["1", 1.5, 2**63, 2**64, [], 10**40]],
    *[({"stop": value}, "stop") for value in ["", [""], [3], {}, 3, True, ["x"] * 17, "x" * 2000, [["a"]]]],
    *[({"stream": value}, "stream") for value in ["yes", 1, []]],
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stream": True, "stream_options": 3}, "stream_options"),
    ({"stream": True, "stream_options": {"include_usage": 3}}, "stream_options.include_usage"),
    ({"stream": True, "stream_options": {"else": 3}}, "stream_options.else"),
    *[({"chat_template_kwargs": value}, "chat_template_kwargs") for value in [3, "a", [], {"messages": []}, {"add_generation_prompt": False}]],
    *[({"schedule": value}, "schedule") for value in [3, "a", []]],
    ({"ignore_eos": "yes"}, "ignore_eos"),
    ({"model": "target", "schedule": {}}, "schedule"),
    ({"maxtokens": 3}, "maxtokens"),
    ({"tools": [{"type": "function"}]}, "tools"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"functions": [{}]}, "functions"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"logit_bias": {"5": 3}}, "logit_bias"),
    ({"frequency_penalty": 1}, "frequency_penalty"),
    ({"presence_penalty": 0.5}, "presence_penalty"),
    ({"repetition_penalty": 1.1}, "repetition_penalty"),
    ({"min_p": 0.1}, "min_p"),
    ({"guided_json": {}}, "guided_json"),
    ({"best_of": 2}, "best_of"),
    ({"modalities": ["audio"]}, "modalities"),
]

MESSAGES = [  # that name no single field
    ({"schedule": {"mode": "hf"}}, "mode"),
    ({"schedule": {"temperature": 1}}, "temperature"),
    ({"schedule": {"max_target_tokens": -3}}, "max_target_tokens"),
    ({"schedule": {"begin": 3}}, "begin"),
    ({"schedule": {"nonsense": 3}}, "nonsense"),
    ({"messages": [{"role": "user", "content": "word " * 3000}]}, "context"),
]

PROMPTS = [None, [], {}, 3, True, [[]], [[1], "a", 3], [1.5], [-1], [2**40], [10**6], "", ["a"] * 129]

# Bytes that are no request, and the status that they get; 0: none, the connection is closed.
RAW = [
    (b"nonsense\r\n\r\n", 400),
    (b"GET\r\n\r\n", 400),
    (b"GET / HTTP/9.9\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
    (b"GET /health HTTP/1.1\r\nbroken header\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
    (b"POST " + CHAT.encode() + b" HTTP/1.1\r\nContent-Length: 5x\r\n\r\n", 400),
    (b"POST " + CHAT.encode() + b" HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
    (b"POST " + CHAT.encode() + b" HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n{", 413),
    (b"POST " + CHAT.encode() + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (b"POST " + CHAT.encode() + b" HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n" + b"a" * 100, 413),
    (b"GET /health HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", 431),
    (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 431),
    (b"GET /none HTTP/1.1\r\nConnection: close\r\n\r\n", 404),
    (b"GET /%ff%00 HTTP/1.1\r\nConnection: close\r\n\r\n", 404),
    (b"GET " + CHAT.encode() + b" HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
    (b"POST /health HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 405),
    (b"BREW /health HTTP/1.1\r\nConnection: close\r\n\r\n", 405),
    (b"POST " + CHAT.encode() + b" HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 400),
]


class Malformed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = RunningServer(*EXACT, "--request-timeout", "1.5", "--max-request-bytes", "200000")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.text()

    def tearDown(self):
        metrics = self.server.wait_until_idle()
        self.assertEqual(metrics["specthink_runs_waiting"], 0)
        self.assertEqual(self.server.request("GET", "/health")[0], 200)

    def refused(self, body, path=CHAT, status=400):
        found, reply, _ = self.server.request("POST", path, body)
        self.assertEqual(found, status, reply)
        self.assertEqual(set(reply["error"]), {"message", "type", "param", "code"})
        self.assertEqual(reply["error"]["code"], status)
        self.assertNotIn("\n", reply["error"]["message"])
        return reply["error"]

    def test_there_are_a_hundred_kinds(self):
        self.assertGreaterEqual(len(BODIES) + len(FIELDS) + len(MESSAGES) + len(PROMPTS) + len(RAW), 100)

    def test_bodies_that_are_no_request(self):
        for body, word in BODIES:
            with self.subTest(body=body[:60]):
                self.assertIn(word, self.refused(body)["message"])

    def test_fields_of_the_wrong_kind_are_named(self):
        for fields, name in FIELDS:
            with self.subTest(fields=str(fields)[:80]):
                error = self.refused({**chat(0, max_tokens=1), **fields})
                self.assertTrue(name in (error["param"] or "") or f"'{name}'" in error["message"], error)

    def test_settings_of_the_schedule_and_long_prompts(self):
        for fields, word in MESSAGES:
            with self.subTest(fields=str(fields)[:80]):
                self.assertIn(word, self.refused({**chat(0, max_tokens=1), **fields})["message"])

    def test_prompts(self):
        for prompt in PROMPTS:
            with self.subTest(prompt=str(prompt)[:40]):
                self.refused({"prompt": prompt, "max_tokens": 1}, TEXT)
        self.refused({"prompt": "a", "echo": True}, TEXT)
        self.refused({"prompt": "a", "logprobs": 5}, TEXT)
        self.refused({"prompt": "a", "messages": []}, TEXT)

    def test_a_name_that_does_not_exist(self):
        self.assertEqual(self.refused({**chat(0), "model": "x" * 100_000}, status=404)["param"], "model")

    def test_neutral_values_of_what_is_not_supported(self):
        neutral = {"tools": [], "tool_choice": "none", "response_format": {"type": "text"}, "logit_bias": {}, "n": 1,
                   "frequency_penalty": 0, "presence_penalty": 0.0, "logprobs": False, "user": "me", "metadata": {"a": "b"}}
        self.server.complete(chat(0, max_tokens=1, **neutral))

    def test_bytes_that_are_no_http(self):
        for data, status in RAW:
            with self.subTest(data=data[:60]):
                received = self.server.raw(data)
                head, _, body = received.partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 %d " % status), received[:200])
                self.assertIn("error", json.loads(body))

    def test_a_large_body(self):
        self.refused({**chat(0), "user": "x" * 300_000}, status=413)

    def test_a_slow_sender(self):
        head = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"
        for part in [head[:20], head, head + b'{"messages"']:
            with self.subTest(part=part[-12:]), socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
                connection.sendall(part)
                received = b""
                while block := connection.recv(65536):
                    received += block
                self.assertTrue(received.startswith(b"HTTP/1.1 408 "), received)

    def test_a_sender_of_single_bytes(self):
        body = json.dumps(chat(0, max_tokens=1)).encode()
        data = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(data)):
                connection.sendall(data[i : i + 1])
            received = b""
            while block := connection.recv(65536):
                received += block
        self.assertTrue(received.startswith(b"HTTP/1.1 200 "), received)

    def test_an_idle_connection_says_nothing(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
            time.sleep(2)  # longer than a request may take
            connection.sendall(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
            self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 200 "))

    def test_pipelined_requests_are_answered_in_order(self):
        body = json.dumps(chat(0, max_tokens=2)).encode()
        post = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        get = b"GET /v1/models HTTP/1.1\r\n\r\n"
        last = b"GET /none HTTP/1.1\r\nConnection: close\r\n\r\n"
        received = self.server.raw(post + get + post + get * 50 + last)
        statuses = [line.split()[1] for line in received.replace(b"HTTP/1.1 ", b"\nHTTP/1.1 ").split(b"\n") if line.startswith(b"HTTP/1.1 ")]
        self.assertEqual(statuses, [b"200"] * 53 + [b"404"])
        self.assertLess(received.find(b"chat.completion"), received.find(b'"list"'))

    def test_a_flood_behind_a_request_is_not_read(self):
        body = json.dumps(chat(0, stream=True)).encode()
        post = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        before = self.server.memory()
        self.server.raw(post + b"GET /none HTTP/1.1\r\n\r\n" * 2000 + b"junk\r\n\r\n")
        self.assertLess(self.server.memory() - before, 64 << 20)

    def test_old_http(self):
        received = self.server.raw(b"GET /health HTTP/1.0\r\n\r\n")
        self.assertTrue(received.startswith(b"HTTP/1.1 200 "), received)
        body = json.dumps(chat(0, max_tokens=3, stream=True)).encode()
        received = self.server.raw(b"POST " + CHAT.encode() + b" HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        self.assertNotIn(b"chunked", received)
        self.assertTrue(received.endswith(b"data: [DONE]\n\n"), received)

    def test_a_body_in_chunks(self):
        body = json.dumps(chat(0, max_tokens=1)).encode()
        data = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        for i in range(0, len(body), 7):
            data += b"%x\r\n" % len(body[i : i + 7]) + body[i : i + 7] + b"\r\n"
        self.assertTrue(self.server.raw(data + b"0\r\n\r\n").startswith(b"HTTP/1.1 200 "))

    def test_expect_continue(self):
        body = json.dumps(chat(0, max_tokens=1)).encode()
        head = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
            connection.sendall(head % len(body))
            self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 100 "))
            connection.sendall(body)
            self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 200 "))


if __name__ == "__main__":
    unittest.main()
