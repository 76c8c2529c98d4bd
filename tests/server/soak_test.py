#!/usr/bin/env python3
"""Many clients at once, a tenth of which goes away: nothing is lost or stuck, every answer is that of its seed alone.

SPECTHINK_SOAK_SECONDS (20) and SPECTHINK_SOAK_CLIENTS (16) make it longer.
"""

import http.client
import json
import os
import random
import socket
import threading
import time
import unittest

from running_server import EXACT, RunningServer, chat, joined, text_of

SECONDS = float(os.environ.get("SPECTHINK_SOAK_SECONDS", "20"))
CLIENTS = int(os.environ.get("SPECTHINK_SOAK_CLIENTS", "12"))
NUM_PROBLEMS = 3
KINDS = [{"model": "draft+target"}, {"model": "target", "max_tokens": 40}, {"model": "draft", "max_tokens": 80}]


class Soak(unittest.TestCase):
    def body(self, problem, kind):
        return chat(problem, **KINDS[kind])

    def work(self, number, server, expected, end, found):
        chooser = random.Random(number)
        while time.monotonic() < end and not found["wrong"]:
            problem, kind = chooser.randrange(NUM_PROBLEMS), chooser.randrange(len(KINDS))
            body = self.body(problem, kind)
            if chooser.random() < 0.1:
                with socket.create_connection(("127.0.0.1", server.port)) as connection:
                    data = json.dumps({**body, "stream": chooser.random() < 0.5}).encode()
                    connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
                    time.sleep(chooser.random() * 0.2)
                found["gone"] += 1
                continue
            try:
                if chooser.random() < 0.5:
                    text = joined(server.stream(body))
                else:
                    text = text_of(server.complete(body))
            except (OSError, AssertionError, http.client.HTTPException) as error:
                found["wrong"].append(repr(error))
                return
            if text != expected[problem, kind]:
                found["wrong"].append((problem, kind, text))
            found["answered"] += 1

    def test_soak(self):
        with RunningServer(*EXACT, "--batch", "6") as server:
            expected = {
                (problem, kind): text_of(server.complete(self.body(problem, kind)))
                for problem in range(NUM_PROBLEMS)
                for kind in range(len(KINDS))
            }
            found = {"gone": 0, "answered": 0, "wrong": []}
            memory = []
            start = time.monotonic()
            end = start + SECONDS
            clients = [threading.Thread(target=self.work, args=(i, server, expected, end, found)) for i in range(CLIENTS)]
            for client in clients:
                client.start()
            while time.monotonic() < end:
                time.sleep(SECONDS / 20)
                memory.append(server.memory())
            for client in clients:
                client.join()
            metrics = server.wait_until_idle()
            print(f"{found['answered']} answers, {found['gone']} gone, memory {memory[0] >> 20} to {memory[-1] >> 20} MiB")
            self.assertEqual(found["wrong"], [])
            self.assertGreater(found["answered"], CLIENTS)
            self.assertGreater(found["gone"], 0)
            self.assertEqual(metrics["specthink_runs_running"], 0)
            # After half of the time every page of the cache has been used.
            self.assertLess(memory[-1], memory[len(memory) // 2] * 1.03 + (4 << 20))


if __name__ == "__main__":
    unittest.main()
