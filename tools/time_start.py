#!/usr/bin/env python3
"""Times the start of specthink with models in files: cold and warm, beside plain reading of the same files.

    python3 tools/time_start.py build/specthink --ranks 1,2 [--folder /tmp/start] [--draft configs/models/Qwen3-1.7B]

Writes FOLDER/target (and FOLDER/draft) in the shapes of a config.json with random weights, about 30 GB for the default, and
removes them at the end. A start is the time from the command to the first token on stdout; "loaded" is what the program
says itself. Cold is after posix_fadvise(DONTNEED); a mark "(cached)" says that the system kept pages all the same.
Needs nothing but Python. 14B with two cold starts take two to four minutes at a disk's 1 to 2 GB/s.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import struct
import subprocess
import sys
import threading
import time

from random_pair import TEMPLATE, make_tokenizer, tensor_shapes, write_json

BLOCK = 8 << 20
SHARD_BYTES = 5_000_000_000  # as transformers divides them
ROOT = pathlib.Path(__file__).resolve().parent.parent


def in_threads(count, items, work):
    """Calls work(item) for every item, in order, by so many threads."""
    queue, lock = iter(items), threading.Lock()
    failures = []

    def run():
        try:
            while True:
                with lock:
                    item = next(queue, None)
                if item is None:
                    return
                work(item)
        except Exception as failure:  # threads have no caller
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def random_block():
    """Random bfloat16 numbers of about the size of a model's weights."""
    block = bytearray(BLOCK)
    block[0::2] = os.urandom(BLOCK // 2)
    signs = bytes(0x3C | byte & 0x80 for byte in range(256))
    block[1::2] = os.urandom(BLOCK // 2).translate(signs)
    return memoryview(bytes(block))


def num_elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def divide(tensors):
    """The tensors of each file: [[(name, shape), ...], ...]."""
    shards, filled = [[]], 0
    for name, shape in tensors:
        size = 2 * num_elements(shape)
        if shards[-1] and filled + size > SHARD_BYTES:
            shards.append([])
            filled = 0
        shards[-1].append((name, shape))
        filled += size
    return shards


def write_shard(path, tensors, block, threads):
    """Returns the open file, which is not on the disk yet."""
    header, offset = {}, 0
    for name, shape in tensors:
        end = offset + 2 * num_elements(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    start = 8 + len(text)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.pwrite(fd, struct.pack("<Q", len(text)) + text, 0)
    os.ftruncate(fd, start + offset)
    in_threads(threads, range(0, offset, BLOCK), lambda at: os.pwrite(fd, block[:min(BLOCK, offset - at)], start + at))
    norm = struct.pack("<H", 0x3F80)  # 1.0
    for name, shape in tensors:
        if len(shape) == 1:
            os.pwrite(fd, norm * shape[0], start + header[name]["data_offsets"][0])
    return fd


def sync_and_close(fd):
    os.fsync(fd)
    os.close(fd)


def write_model(folder, config_file, layers, threads):
    config = json.loads(config_file.read_text())
    if layers:
        config["num_hidden_layers"] = layers
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    write_json(folder / "tokenizer.json", make_tokenizer()[0])
    write_json(folder / "tokenizer_config.json", {"eos_token": "<|im_end|>", "chat_template": TEMPLATE})
    shards = divide(tensor_shapes(config))
    block, weight_map, syncs = random_block(), {}, []
    for i, tensors in enumerate(shards):
        name = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        fd = write_shard(folder / name, tensors, block, threads)
        syncs.append(threading.Thread(target=sync_and_close, args=(fd,)))
        syncs[-1].start()
        weight_map.update({tensor: name for tensor, _ in tensors})
    write_json(folder / "model.safetensors.index.json", {"weight_map": weight_map})
    for sync in syncs:
        sync.join()


class Files:
    """The weight files of all models."""

    def __init__(self, folders):
        self.paths = sorted(path for folder in folders for path in folder.glob("*.safetensors"))
        self.bytes = sum(path.stat().st_size for path in self.paths)

    def drop(self):
        """Has the system forget the files; returns the share of pages that it kept."""
        kept, tried = 0, 0
        for path in self.paths:
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            size = os.fstat(fd).st_size
            for at in range(0, size, max(1, size // 50)):
                tried += 1
                try:
                    kept += os.preadv(fd, [bytearray(1)], at, os.RWF_NOWAIT) > 0
                except BlockingIOError:
                    pass
                except OSError:  # a file system without it: nobody knows
                    tried -= 1
            os.close(fd)
        return kept / max(1, tried)

    def read(self, threads):
        """Seconds for reading everything in order."""
        begin = time.monotonic()
        files = [os.open(path, os.O_RDONLY) for path in self.paths]
        blocks = [(fd, at) for fd in files for at in range(0, os.fstat(fd).st_size, BLOCK)]
        buffers = threading.local()

        def read_block(item):
            if not hasattr(buffers, "block"):
                buffers.block = bytearray(BLOCK)
            os.preadv(item[0], [buffers.block], item[1])

        in_threads(threads, blocks, read_block)
        for fd in files:
            os.close(fd)
        return time.monotonic() - begin


def start(arguments, ranks, folders):
    """Seconds to the first token, and of loading each model as the program says."""
    command = [*shlex.split(arguments.mpirun), str(ranks), str(arguments.binary), "generate", "--target", str(folders[0]),
               "--draft", str(folders[1]) if len(folders) > 1 else "none", "--max-tokens", "8", "--prompt", "Hello",
               "--max-model-len", "2048", *shlex.split(arguments.flags)]
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    log = []
    reader = threading.Thread(target=lambda: log.append(process.stderr.read().decode(errors="replace")))
    reader.start()
    first = process.stdout.read(1)
    seconds = time.monotonic() - begin
    process.stdout.read()
    code = process.wait()
    reader.join()
    if arguments.verbose or code != 0 or not first:
        print(shlex.join(command), log[0], sep="\n", file=sys.stderr)
    if code != 0 or not first:
        sys.exit(f"time_start.py: the start on {ranks} ranks failed (exit code {code})")
    return seconds, re.findall(r"specthink: (target|draft) .*loaded in ([0-9.]+) s", log[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--ranks", default="1,2", help="numbers of ranks, divided by commas")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("start-models"), help="must not exist")
    parser.add_argument("--config", type=pathlib.Path, default=ROOT / "configs/models/Qwen3-14B", help="shapes of the target")
    parser.add_argument("--draft", type=pathlib.Path, help="shapes of the draft; none if left out")
    parser.add_argument("--layers", type=int, default=0, help="of the target, fewer than in its config.json")
    parser.add_argument("--readers", default="8,16", help="threads of plain reading; the fastest counts")
    parser.add_argument("--mpirun", default=os.environ.get(
        "SPECTHINK_MPIRUN", "mpirun --allow-run-as-root --oversubscribe --bind-to none --quiet -np"))
    parser.add_argument("--flags", default="", help="more flags of specthink")
    parser.add_argument("--verbose", action="store_true", help="what specthink says")
    arguments = parser.parse_args()
    folders = [arguments.folder / "target"] + ([arguments.folder / "draft"] if arguments.draft else [])
    readers = [int(count) for count in arguments.readers.split(",")]
    rows = []

    def add(what, seconds, loaded, plain):
        ratio = f"{seconds / plain:.2f}" if plain else ""
        rows.append((what, f"{seconds:.2f}", ", ".join(f"{model} {part}" for model, part in sorted(loaded, reverse=True)),
                     f"{files.bytes / 1e9 / seconds:.2f}", ratio))
        print("time_start.py:", *rows[-1], file=sys.stderr, flush=True)

    arguments.folder.mkdir()
    try:
        begin = time.monotonic()
        write_model(folders[0], arguments.config / "config.json", arguments.layers, max(readers))
        if arguments.draft:
            write_model(folders[1], arguments.draft / "config.json", 0, max(readers))
        files = Files(folders)
        print(f"time_start.py: {files.bytes / 1e9:.1f} GB written in {time.monotonic() - begin:.1f} s", file=sys.stderr)
        warm = min(files.read(count) for count in readers)
        add("plain reading, warm", warm, [], None)
        for ranks in map(int, arguments.ranks.split(",")):
            add(f"start, warm, {ranks} ranks", *start(arguments, ranks, folders), warm)
        kept = files.drop()
        cold = files.read(max(readers))
        add("plain reading, cold" + (" (cached)" if kept > 0.02 else ""), cold, [], None)
        for ranks in map(int, arguments.ranks.split(",")):
            kept = files.drop()
            add(f"start, cold, {ranks} ranks" + (" (cached)" if kept > 0.02 else ""),
                *start(arguments, ranks, folders), cold)
    finally:
        shutil.rmtree(arguments.folder)
    print("| what | seconds | loaded (s) | GB/s | of plain reading |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
