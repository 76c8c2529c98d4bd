#!/usr/bin/env python3
"""How requests and the server end: clients that go away, full queues, keys, stops, ranks that are lost."""

import json
import os
import signal
import socket
import threading
import time
import unittest

from running_server import EXACT, RunningServer, chat, joined, run_program, text_of


def post_bytes(body):
    data = json.dumps(body).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(data) + data


LONG = {"max_tokens": 900, "ignore_eos": True}


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Client(threading.Thread):
    """A request of its own thread."""

    def __init__(self, server, body):
        super().__init__()
        self.server, self.body = server, body
        self.status = self.reply = self.headers = None
        self.start()

    def run(self):
        try:
            self.status, self.reply, self.headers = self.server.request("POST", "/v1/chat/completions", self.body)
        except (OSError, EOFError) as error:
            self.reply = error
        except Exception as error:  # http.client has many
            self.reply = error


class Ends(unittest.TestCase):
    def test_a_client_that_goes_away_frees_its_sequence(self):
        with RunningServer(*EXACT, "--batch", "1") as server:
            for body in [chat(0, stream=True, **LONG), chat(0, **LONG), chat(0, n=3, **LONG)]:
                before = server.metrics()["specthink_clients_gone_total"]
                with socket.create_connection(("127.0.0.1", server.port)) as connection:
                    connection.sendall(post_bytes(body))
                    wait_for(lambda: server.metrics()["specthink_runs_running"] == 1)
                after = server.wait_until_idle()
                self.assertEqual(after["specthink_clients_gone_total"], before + 1)
            # it did not write to the end
            self.assertLess(after['specthink_tokens_total{origin="draft"}'], 3 * 900)
            server.complete(chat(0))

    def test_a_full_queue(self):
        with RunningServer(*EXACT, "--batch", "1", "--max-queue", "2", "--queue-timeout", "1") as server:
            self.assertEqual(server.request("POST", "/v1/chat/completions", chat(0, n=3))[0], 400)
            clients = [Client(server, chat(0, **LONG))]
            wait_for(lambda: server.metrics()["specthink_runs_running"] == 1)
            clients += [Client(server, chat(0, **LONG)) for _ in range(2)]
            wait_for(lambda: server.metrics()["specthink_runs_waiting"] == 2)
            status, reply, headers = server.request("POST", "/v1/chat/completions", chat(0))
            self.assertEqual((status, reply["error"]["type"]), (429, "rate_limit_error"))
            self.assertGreaterEqual(int(headers["Retry-After"]), 1)
            for client in clients:
                client.join()
            self.assertEqual(clients[0].status, 200)
            self.assertLessEqual({client.status for client in clients[1:]}, {200, 503})
            for client in clients:
                if client.status == 503:
                    self.assertIn("queue-timeout", client.reply["error"]["message"])

    def test_too_many_connections(self):
        with RunningServer(*EXACT, "--max-connections", "3") as server:
            held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
            wait_for(lambda: server.raw(b"").startswith(b"HTTP/1.1 503 "))
            for connection in held:
                connection.close()
            wait_for(lambda: server.raw(b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 "))

    def test_a_key(self):
        os.environ["SPECTHINK_API_KEY"] = "geheim"
        try:
            server = RunningServer(*EXACT)
        finally:
            del os.environ["SPECTHINK_API_KEY"]
        with server:
            for key in [None, "", "Bearer", "Bearer ", "Bearer gehei", "Bearer geheimer", "Bearer Geheim", "Basic geheim", "geheim"]:
                headers = {} if key is None else {"Authorization": key}
                for method, path in [("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("GET", "/v1/none")]:
                    status, reply, _ = server.request(method, path, chat(0, max_tokens=1) if method == "POST" else None, headers)
                    self.assertEqual((status, reply["error"]["type"]), (401, "authentication_error"), key)
            headers = {"Authorization": "Bearer geheim"}
            self.assertEqual(server.request("GET", "/v1/models", headers=headers)[0], 200)
            self.assertEqual(server.request("POST", "/v1/chat/completions", chat(0, max_tokens=1), headers)[0], 200)
            self.assertEqual(server.request("GET", "/health")[0], 200)
            self.assertNotIn("geheim", server.text())

    def test_a_stop_answers_what_was_accepted(self):
        server = RunningServer(*EXACT, "--batch", "2", "--drain-timeout", "300", ranks=2)
        clients = [Client(server, chat(problem, max_tokens=150, ignore_eos=True)) for problem in range(4)]
        wait_for(lambda: server.metrics()["specthink_runs_running"] == 2 and server.metrics()["specthink_runs_waiting"] == 2)
        late = server.connect()
        late.request("GET", "/health")
        late.getresponse().read()
        os.kill(server.rank_pids()[1], signal.SIGTERM)  # as srun does: to any rank
        wait_for(lambda: server.raw_or_refused(b"GET /health HTTP/1.0\r\n\r\n") != 200)
        late.close()
        for client in clients:
            client.join()
        self.assertEqual([client.status for client in clients], [200] * 4)
        self.assertEqual({client.reply["usage"]["completion_tokens"] for client in clients}, {150})
        self.assertEqual(server.process.wait(timeout=60), 0)

    def test_a_stop_does_not_wait_for_ever(self):
        server = RunningServer(*EXACT, "--batch", "1", "--drain-timeout", "0.2")
        clients = [Client(server, chat(0, stream=stream, **LONG)) for stream in [True, False]]
        wait_for(lambda: server.metrics()["specthink_runs_running"] == 1)
        self.assertEqual(server.stop(), 0)
        for client in clients:
            client.join()
        for client, stream in zip(clients, [True, False]):
            if client.status == 200 and stream:
                self.assertIn("stopping", client.reply)
                self.assertTrue(client.reply.endswith("data: [DONE]\n\n"))
            else:
                self.assertEqual(client.status, 503)

    def test_a_lost_rank_ends_the_job(self):
        server = RunningServer(*EXACT, "--batch", "1", ranks=2)
        clients = [Client(server, chat(0, stream=stream, **LONG)) for stream in [True, False]]
        wait_for(lambda: server.metrics()["specthink_runs_running"] == 1 and server.metrics()["specthink_runs_waiting"] == 1)
        os.kill(server.rank_pids()[1], signal.SIGKILL)
        for client in clients:
            client.join()
        self.assertNotEqual(server.process.wait(timeout=60), 0)
        ended = [client for client in clients if client.status is not None]
        self.assertEqual(len(ended), 2, [client.reply for client in clients])
        for client in ended:
            self.assertTrue(client.status == 503 or "the server has ended" in client.reply, client.reply)
        self.assertIn("its process is gone", server.text())

    def test_an_idle_server_is_not_taken_for_a_stuck_one(self):
        with RunningServer(*EXACT, "--collective-timeout", "1", ranks=2) as server:
            time.sleep(4)
            server.complete(chat(0, max_tokens=5))
            time.sleep(3)
            server.complete(chat(0, max_tokens=5))

    def test_groups_share_the_requests(self):
        with RunningServer(*EXACT, "--batch", "2") as server:
            alone = [text_of(server.complete(chat(problem, max_tokens=60))) for problem in range(6)]
        server = RunningServer(*EXACT, "--batch", "2", "--tp", "1", ranks=2)
        self.assertIn("4 answers at a time", server.text())
        clients = [Client(server, chat(problem, max_tokens=60)) for problem in range(6)]
        wait_for(lambda: server.metrics()["specthink_runs_running"] > 2)
        for client in clients:
            client.join()
        self.assertEqual([text_of(client.reply) for client in clients], alone)
        events = [joined(server.stream(chat(problem, max_tokens=60, stop="display"))) for problem in range(2)]
        self.assertEqual(events, [text[: text.find("display")] for text in alone[:2]])
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(post_bytes(chat(0, n=4, **LONG)))
            wait_for(lambda: server.metrics()["specthink_runs_running"] == 4)
        self.assertEqual(server.wait_until_idle()["specthink_clients_gone_total"], 1)
        late = Client(server, chat(0, n=2, max_tokens=100))
        wait_for(lambda: server.metrics()["specthink_runs_running"] == 2)
        self.assertEqual(server.stop(), 0)
        late.join()
        self.assertEqual(late.status, 200)

    def test_bad_settings_are_one_message(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            for flags, word, code in [
                (["--port", str(taken.getsockname()[1])], "cannot listen", 3),
                (["--host", "nowhere.example"], "IP address", 2),
                (["--port", "70000"], "port", 2),
                (["--max-queue", "0"], "max-queue", 2),
                (["--request-timeout", "0"], "request-timeout", 2),
            ]:
                result = run_program("serve", *EXACT, *flags)
                self.assertEqual(result.returncode, code, result.stderr)
                messages = [line for line in result.stderr.splitlines() if line.startswith("specthink: ")]
                self.assertEqual(len(messages), 1, result.stderr)
                self.assertIn(word, messages[0])


if __name__ == "__main__":
    unittest.main()
