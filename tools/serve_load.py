#!/usr/bin/env python3
"""Load on a running server, in the requests of `vllm bench serve`: tools/serve_load.py --port 8000 --clients 1,4,16

Each client sends one streamed request after the other to /v1/completions (random words in, a fixed number of tokens out,
the end of text ignored) or, with --chat, to /v1/chat/completions. Prints a Markdown table: requests and tokens a second,
time to the first token, mean time between tokens, of each request, in milliseconds; and what failed (exit code 1). Needs Python alone.
"""

import argparse
import http.client
import json
import random
import statistics
import sys
import threading
import time

WORDS = (
    "number square triangle angle sum product prime factor root line circle point even odd half double area volume "
    "length speed time price apple coin card box row column table graph curve slope limit series ratio mean "
    "find show prove count choose divide multiply add subtract compare let then since because if when every some"
).split()


def body_of(arguments, seed):
    words = " ".join(random.Random(seed).choices(WORDS, k=arguments.words))
    body = {"stream": True, "stream_options": {"include_usage": True}, "temperature": 0.0}
    body["ignore_eos"] = True
    if arguments.model:
        body["model"] = arguments.model
    if arguments.chat:
        body["messages"] = [{"role": "user", "content": [{"type": "text", "text": words}]}]
        body["max_completion_tokens"] = arguments.tokens
    else:
        body.update({"prompt": words, "max_tokens": arguments.tokens, "repetition_penalty": 1.0, "logprobs": None})
    return body


class Request:
    """One streamed answer: when its pieces came, in seconds since it was sent, and what the server counted."""

    def __init__(self, connection, path, body):
        self.times = []
        self.usage = None
        start = time.perf_counter()
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {response.read().decode(errors='replace')[:200]}")
        for line in response:
            if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
                continue
            piece = json.loads(line[len(b"data: ") :])
            if piece.get("error"):
                raise RuntimeError(str(piece["error"])[:200])
            if piece.get("usage"):
                self.usage = piece["usage"]
            choices = piece.get("choices") or [{}]
            text = choices[0].get("text") or any((choices[0].get("delta") or {}).get(k) for k in ("content", "reasoning"))
            if text:
                self.times.append(time.perf_counter() - start)
        self.seconds = time.perf_counter() - start
        if not self.times or self.usage is None:
            raise RuntimeError("an answer without text or without usage")

    @property
    def first_ms(self):
        return 1e3 * self.times[0]

    @property
    def ms_per_token(self):
        return 1e3 * (self.seconds - self.times[0]) / max(1, self.usage["completion_tokens"] - 1)


def run(arguments, clients):
    done, failed = [], []
    numbers = iter(range(clients * arguments.requests))
    lock = threading.Lock()
    path = "/v1/chat/completions" if arguments.chat else "/v1/completions"

    def work():
        connection = http.client.HTTPConnection(arguments.host, arguments.port, timeout=300)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                done.append(Request(connection, path, body_of(arguments, f"{arguments.seed} {clients} {number}")))
            except (OSError, RuntimeError, ValueError, http.client.HTTPException) as error:
                failed.append(f"{type(error).__name__}: {error}")
                connection.close()

    start = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done, failed, time.perf_counter() - start


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def row_of(clients, done, failed, seconds):
    first = [request.first_ms for request in done]
    between = [request.ms_per_token for request in done]
    prompt = sum(request.usage["prompt_tokens"] for request in done)
    out = sum(request.usage["completion_tokens"] for request in done)
    cells = [clients, len(done), len(failed), f"{len(done) / seconds:.2f}", f"{prompt / len(done):.0f}", f"{out / seconds:.0f}"]
    for values in (first, between):
        cells += [f"{statistics.mean(values):.2f}", f"{statistics.median(values):.2f}", f"{percentile(values, 0.99):.2f}"]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def counts(text):
    values = [int(part) for part in text.split(",")]
    if min(values) < 1:
        raise ValueError(text)
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--model", help="by the name that /v1/models gives it (default: what the server takes without one)")
    parser.add_argument("--clients", type=counts, default="1,4,16", help="numbers of clients, one after the other")
    parser.add_argument("--requests", type=int, default=8, help="of each client, on average (default 8)")
    parser.add_argument("--words", type=int, default=256, help="of a prompt (default 256)")
    parser.add_argument("--tokens", type=int, default=128, help="of an answer (default 128)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chat", action="store_true")
    arguments = parser.parse_args()
    run(arguments, 1)  # the first requests of a server are slower
    print("| clients | answers | failed | requests/s | tokens in | tokens/s | first token ms: mean | p50 | p99 | between tokens ms: mean | p50 | p99 |")
    print("| --- " * 12 + "|")
    has_failed = False
    for clients in arguments.clients:
        done, failed, seconds = run(arguments, clients)
        has_failed = has_failed or bool(failed)
        print(row_of(clients, done, failed, seconds) if done else f"| {clients} | 0 | {len(failed)} |", flush=True)
        for error in failed[:3]:
            print(f"    {error}")
    return 1 if has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
