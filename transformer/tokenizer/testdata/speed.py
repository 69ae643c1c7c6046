"""Compares the speed of Hugging Face's tokenizers with ours, side by side in one run: rounds of one and the other.

    go test -c -o /tmp/tokenizer.test . && python testdata/speed.py /tmp/tokenizer.test DATA [WORDPIECE]

DATA is a folder of text files, and WORDPIECE one with BERT's vocab.txt or tokenizer.json (without it, one is trained).
Both encode the same lines, special tokens and offsets included, and train on them. KINDS=bpe or KINDS=wordpiece in the
environment leaves out the other.

    python testdata/speed.py train /tmp/tokenizer.test FILE [THREADS...]

trains byte-level BPE of 32000 tokens on the lines of one large file instead, and compares the merges.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = os.environ.get("TOKENIZERS_PARALLELISM", "false")
os.environ["RAYON_NUM_THREADS"] = os.environ.get("RAYON_NUM_THREADS", "2")

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

BYTES, ROUNDS = 4 << 20, 5


def byte_level(size=30000):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return tok, trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), min_frequency=2)


def train_one(path, out):
    """What a process of its own does, so that its memory can be told."""
    tok, trainer = byte_level(32000)
    start = time.perf_counter()
    with open(path, encoding="utf-8", newline="\n") as f:
        tok.train_from_iterator((line.rstrip("\n") for line in f), trainer)
    print(f"{time.perf_counter() - start} s")
    tok.model.save(out)


def train_both(test, path, threads):
    def child(name, n, args, **env):
        p = subprocess.Popen(args, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True, cwd=os.path.dirname(os.path.abspath(__file__)) + "/..")
        out = p.stdout.read()
        _, status, usage = os.wait4(p.pid, 0)
        assert status == 0, out
        found = re.search(r"([\d.]+) ns/op", out)
        seconds = float(found[1]) / 1e9 if found else float(out.split()[0])
        print(f"{name}, {n} threads: {seconds:.2f} s, {os.path.getsize(path) / seconds / 1e6:.1f} MB/s, at most {usage.ru_maxrss / 1024:.0f} MB of memory", flush=True)
        return seconds

    for n in threads:
        work = tempfile.mkdtemp()
        os.mkdir(f"{work}/ours")
        theirs = child("Hugging Face", n, [sys.executable, os.path.abspath(__file__), "one", os.path.abspath(path), work], RAYON_NUM_THREADS=n, TOKENIZERS_PARALLELISM="true")
        ours = child("ours", n, [test, "-test.run", "^$", "-test.bench", "^BenchmarkTrainFile$", "-test.benchtime", "1x", "-test.cpu", n],
                     MUPPET_SPEED_CORPUS=os.path.abspath(path), MUPPET_SPEED_OUT=f"{work}/ours")
        same = open(f"{work}/merges.txt").read() == open(f"{work}/ours/merges.txt").read()
        print(f"ratio {theirs / ours:.2f}, the merges are {'the same' if same else 'DIFFERENT'}", flush=True)


if sys.argv[1] == "one":
    sys.exit(train_one(*sys.argv[2:]))
if sys.argv[1] == "train":
    sys.exit(train_both(*sys.argv[2:4], sys.argv[4:] or ["1", "2"]))

test, data = sys.argv[1:3]
lines, total = [], 0
for folder, _, files in sorted(os.walk(data)):
    for name in sorted(files):
        with open(os.path.join(folder, name), "rb") as f:
            for line in f.read(200000).split(b"\n")[:-1]:
                try:
                    lines.append(line[:2000].decode())
                    total += len(line[:2000])
                except UnicodeDecodeError:
                    pass
step = -(-total // BYTES)
lines = lines[::step]
work = tempfile.mkdtemp()
with open(f"{work}/lines.txt", "w", encoding="utf-8") as f:
    f.write("\n".join(lines))
size = sum(len(line.encode()) for line in lines)
print(f"{len(lines)} lines, {size} bytes")


def word_piece():
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer, tok.pre_tokenizer, tok.decoder = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return tok, trainers.WordPieceTrainer(vocab_size=30000, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], min_frequency=2)


def go(benchmark, cpu):
    out = subprocess.run(
        [test, "-test.run", "^$", "-test.bench", f"^{benchmark}$", "-test.cpu", str(cpu), "-test.benchtime", "1x" if "Train" in benchmark else "25x"],
        env={**os.environ, "MUPPET_SPEED": work}, cwd=os.path.dirname(os.path.abspath(__file__)) + "/..", capture_output=True, text=True, check=True)
    return size / (float(re.search(r"([\d.]+) ns/op", out.stdout)[1]) / 1e9) / 1e6


def timed(call):
    start = time.perf_counter()
    call()
    return size / (time.perf_counter() - start) / 1e6


toks = {}
for name, make in ("bpe", byte_level), ("wordpiece", word_piece):
    if name not in os.environ.get("KINDS", "bpe wordpiece").split():
        continue
    os.mkdir(f"{work}/{name}")
    ours, theirs = [], []
    for _ in range(2):
        tok, trainer = make()
        theirs.append(timed(lambda: tok.train_from_iterator(lines, trainer)))
        ours.append(go(f"BenchmarkTrain/{name}", 1))
    print(f"train {name} on one thread: Hugging Face {max(theirs):.2f} MB/s, ours {max(ours):.2f} MB/s, ratio {max(ours) / max(theirs):.2f}")
    if name == "bpe":
        tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    elif len(sys.argv) > 3:
        tok = Tokenizer.from_file(sys.argv[3] + "/tokenizer.json")
        tok.no_truncation()
        tok.no_padding()
    else:
        tok.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tok.save(f"{work}/{name}/tokenizer.json")
    toks[name] = tok

for name, tok in toks.items():
    rounds = []
    for _ in range(ROUNDS):
        rounds.append((timed(lambda: tok.encode_batch(lines)), timed(lambda: tok.encode_batch_fast(lines)), go(f"BenchmarkEncodeBatch/{name}", 1), go(f"BenchmarkEncodeBatch/{name}", 2)))
    theirs, fast, one, two = (statistics.median(r[i] for r in rounds) for i in range(4))
    print(f"encode {name}: Hugging Face on one thread {theirs:.2f} MB/s ({fast:.2f} without offsets), ours {one:.2f}, ratio {statistics.median(r[2] / r[0] for r in rounds):.2f} "
          f"({statistics.median(r[2] / r[1] for r in rounds):.2f}); on two threads {two:.2f}, {statistics.median(r[3] / r[2] for r in rounds):.2f} times one")
