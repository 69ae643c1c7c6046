"""Makes the tokenizers in parity/ with Hugging Face's tokenizers (0.23.3 made those here), and beside each the hashes of
what it makes of many texts. TestParity makes the same texts and compares.

    python parity.py                 makes both
    python parity.py later [NAME]    makes those of models that this project does not have, or one of them
    python parity.py hashes NAME     makes the hashes of one only
    python parity.py data DATA NAME  makes those of the lines of the files in DATA
    python parity.py show NAME I     prints what the tokenizer NAME makes of text I
"""

import hashlib
import json
import os
import sys
import tempfile

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Regex

TEXTS = 3000
FEWER = 1000  # of the tokenizers that the models of this project do not use

CONTRACTED, SPACED = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"|\s*[\r\n]+|\s+(?!\S)|\s+"
LOWER_END = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
UPPER_START = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
DEEPSEEK = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def split_mix(seed):
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) % 2**64
        z = seed
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        yield z ^ z >> 31


def make_texts():
    with open("parity/atoms.json", encoding="utf-8") as f:
        atoms = json.load(f)
    rng = split_mix(1)
    texts = list(atoms)
    while len(texts) < TEXTS:
        n = next(rng) % 40
        few = next(rng) % 4 == 0  # some texts repeat few atoms
        kinds = 1 + next(rng) % 4 if few else len(atoms)
        start = next(rng) % len(atoms)
        texts.append("".join(atoms[(start + next(rng) % kinds) % len(atoms)] for _ in range(n)))
    return texts


def lines(path):
    """A sample of the lines of a file, those that are UTF-8."""
    with open(path, "rb") as f:
        content = f.read()
    all_lines = content.split(b"\n")
    step = max(1, len(all_lines) // 10)
    for line in all_lines[::step]:
        try:
            yield line[:5000].decode("utf-8")
        except UnicodeDecodeError:
            pass


def describe(text, pair, encodings, first=None):
    """What is compared of an encoding and its windows. Hugging Face forgets which tokens of a window are of which text;
    first is how many are of the first, None for all."""
    places = []
    for t in (text, pair):
        at = [0]
        for c in t:
            at.append(at[-1] + len(c.encode("utf-8", "surrogatepass")))
        places.append(at)
    out = []
    for e in encodings:
        seen = 0
        for id, (start, end), special, kind, seq in zip(e.ids, e.offsets, e.special_tokens_mask, e.type_ids, e.sequence_ids):
            if e is not encodings[0]:
                seq = None if special else int(first is not None and seen >= first)
                seen += 1 - special
                kind = kind if kind in encodings[0].type_ids else 0  # and the type that a template gives the second
            at = places[seq or 0]
            out.append(f"{id} {at[start]} {at[end]} {special} {kind} {-1 if seq is None else seq}")
        out.append("-")
    return out


def outcome(tok, text, pair):
    out = []
    tok.no_truncation()
    tok.encode_special_tokens = True
    # A unigram model finds special tokens in text by itself; ours does not.
    plain = text.replace("<", "(") if isinstance(tok.model, models.Unigram) else text
    e = tok.encode(plain, add_special_tokens=False)
    out += [str(i) for i in e.ids] + [tok.decode(e.ids)]
    tok.encode_special_tokens = False
    e = tok.encode(text)
    out += describe(text, "", [e]) + [tok.decode(e.ids)]
    e = tok.encode(text, pair)
    n = len(tok.encode(text, add_special_tokens=False).ids)
    out += describe(text, pair, [e])
    for direction in "right", "left":
        tok.enable_truncation(17, strategy="longest_first", direction=direction)
        e = tok.encode(text, pair)
        out += describe(text, pair, [e])
        tok.enable_truncation(12, strategy="longest_first", stride=3, direction=direction)
        e = tok.encode(text)
        out += describe(text, "", [e] + e.overflowing)
        if n < 20:
            tok.enable_truncation(32, strategy="only_second", stride=5, direction=direction)
            e = tok.encode(text, pair)
            out += describe(text, pair, [e] + e.overflowing, n)
    tok.no_truncation()
    return out


def digest(out):
    return hashlib.sha256("\n".join(out).encode("utf-8")).hexdigest()


def train(tok, trainer, corpus):
    tok.train_from_iterator(corpus, trainer)
    return tok


def charsmap():
    """SentencePiece's form of a few rules: characters, and clusters of them, that become others or nothing."""
    import sentencepiece

    rules = {"ﬁ": "fi", "Ａ": "A", "①": "1", "½": "1⁄2", "\u00a0": " ", "\u3000": " ", "\t": " ", "\u200b": " ", "e\u0301": "é", "か\u3099": "が", "…": "...", "™": "TM"}
    work = tempfile.mkdtemp()
    with open(f"{work}/rules.tsv", "w", encoding="utf-8") as f:
        for a, b in rules.items():
            f.write(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["abc abd abe " * 20] * 100), model_prefix=f"{work}/rules", vocab_size=12, hard_vocab_limit=False,
        normalization_rule_tsv=f"{work}/rules.tsv", minloglevel=2)
    # model_file.proto: field 3 is the normalizer's specification, and field 2 of that the map.
    data = open(f"{work}/rules.model", "rb").read()

    def fields(b):
        i = 0
        def varint():
            nonlocal i
            n = shift = 0
            while True:
                n |= (b[i] & 127) << shift
                shift += 7
                i += 1
                if b[i - 1] < 128:
                    return n
        while i < len(b):
            key = varint()
            if key & 7 == 0:
                varint()
            elif key & 7 == 5:
                i += 4
            else:
                n = varint()
                yield key >> 3, b[i : i + n]
                i += n

    spec = next(v for k, v in fields(data) if k == 3)
    return next(v for k, v in fields(spec) if k == 2)


def read_corpus():
    with open("corpus.txt", encoding="utf-8") as f:
        corpus = f.read().split("\n") * 3
    with open("parity/atoms.json", encoding="utf-8") as f:
        return corpus + json.load(f)


def make():
    corpus = read_corpus()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    berts = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

    def save(tok, name):
        tok.save(f"parity/{name}.json", pretty=False)

    def byte_level(prefix):
        tok = Tokenizer(models.BPE.from_file("vocab.json", "merges.txt"))
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
        tok.decoder = decoders.ByteLevel()
        tok.add_special_tokens([AddedToken(s, lstrip=s == "<mask>", normalized=False) for s in special])
        return tok

    tok = byte_level(False)
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    tok.add_tokens(["COVID-19", AddedToken("ab", single_word=True), AddedToken("[R]", lstrip=True, rstrip=True, normalized=False), "COVID", "www"])
    save(tok, "roberta")
    tok = byte_level(True)
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False, add_prefix_space=True)
    save(tok, "prefix")
    tok = byte_level(False)
    tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="<s>:0 $A:0", pair="<s>:0 $A:0 <s>:1 $B:1 </s>:3", special_tokens=[("<s>", 0), ("</s>", 2)])])
    save(tok, "template")

    def bert(normalizer, pre, vocab_size=900):
        tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tok.normalizer, tok.pre_tokenizer, tok.decoder = normalizer, pre, decoders.WordPiece()
        train(tok, trainers.WordPieceTrainer(vocab_size=vocab_size, special_tokens=berts, show_progress=False, min_frequency=1), corpus)
        tok.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
        return tok

    tok = bert(normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer())
    save(tok, "bert")
    tok.add_tokens(["COVID-19", AddedToken("ab", single_word=True), AddedToken("[R]", lstrip=True, rstrip=True, normalized=False), "Été", AddedToken("THE", normalized=False)])
    save(tok, "bert-added")
    save(bert(normalizers.BertNormalizer(lowercase=False), pre_tokenizers.BertPreTokenizer()), "bert-cased")
    tok = bert(normalizers.BertNormalizer(lowercase=False, strip_accents=True, clean_text=False, handle_chinese_chars=False), pre_tokenizers.BertPreTokenizer())
    tok.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    save(tok, "bert-strip")
    save(bert(normalizers.BertNormalizer(lowercase=True, strip_accents=False), pre_tokenizers.Whitespace()), "bert-accents")
    save(bert(normalizers.Sequence([normalizers.NFC(), normalizers.Strip(), normalizers.Lowercase()]),
              pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])), "nfc")
    save(bert(normalizers.Sequence([normalizers.NFD(), normalizers.Prepend("_")]), pre_tokenizers.Whitespace()), "nfd")

    def unigram(normalizer, pre):
        tok = Tokenizer(models.Unigram())
        tok.normalizer, tok.pre_tokenizer = normalizer, pre
        tok.decoder = decoders.Metaspace()
        ordinary = [text for text in corpus if "<" not in text]  # or special tokens would be learned too
        train(tok, trainers.UnigramTrainer(vocab_size=500, special_tokens=["<pad>", "</s>", "<unk>", "<s>"], unk_token="<unk>", show_progress=False), ordinary)
        return tok

    words = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tok = unigram(normalizers.Precompiled(charsmap()), words)
    tok.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    save(tok, "t5")
    tok = unigram(normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]), pre_tokenizers.Metaspace(prepend_scheme="first"))
    tok.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 3), ("</s>", 1)])
    save(tok, "xlm-r")
    tok = unigram(normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]), pre_tokenizers.Metaspace(split=False, prepend_scheme="never"))
    save(tok, "albert")


def make_later(only=None):
    """What the models of this project do not use, but others do."""
    corpus = read_corpus()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]

    def save(tok, name):
        if only in (None, name):
            tok.save(f"parity/{name}.json", pretty=False)

    # The patterns of later models. Of the merges some are missing, so that a vocabulary alone can make their tokens.
    for name, normalizer, pattern in [
        ("llama-3", None, CONTRACTED + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + SPACED),
        ("qwen-2", normalizers.NFC(), CONTRACTED + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + SPACED),
        ("qwen-3.5", normalizers.NFC(), CONTRACTED + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + SPACED),
        ("gpt-4o", None, LOWER_END + CONTRACTED + "?|" + UPPER_START + CONTRACTED + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + SPACED),
        ("mistral", None, LOWER_END + "|" + UPPER_START + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + SPACED),
        ("deepseek", None, [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK]),
    ]:
        with open("vocab.json", encoding="utf-8") as v, open("merges.txt", encoding="utf-8") as m:
            vocab, merges = json.load(v), [tuple(line.split()) for line in m.read().split("\n")[1:] if line]
        tok = Tokenizer(models.BPE(vocab, [m for i, m in enumerate(merges) if i % 7 != 6], ignore_merges=name == "llama-3"))
        if normalizer is not None:
            tok.normalizer = normalizer
        found = [pattern] if isinstance(pattern, str) else pattern
        tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(p), "isolated") for p in found] + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        tok.decoder = decoders.ByteLevel()
        tok.add_special_tokens([AddedToken(s, normalized=False) for s in special])
        tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 0)])])
        save(tok, name)

    # Merges of characters: with bytes for those that are unknown, or a token; with what ends a word, and of bytes.
    def learned(tok, **settings):
        # The trainer numbers characters in another order each time, and here in theirs.
        train(tok, trainers.BpeTrainer(vocab_size=500, show_progress=False, limit_alphabet=80, **settings), [text for text in corpus if "<" not in text])
        model = json.loads(tok.to_str())["model"]
        return list(model["vocab"]), [tuple(m) for m in model["merges"]]

    def numbered(tokens):
        return {t: i for i, t in enumerate(dict.fromkeys(tokens))}

    tok = Tokenizer(models.BPE(unk_token="<unk>"))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    vocab, merges = learned(tok)
    vocab = numbered(["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + vocab)
    tok.model = models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok.add_special_tokens([AddedToken(s, normalized=False) for s in ["<unk>", "<s>", "</s>"]])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    save(tok, "llama-2")
    tok.normalizer, tok.pre_tokenizer = normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous")
    tok.model = models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True)
    tok.decoder = decoders.Metaspace()
    save(tok, "fused")

    tok = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tok.normalizer, tok.pre_tokenizer, tok.decoder = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(), decoders.BPEDecoder("</w>")
    vocab, merges = learned(tok, end_of_word_suffix="</w>")
    tok.model = models.BPE(numbered(["<unk>"] + vocab), merges, unk_token="<unk>", end_of_word_suffix="</w>")
    save(tok, "gpt")

    tok = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    tok.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tok.decoder = decoders.ByteLevel()
    vocab, merges = learned(tok, end_of_word_suffix="</w>")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tok.model = models.BPE(numbered(alphabet + [c + "</w>" for c in alphabet] + vocab + ["<|endoftext|>"]), merges, unk_token="<|endoftext|>", end_of_word_suffix="</w>")
    tok.add_special_tokens([AddedToken("<|endoftext|>", normalized=False)])
    save(tok, "clip")

    # Words, and pieces of all kinds.
    def words(normalizer, *pre):
        tok = Tokenizer(models.WordLevel(unk_token="[UNK]"))
        tok.normalizer, tok.pre_tokenizer = normalizer, pre_tokenizers.Sequence(list(pre))
        train(tok, trainers.WordLevelTrainer(vocab_size=300, special_tokens=["[UNK]"], show_progress=False), [text for text in corpus if "[" not in text])
        tok.model = models.WordLevel(numbered(["[UNK]"] + sorted(tok.get_vocab())), unk_token="[UNK]")
        return tok

    tok = words(normalizers.Sequence([normalizers.Nmt(), normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " ")]),
                pre_tokenizers.Split(" ", "removed"), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(individual_digits=False))
    tok.decoder = decoders.CTC("[UNK]", "e")
    save(tok, "words")
    tok = words(normalizers.Sequence([normalizers.Replace(Regex(r"\n"), "| "), normalizers.Strip(left=True, right=False)]),
                pre_tokenizers.CharDelimiterSplit("e"), pre_tokenizers.Punctuation("merged_with_previous"), pre_tokenizers.Split(" ", "merged_with_next"), pre_tokenizers.Digits(individual_digits=True))
    tok.decoder = decoders.Sequence([decoders.Strip(" ", 2, 0), decoders.Replace(Regex(r"[\n\r\t]"), "--"), decoders.WordPiece("a", False)])
    save(tok, "pieces-1")
    save(words(normalizers.NFKC(), pre_tokenizers.Split("a", "contiguous"), pre_tokenizers.Split(Regex(CLIP), "merged_with_previous", invert=True), pre_tokenizers.Punctuation("removed")), "pieces-2")
    save(words(normalizers.NFKD(), pre_tokenizers.Punctuation("merged_with_next"), pre_tokenizers.Split(Regex(r"\s+"), "merged_with_next", invert=True), pre_tokenizers.Split("the", "isolated")), "pieces-3")


USED = ["albert", "bert", "bert-accents", "bert-added", "bert-cased", "bert-strip", "nfc", "nfd", "prefix", "roberta", "t5", "template", "xlm-r"]


def names():
    return sorted(f[:-5] for f in os.listdir("parity") if f.endswith(".json") and f != "atoms.json")


def hashes(name):
    texts = make_texts()
    tok = Tokenizer.from_file(f"parity/{name}.json")
    with open(f"parity/{name}.txt", "w") as f:
        for i, text in enumerate(texts[: TEXTS if name in USED else FEWER]):
            f.write(digest(outcome(tok, text, texts[(i + 1) % len(texts)]))[:6] + "\n")


def data_hashes(data, name):
    tok = Tokenizer.from_file(f"parity/{name}.json")
    with open(f"parity/{name}.tsv", "w", encoding="utf-8") as f:
        for folder, _, found in sorted(os.walk(data)):
            for path in (os.path.join(folder, f) for f in sorted(found)):
                sample = list(lines(path))
                total = [digest(outcome(tok, line, sample[i - 1][:50])) for i, line in enumerate(sample)]
                f.write(f"{os.path.relpath(path, data)}\t{digest(total)[:8]}\n")


if sys.argv[1:2] == ["show"]:
    texts = make_texts()
    i = int(sys.argv[3])
    print(json.dumps(texts[i]), json.dumps(texts[(i + 1) % len(texts)]))
    print("\n".join(outcome(Tokenizer.from_file(f"parity/{sys.argv[2]}.json"), texts[i], texts[(i + 1) % len(texts)])))
elif sys.argv[1:2] == ["hashes"]:
    hashes(sys.argv[2])
elif sys.argv[1:2] == ["later"]:
    only = sys.argv[2] if len(sys.argv) > 2 else None
    make_later(only)
    for name in names():
        if name not in USED and only in (None, name):
            hashes(name)
elif sys.argv[1:2] == ["data"]:
    data_hashes(sys.argv[2], sys.argv[3])
else:
    make()
    make_later()
    for name in names():
        hashes(name)
