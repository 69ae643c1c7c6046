"""Writes ../tables.go: what the release of Hugging Face's tokenizers that is installed (0.23.3 when those in the
repository were made) knows about characters.

Its parts follow different versions of Unicode: the regular expressions of byte-level pre-tokenisation one, Rust's
standard library another, the normalisation forms and BERT's categories older ones. So each table is asked of the part
that uses it, one code point at a time, and none is taken from a published file.

    python unicode.py && gofmt -w ../tables.go
"""

import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
everything = "".join(map(chr, points))


def matching(pattern):
    """The code points that a pattern of the regular expressions in tokenizer.json matches."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    rest = set()
    for _, (start, end) in split.pre_tokenize_str(everything):
        rest.update(points[start:end])
    return [c for c in points if c not in rest]


def where(test):
    return [c for c in points if test(chr(c))]


bert = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
clean = normalizers.BertNormalizer(**{**bert, "clean_text": True})
chinese = normalizers.BertNormalizer(**{**bert, "handle_chinese_chars": True})
strip = normalizers.BertNormalizer(**{**bert, "strip_accents": True})
accents = normalizers.StripAccents()
lower = normalizers.Lowercase()
nfd, nfc, nfkd = normalizers.NFD(), normalizers.NFC(), normalizers.NFKD()
words = pre_tokenizers.Whitespace()
bert_words = pre_tokenizers.BertPreTokenizer()
white = pre_tokenizers.WhitespaceSplit()
digits = pre_tokenizers.Digits(True)

form = {c: nfd.normalize_str(chr(c)) for c in points}

properties = {
    "letters": matching(r"\p{L}"),  # of the byte-level pattern
    "numbers": matching(r"\p{N}"),
    "spaces": matching(r"\s"),  # what separates words
    "words": where(lambda c: len(words.pre_tokenize_str("a" + c)) == 1 and len(words.pre_tokenize_str(c)) == 1),  # \w
    "controls": where(lambda c: clean.normalize_str(c) == ""),  # what BERT removes
    "punctuation": where(lambda c: len(bert_words.pre_tokenize_str("a" + c + "a")) == 3),
    "chinese": where(lambda c: chinese.normalize_str(c) != c),  # what BERT puts spaces around
    "accents": where(lambda c: form[ord(c)] == c and strip.normalize_str(c) == ""),  # what BERT removes after NFD
    "marks": where(lambda c: accents.normalize_str(c) == ""),  # what StripAccents removes
    "digits": where(lambda c: len(digits.pre_tokenize_str("a" + c + "a")) == 3),  # what Digits cuts out
    "uppers": matching(r"[\p{Lu}\p{Lt}]"),  # of later patterns
    "lowers": matching(r"\p{Ll}"),
    "combinings": matching(r"\p{M}"),
    "symbols": matching(r"[\p{P}\p{S}]"),
}

# Rust's char::is_whitespace, which parts without regular expressions use, is the same.
assert properties["spaces"] == where(lambda c: len(white.pre_tokenize_str("a" + c + "a")) == 2)

# Combining classes. A character is a non-starter if it trades places with one of class 240 or 1. Which class, Unicode
# has promised never to change.
nonstarters = {}
for c in points:
    if form[c] != chr(c):
        continue
    ch = chr(c)
    if nfd.normalize_str("\u0345" + ch) == ch + "\u0345" or nfd.normalize_str(ch + "\u0334") == "\u0334" + ch or ch in "\u0345\u0334":
        nonstarters[c] = unicodedata.combining(ch)
        assert nonstarters[c], hex(c)
for c, k in list(nonstarters.items()):  # the order among themselves is the classes'
    for d, l in [(0x301, 230), (0x323, 220), (0x3099, 8), (0x5B0, 10)]:
        pair = nfd.normalize_str("a" + chr(d) + chr(c))
        assert pair == ("a" + chr(c) + chr(d) if k < l else "a" + chr(d) + chr(c)), hex(c)

hangul = range(0xAC00, 0xAC00 + 11172)
canonical = {c: s for c, s in form.items() if s != chr(c) and c not in hangul}
compatible = {c: s for c in points if c not in hangul and (s := nfkd.normalize_str(chr(c))) != form[c]}
lowercase = {c: s for c in points if (s := lower.normalize_str(chr(c))) != chr(c)}
composed = {}
for c, s in canonical.items():
    if nfc.normalize_str(chr(c)) == chr(c) and len(s) > 1:
        first = nfc.normalize_str(s[:-1])
        assert len(first) == 1, hex(c)
        composed[c] = first + s[-1]


def escaped(s):
    return "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}" for c in s)


def ranges(name, values):
    found, values = [], sorted(values)
    for c in values:
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    out.write(f"\nvar {name}Ranges = []rune{{\n")
    for i in range(0, len(found), 8):
        out.write("\t" + " ".join(f"{a:#x}, {b:#x}," for a, b in found[i : i + 8]) + "\n")
    out.write("}\n")


def mapping(name, values):
    """One string, in which each entry is a character, what it becomes, and a zero."""
    out.write(f"\nconst {name} = \"\" +\n")
    entries = [escaped(chr(c) + s) + "\\x00" for c, s in sorted(values.items())]
    lines = ['\t"' + "".join(entries[i : i + 6]) + '"' for i in range(0, len(entries), 6)]
    out.write(" +\n".join(lines) + "\n")


with open("../tables.go", "w", encoding="utf-8") as out:
    out.write("// Code generated by testdata/unicode.py; DO NOT EDIT.\n\n")
    out.write(f"package tokenizer\n\n// What Hugging Face's tokenizers {tokenizers.__version__} knows about characters.\n")
    for name, values in properties.items():
        ranges(name, values)
    mapping("combiningClasses", {c: chr(k) for c, k in nonstarters.items()})
    mapping("canonical", canonical)
    mapping("compatible", compatible)
    mapping("composed", composed)
    mapping("lowercase", lowercase)
