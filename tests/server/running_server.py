"""Starts `specthink serve` on the demo pair for a test, and talks to it."""

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(os.environ.get("SPECTHINK_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BINARY = os.environ.get("SPECTHINK_BINARY", str(ROOT / "build/specthink"))
MPIRUN = os.environ.get("SPECTHINK_MPIRUN", "mpirun --allow-run-as-root --oversubscribe --bind-to none --quiet -np")
# Answers that do not depend on who shares a step.
EXACT = ["--config", "configs/demo.yml", "--dtype", "float32", "--temperature", "0"]
DEADLINE = 120  # seconds for anything

PROBLEMS = [json.loads(line)["problem"] for line in (ROOT / "configs/tasks/demo.jsonl").read_text().splitlines()]


def demo_prompt(problem):
    return f"Work through the list, one thought for each step. {PROBLEMS[problem]}"


def chat(problem=0, **fields):
    return {"messages": [{"role": "user", "content": demo_prompt(problem)}], **fields}


def run_program(*arguments, ranks=1):
    command = [*shlex.split(MPIRUN), str(ranks), BINARY, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False)


def generate(problem, *arguments):
    """What `specthink generate` answers, as its JSON object."""
    result = run_program("generate", *EXACT, "--format", "json", *arguments, demo_prompt(problem))
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


class RunningServer:
    def __init__(self, *arguments, ranks=1):
        self.log = tempfile.NamedTemporaryFile(mode="r", prefix="specthink_serve_")
        command = [*shlex.split(MPIRUN), str(ranks), BINARY, "serve", "--port", "0", *arguments]
        with open(self.log.name, "w") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=log)
        self.port = int(self.wait_for(r"listening on http://[^ ]*:(\d+)"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=DEADLINE)

    def text(self):
        return Path(self.log.name).read_text(errors="replace")

    def wait_for(self, pattern):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            if match := re.search(pattern, self.text()):
                return match.group(match.lastindex or 0)
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"no '{pattern}' in: {self.text()}")

    def rank_pids(self):
        """Process ids of the ranks, in their order."""
        ranks = {}
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            for variable in environment:
                if variable.startswith(b"OMPI_COMM_WORLD_RANK="):
                    ranks[int(variable.split(b"=")[1])] = int(pid)
        return [ranks[rank] for rank in sorted(ranks)]

    def memory(self):
        """Bytes of rank 0 that are in memory."""
        status = Path(f"/proc/{self.rank_pids()[0]}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def stop(self):
        """Asks it to end, and waits for that. Returns the exit code."""
        self.process.send_signal(signal.SIGUSR1)  # SIGTERM to mpirun leaves two seconds
        return self.process.wait(timeout=DEADLINE)

    # --- Requests

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)

    def request(self, method, path, body=None, headers=None):
        """Status, body (parsed where it is JSON) and headers."""
        connection = self.connect()
        try:
            data = json.dumps(body) if isinstance(body, (dict, list)) else body
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            text = response.read()
            is_json = response.getheader("Content-Type", "").startswith("application/json")
            return response.status, json.loads(text) if is_json else text.decode(), response.headers
        finally:
            connection.close()

    def complete(self, body, path="/v1/chat/completions"):
        status, reply, _ = self.request("POST", path, body)
        assert status == 200, reply
        return reply

    def stream(self, body, path="/v1/chat/completions"):
        """The events of a stream but the last one, parsed."""
        status, text, headers = self.request("POST", path, {**body, "stream": True})
        assert status == 200, text
        assert headers["Content-Type"].startswith("text/event-stream"), headers
        events = [event.removeprefix("data: ") for event in text.split("\n\n") if event]
        assert events[-1] == "[DONE]", events[-1]
        return [json.loads(event) for event in events[:-1]]

    def metrics(self):
        """{name with labels: value}."""
        _, text, _ = self.request("GET", "/metrics")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def wait_until_idle(self):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            metrics = self.metrics()
            if metrics["specthink_runs_running"] == 0 and metrics["specthink_runs_waiting"] == 0:
                return metrics
            time.sleep(0.02)
        raise AssertionError(f"the server is not idle: {metrics}")

    def raw(self, data, *, half_close=False):
        """Sends bytes, and returns what comes until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as connection:
            try:
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server has answered before it had read everything
            received = b""
            while True:
                try:
                    block = connection.recv(65536)
                except ConnectionResetError:
                    return received
                if not block:
                    return received
                received += block

    def raw_or_refused(self, data):
        """The status of what is answered; 0: nothing was."""
        try:
            received = self.raw(data)
        except OSError:
            return 0
        return int(received.split()[1]) if received else 0


def tagged(thought, answer):
    """The text as the model wrote it: the server takes the tags away."""
    if not thought:
        return answer
    return f"<think>{thought}" + (f"</think>{answer}" if answer else "")


def text_of(reply, choice=0):
    """The whole text of a choice of a reply."""
    message = reply["choices"][choice]["message"]
    assert message["reasoning"] == message["reasoning_content"]
    return tagged(message["reasoning"], message["content"] or "")


def joined(events, choice=0):
    """The same from the events of a stream."""
    parts = [part["delta"] for event in events for part in event["choices"] if part["index"] == choice]
    assert all(part.get("reasoning") == part.get("reasoning_content") for part in parts)
    return tagged(*("".join(part.get(field) or "" for part in parts) for field in ["reasoning", "content"]))
