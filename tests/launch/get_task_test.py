#!/usr/bin/env python3
"""launch/get_task.py on local copies, without any package: files, filters, names of outputs, and what it says of bad input."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "launch" / "get_task.py"
ROWS = [{"id": 1, "problem": "P23", "answer": "9", "url": "a/2023/b"}, {"id": 2, "problem": "P24", "answer": "é", "url": "a/2024/b"}]


class GetTask(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = self.folder / "data"
        self.data.mkdir()

    def run_script(self, *arguments):
        # -S: no installed packages, and no other Python to go on with
        return subprocess.run(
            [sys.executable, "-S", SCRIPT, *map(str, arguments)],
            env={"SPECTHINK_BUILD_DIR": str(self.folder / "none"), "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    def get(self, name, *arguments):
        result = self.run_script(name, "--from", self.data, "-o", self.folder / "out", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        path = Path(result.stdout.split(": ")[0])
        return path.name, [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def refused(self, *arguments):  # the one line that it ends with
        result = self.run_script(*arguments)
        self.assertEqual(result.returncode, 2, result.stdout)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        return result.stderr

    def write(self, name, rows):
        path = self.data / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def test_rows_of_a_task(self):
        self.write("train.jsonl", ROWS)
        self.assertEqual(self.get("aime24"), ("aime24.jsonl", ROWS[1:]))
        self.assertEqual(self.get("aime25"), ("aime25.jsonl", ROWS))

    def test_formats(self):
        (self.data / "a.json").write_text(json.dumps(ROWS), encoding="utf-8")
        self.assertEqual(self.get("aime25")[1], ROWS)
        (self.data / "a.json").write_text(json.dumps(ROWS[0]) + "\n" + json.dumps(ROWS[1]), encoding="utf-8")
        self.assertEqual(self.get("aime25")[1], ROWS)
        (self.data / "a.json").unlink()
        (self.data / "a.csv").write_text('problem,answer\n"a, b",3\n', encoding="utf-8")
        self.assertEqual(self.get("aime25")[1], [{"problem": "a, b", "answer": "3"}])

    def test_split_and_subset_choose_files(self):
        self.write("easy/test.jsonl", ROWS[:1])
        self.write("easy/train.jsonl", ROWS[1:])
        self.write("hard/test.jsonl", ROWS)
        self.assertEqual(self.get("math500", "--subset", "easy"), ("math500-easy.jsonl", ROWS[:1]))
        self.assertEqual(self.get("math500", "--subset", "easy", "--split", "train"), ("math500-easy-train.jsonl", ROWS[1:]))

    def test_bad_input(self):
        self.assertIn("no such task file", self.refused("none.yaml"))
        self.assertIn("no such file or folder", self.refused("aime25", "--from", self.folder / "nothing"))
        self.assertIn("no .jsonl, .json, .csv or .parquet file", self.refused("aime25", "--from", self.data))
        self.assertIn("launch/setup.sh eval", self.refused("aime25", "-o", self.folder))
        (self.data / "a.jsonl").write_text('{"a": 1}\n{"a"\n', encoding="utf-8")
        self.assertIn("a.jsonl:2: not valid JSON", self.refused("aime25", "--from", self.data, "-o", self.folder))
        self.assertFalse((self.folder / "aime25.jsonl").exists())
        (self.data / "a.jsonl").write_text("\n", encoding="utf-8")
        self.assertIn("no rows", self.refused("aime25", "--from", self.data, "-o", self.folder))

    def test_task_files_need_yaml(self):
        path = self.folder / "t.yaml"
        path.write_text("handler: aime\n", encoding="utf-8")
        self.assertIn("'PyYAML' is not installed: run launch/setup.sh eval", self.refused(path, "--from", self.data))


if __name__ == "__main__":
    unittest.main()
