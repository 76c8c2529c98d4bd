#!/usr/bin/env python3
"""tools/serve_load.py against a running server: completions and chats, and a server that refuses."""

import subprocess
import sys
import unittest

from running_server import DEADLINE, EXACT, ROOT, RunningServer


def load(server, *arguments):
    command = [sys.executable, ROOT / "tools/serve_load.py", "--port", str(server.port), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)


def rows_of(result):
    """Cells of the table's rows, by the number of clients."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in result.stdout.splitlines()[2:]]
    return {int(row[0]): row for row in rows if row[0].isdigit()}


class Load(unittest.TestCase):
    def test_load(self):
        with RunningServer(*EXACT, "--batch", "4") as server:
            for kind in ([], ["--chat"]):
                arguments = ["--model", "target", "--clients", "1,3", "--requests", "2", "--words", "12", "--tokens", "9", *kind]
                result = load(server, *arguments)
                self.assertEqual(result.returncode, 0, result.stderr)
                rows = rows_of(result)
                self.assertEqual([row[:3] for row in rows.values()], [["1", "2", "0"], ["3", "6", "0"]])
                for row in rows.values():
                    self.assertGreater(float(row[6]), 0)  # ms to the first token
            # One request to get warm, then those of the table.
            tokens = server.wait_until_idle()
            written = sum(value for name, value in tokens.items() if name.startswith("specthink_tokens_total"))
            self.assertEqual(written, 2 * (2 + 2 + 6) * 9)

            result = load(server, "--clients", "2", "--requests", "1", "--words", "12", "--tokens", "9")
            self.assertEqual(result.returncode, 0, result.stdout)  # the pair

            result = load(server, "--model", "nobody", "--clients", "2", "--requests", "1")
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertIn("there is no model 'nobody'", result.stdout)


if __name__ == "__main__":
    unittest.main()
