#!/usr/bin/env python3
"""The program talks to no other machine: commands run under network_guard.c, which refuses that and writes it down.

  network_test.py GUARD      the guard as a shared library
"""

import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(os.environ["SPECTHINK_SOURCE_DIR"])
BINARY = os.environ["SPECTHINK_BINARY"]
MPIRUN = shlex.split(os.environ["SPECTHINK_MPIRUN"])
GUARD = Path(sys.argv[1]).resolve()
DEADLINE = 120  # seconds for anything
ELSEWHERE = "192.0.2.1"  # of a network that is for documents: nobody is there, and the guard lets nothing out


class Guarded:
    """One command, whose ranks alone are guarded: mpirun may reach the machines that it is told of."""

    def __init__(self, folder, *command, ranks=0):
        self.log = folder / "guard.log"
        self.log.write_text("")
        guarded = ["env", f"LD_PRELOAD={GUARD}", f"NETWORK_GUARD_LOG={self.log}", *command]
        self.process = subprocess.Popen([*MPIRUN, str(ranks), *guarded] if ranks else guarded, cwd=ROOT, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self):
        self.out, self.err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode

    def loaded(self, name):
        return self.log.read_text().split("\n").count(f"loaded {name}")

    def refused(self):
        return [line for line in self.log.read_text().splitlines() if line.startswith("refused")]


def test_guard_refuses(folder):
    script = (f"import socket, sys\ntry:\n  socket.create_connection(('{ELSEWHERE}', 9), timeout=5)\nexcept OSError: pass\n"
              f"try:\n  socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('{ELSEWHERE}', 9))\nexcept OSError: pass\n"
              "try:\n  socket.getaddrinfo('models.example', 443)\nexcept OSError: pass\n")
    run = Guarded(folder, sys.executable, "-c", script)
    run.end()
    assert run.refused() == [f"refused connect {ELSEWHERE}", f"refused sendto {ELSEWHERE}", "refused getaddrinfo models.example"], \
        (run.refused(), run.err)


def check(run, expected_code, ranks):
    code = run.end()
    assert code == expected_code, (code, run.err)
    assert run.loaded("specthink") == ranks, run.log.read_text()
    assert not run.refused(), run.refused()


def test_commands(folder):
    demo = ["--config", "configs/demo.yml"]
    check(Guarded(folder, BINARY, "generate", *demo, "--max-tokens", "20", "Hello", ranks=2), 0, 2)
    check(Guarded(folder, BINARY, "bench", *demo, "--num-problems", "1", "--num-runs", "1", "--max-tokens", "20", "--output-dir",
                  str(folder / "results"), ranks=2), 0, 2)
    check(Guarded(folder, BINARY, "report", *map(str, (folder / "results").glob("*.json")), "-o", str(folder / "report.html")), 0, 1)
    check(Guarded(folder, BINARY, "plan", *demo), 0, 1)


def test_a_hub_name_is_not_fetched(folder):
    run = Guarded(folder, BINARY, "generate", "--target", "Qwen/Qwen3-no-such-model", "Hello", ranks=2)
    check(run, 2, 2)
    assert "Qwen/Qwen3-no-such-model" in run.err, run.err


def test_serve(folder):
    run = Guarded(folder, BINARY, "serve", "--port", "0", "--config", "configs/demo.yml", ranks=2)
    port = None
    while port is None:
        line = run.process.stderr.readline()
        assert line, "the server ended"
        match = re.search(r"listening on http://[^ ]*:(\d+)", line)
        port = match and int(match.group(1))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10})
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()
    run.process.send_signal(signal.SIGUSR1)
    check(run, 0, 2)


def main():
    for test in (test_guard_refuses, test_commands, test_a_hub_name_is_not_fetched, test_serve):
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="specthink_network_") as folder:
            test(Path(folder))
        print(f"{test.__name__}: {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
