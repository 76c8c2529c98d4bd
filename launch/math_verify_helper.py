"""Compares answers with math-verify: a line {"given", "known"} on stdin becomes a line {"same": true, false or null}.

launch/setup.sh eval copies this beside the virtual environment with the library; the judge starts it.
"""

import json
import sys

LIMIT = 5  # seconds for parsing an answer, and for a comparison


def main():
    answers = sys.stdout
    sys.stdout = sys.stderr  # what the library prints is no answer
    from math_verify import parse, verify

    def parsed(text):
        return parse(f"${text}$", parsing_timeout=LIMIT, raise_on_error=False)

    for line in sys.stdin:
        try:
            question = json.loads(line)
            known = parsed(question["known"])
            given = parsed(question["given"])
            same = bool(verify(known, given, timeout_seconds=LIMIT)) if known and given else None
        except Exception:  # whatever a text does to the library, the next line is judged
            same = None
        print(json.dumps({"same": same}), file=answers, flush=True)


if __name__ == "__main__":
    main()
