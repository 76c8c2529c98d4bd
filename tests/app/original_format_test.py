#!/usr/bin/env python3
"""Files of `eval` and `bench` on the pair that ships with the project, held to the format of the original's files.

Those of `eval`: check_eval_files.py. Those of `bench`: key by key, type by type, against recorded files: ours of the same format, and
those of the original program where they are.
"""

import copy
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from check_eval_files import check_documents

ROOT = Path(os.environ.get("SPECTHINK_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BINARY = os.environ.get("SPECTHINK_BINARY", str(ROOT / "build/specthink"))
DATA = Path(os.environ.get("SPECTHINK_DATA") or ROOT.parent / "shared/data")


def specthink(*arguments):
    result = subprocess.run([BINARY, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


def differences(recorded, written, where=""):
    """Keys of `recorded` that `written` has not, and values of another type. Lists are compared by their first items."""
    if type(recorded) is not type(written):
        return [f"{where}: {type(written).__name__}, recorded {type(recorded).__name__}"]
    if isinstance(recorded, dict):
        missing = [f"{where}: no {key}" for key in recorded if key not in written]
        return missing + [d for key in recorded if key in written for d in differences(recorded[key], written[key], f"{where}.{key}")]
    if isinstance(recorded, list) and recorded:
        return differences(recorded[0], written[0], f"{where}[0]") if written else [f"{where}: empty"]
    return []


class Eval(unittest.TestCase):
    NAME = "demo.yml_demo_None_subset_None_filter_False_s0_e2_t0.6,1.0_n2.json"

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        results = Path(cls.folder.name)
        specthink("eval", "--spe_config", "configs/demo.yml", "--data-dir", "configs/tasks", "--evals", "demo", "--n", 2, "--temperatures", 0.6, 1.0,
                  "--end", 2, "--max_tokens", 90, "--dtype", "float32", "--result-dir", results)
        cls.results = json.loads((results / cls.NAME).read_text())
        cls.metrics = json.loads((results / "metrics" / cls.NAME).read_text())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def faults(self, results=None, metrics=None, name=NAME):
        return check_documents(name, results or self.results, metrics or self.metrics, 2, ["0.6", "1.0"])

    def test_the_files_have_the_format(self):
        self.assertEqual(self.faults(), [])
        self.assertEqual(len(self.results), 2)
        usages = [usage for problem in self.results.values() for samples in problem["token_usages"].values() for usage in samples]
        self.assertTrue(any(usage["correct_tokens"] for usage in usages), "the target wrote something")
        for usage in usages:
            self.assertLessEqual(usage["completion_tokens"], 90)
            self.assertGreater(usage["time_spend"], 0)

    def test_each_fault_is_found(self):
        def first(results):
            return next(iter(results.values()))

        def sample(results, part):
            return first(results)[part]["1.0"][1]

        changes = [lambda r, key=key: first(r).pop(key) for key in ["responses", "token_usages", "prompt", "input_conversation"]]
        changes += [lambda r, key=key: sample(r, "responses").pop(key) for key in ["content", "correctness", "reason"]]
        changes += [lambda r, key=key: sample(r, "token_usages").pop(key) for key in ["completion_tokens", "prompt_tokens", "correct_tokens", "time_spend", "try_correct"]]
        changes += [
            lambda r: sample(r, "responses").update(content=" x"), lambda r: sample(r, "responses").update(correctness=1),
            lambda r: sample(r, "token_usages").update(completion_tokens=1.0), lambda r: sample(r, "token_usages").update(time_spend="1"),
            lambda r: sample(r, "token_usages").update(correct_tokens=[{"pos": 1}]), lambda r: first(r)["responses"]["1.0"].pop(),
            lambda r: first(r)["responses"].pop("0.6"), lambda r: first(r).update(prompt="other"), lambda r: first(r).update(input_conversation=[]),
        ]
        for i, change in enumerate(changes):
            results = copy.deepcopy(self.results)
            change(results)
            self.assertNotEqual(self.faults(results=results), [], f"change {i}")
        for key in ["completion_tokens", "prompt_tokens", "avg_completion_tokens", "avg_prompt_tokens", "pass_at_k", "accuracy"]:
            metrics = copy.deepcopy(self.metrics)
            del metrics[key]
            self.assertNotEqual(self.faults(metrics=metrics), [], key)
        self.assertNotEqual(self.faults(name="demo.yml_demo.json"), [])


class Bench(unittest.TestCase):
    def test_result_files_have_the_recorded_keys_and_types(self):
        with tempfile.TemporaryDirectory() as folder:
            written = {}
            for mode, kind in [("large", "large_model"), ("spec", "speculative_thinking")]:
                specthink("bench", "--config", "configs/demo.yml", "--test-mode", mode, "--num-problems", 2, "--num-runs", 2, "--max-tokens", 20,
                          "--dtype", "float32", "--output-dir", folder)
                paths = list(Path(folder).glob(f"{kind}_benchmark_*.json"))
                self.assertEqual(len(paths), 1, kind)
                self.assertRegex(paths[0].name, r"_\d{8}_\d{6}\.json$")
                written[kind] = json.loads(paths[0].read_text())
        for kind, document in written.items():
            recorded = [ROOT / "tests/data/result_files" / f"{kind}.json", *(DATA / "seed_runs").glob(f"{kind}_benchmark_*.json")]
            for path in recorded:
                self.assertEqual(differences(json.loads(path.read_text()), document), [], path.name)
            self.assertEqual(document["model_type"], kind)
            self.assertEqual([len(problem["runs"]) for problem in document["results"]["problems"]], [2, 2])
        broken = copy.deepcopy(written["large_model"])
        del broken["results"]["problems"][0]["runs"][0]["latency"]
        broken["statistics"]["tokens"]["mean"] = 3
        self.assertEqual(len(differences(written["large_model"], broken)), 2)


if __name__ == "__main__":
    unittest.main()
