#!/usr/bin/env python3
"""Writes the problems of tasks as JSONL: from the hub, or from a local copy of a data set.

    launch/get_task.py TASK...                  TASK.jsonl beside each task file
    launch/get_task.py TASK --from FOLDER       from files there (JSONL, JSON, CSV, Parquet, or datasets' own folder)
    launch/get_task.py TASK -o DIR              into another folder, to be named with --data-dir or SPECTHINK_DATA

TASK is a task file of the original (it has a `handler`), or aime24, aime25 or math500, the tasks of configs/tasks. All rows
are written with the hub's column names; the filters of a task file count when it is read. The hub needs the package
`datasets`, which `launch/setup.sh eval` installs into a virtual environment of its own.
"""

import argparse
import csv
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("SPECTHINK_BUILD_DIR", ROOT / "build"))
EVAL_PYTHON = BUILD / "eval" / "bin" / "python3"
DIFFICULTIES = "NovaSky-AI/labeled_numina_difficulty_859K"  # of NuminaMath's problems

# What the short task files of configs/tasks do not say. `keep` chooses rows by a part of a field.
SHIPPED = {
    "aime24": {"dataset_path": "AI-MO/aimo-validation-aime", "dataset_split": "train", "keep": ("url", "2024")},
    "aime25": {"dataset_path": "yentinglin/aime_2025", "dataset_split": "train"},
    "math500": {"dataset_path": "qq8933/MATH500", "dataset_split": "test"},
}


class TaskError(Exception):
    """What the user can do something about; one line."""


def restart_in_eval_environment(missing):
    """Goes on with the Python that has the package; fails when there is none."""
    if EVAL_PYTHON.exists() and os.environ.get("SPECTHINK_GET_TASK") != "restarted":
        os.environ["SPECTHINK_GET_TASK"] = "restarted"
        os.execv(EVAL_PYTHON, [str(EVAL_PYTHON), *sys.argv])
    raise TaskError(f"the Python package '{missing}' is not installed: run launch/setup.sh eval")


def read_task(name):
    """(name of the JSONL without its ending, folder beside the task file, the task)."""
    if name in SHIPPED:
        return name, ROOT / "configs" / "tasks", SHIPPED[name]
    path = Path(name)
    if not path.is_file():
        raise TaskError(f"{name}: no such task file, and none of {', '.join(SHIPPED)}")
    try:
        import yaml
    except ImportError:
        restart_in_eval_environment("PyYAML")
    try:
        task = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TaskError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from error
    for key in ("dataset_path", "dataset_split"):
        if not isinstance(task, dict) or not isinstance(task.get(key), str):
            raise TaskError(f"{name}: no '{key}': this is no task file of the original")
    return path.stem, path.parent, task


def read_jsonl(path):
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except ValueError as error:
                raise TaskError(f"{path}:{number}: not valid JSON: {error}") from error


def read_file(path):
    """The rows of one file."""
    if path.suffix == ".jsonl":
        yield from read_jsonl(path)
    elif path.suffix == ".json":
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # many data sets have JSON lines in .json files
            yield from read_jsonl(path)
            return
        rows = content if isinstance(content, list) else content.get("data")
        if not isinstance(rows, list):
            raise TaskError(f"{path}: expected a list of objects")
        yield from rows
    elif path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as lines:
            yield from csv.DictReader(lines)
    else:
        try:
            import pyarrow.parquet
        except ImportError:
            restart_in_eval_environment("pyarrow")
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()


def local_rows(folder, subset, split):
    """The rows of a local copy: of files whose path names the subset and the split, where any does."""
    folder = Path(folder)
    if not folder.exists():
        raise TaskError(f"{folder}: no such file or folder")
    if (folder / "state.json").exists() or (folder / "dataset_dict.json").exists():
        try:
            import datasets
        except ImportError:
            restart_in_eval_environment("datasets")
        loaded = datasets.load_from_disk(str(folder))
        return loaded[split] if isinstance(loaded, dict) else loaded
    files = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    files = [path for path in files if path.suffix in (".jsonl", ".json", ".csv", ".parquet")]
    for word in (subset, split):
        named = [path for path in files if word and word in path.relative_to(folder.parent).as_posix()]
        files = named or files
    if not files:
        raise TaskError(f"{folder}: no .jsonl, .json, .csv or .parquet file in it")
    suffix = files[0].suffix
    return (row for path in files if path.suffix == suffix for row in read_file(path))


def hub_rows(task, subset, split):
    try:
        import datasets
    except ImportError:
        restart_in_eval_environment("datasets")
    options = dict(task.get("dataset_kwargs") or {})
    try:
        return datasets.load_dataset(task["dataset_path"], name=subset, split=split, **options)
    except Exception as error:  # the hub, the network, a script: one line says which data set
        reason = " ".join(str(error).split())[:300]
        raise TaskError(
            f"{task['dataset_path']} could not be loaded ({type(error).__name__}: {reason}); "
            "with a local copy use --from FOLDER"
        ) from error


def with_difficulty(rows):
    """Adds the difficulty that `filter_difficulty` goes by."""
    labels = {}
    for row in hub_rows({"dataset_path": DIFFICULTIES, "dataset_kwargs": {}}, None, "train"):
        labels[row["problem"]] = row["gpt_difficulty_parsed"]
    for row in rows:
        yield {**row, "gpt_difficulty_parsed": labels.get(row["problem"])}


def write_rows(rows, path):
    """Through a file beside it, so that an interrupted download leaves nothing that looks whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    count = 0
    with partial.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
            count += 1
    if count == 0:
        partial.unlink()
        raise TaskError(f"{path}: the data set has no rows")
    partial.replace(path)
    return count


def get_task(name, options):
    stem, beside, task = read_task(name)
    subset = options.subset or task.get("dataset_subset")
    split = options.split or task["dataset_split"]
    rows = local_rows(options.folder, subset, split) if options.folder else hub_rows(task, subset, split)
    if "keep" in task:
        field, part = task["keep"]
        rows = (row for row in rows if part in str(row.get(field, "")))
    if options.difficulty:
        rows = with_difficulty(rows)
    parts = [stem, *(part for part in (options.subset, options.split) if part)]
    path = Path(options.output or beside) / ("-".join(parts) + ".jsonl")
    count = write_rows(rows, path)
    print(f"{path}: {count} rows")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="+", metavar="TASK")
    parser.add_argument("--from", dest="folder", metavar="FOLDER", help="a local copy instead of the hub")
    parser.add_argument("-o", "--output", metavar="DIR", help="where the files go; default: beside the task file")
    parser.add_argument("--subset", help="another one than the task file's; its name goes into the file's")
    parser.add_argument("--split", help="another one than the task file's; its name goes into the file's")
    parser.add_argument("--difficulty", action="store_true", help=f"add the labels of {DIFFICULTIES}")
    options = parser.parse_args()
    try:
        for name in options.tasks:
            get_task(name, options)
    except (TaskError, OSError) as error:
        print(f"get_task: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
