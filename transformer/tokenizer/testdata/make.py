"""Makes vocab.json, merges.txt and cases.jsonl from corpus.txt with Hugging Face's tokenizers (0.23.3 made those here).

Run in this folder. Each line of cases.jsonl is a text and what Hugging Face makes of it: ids, offsets in bytes and the
decoded text. vocab.json and merges.txt are what its trainer learns, and the oracle of our Train.
"""

import json
import random

from tokenizers import ByteLevelBPETokenizer

VOCAB_SIZE = 600

with open("corpus.txt", encoding="utf-8", newline="") as f:
    corpus = f.read().split("\n")

tokenizer = ByteLevelBPETokenizer()
tokenizer.train_from_iterator(
    corpus,
    vocab_size=VOCAB_SIZE,
    min_frequency=2,
    special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    show_progress=False,
)
tokenizer.save_model(".")
# One without special tokens, which would otherwise be found in the texts.
tokenizer = ByteLevelBPETokenizer("vocab.json", "merges.txt")

texts = corpus + [
    "",
    " ",
    "  ",
    "\n",
    "\r\n\r\n",
    "\t\t x",
    " x",
    "  x",
    "   x  ",
    "x ",
    "x  ",
    "x\n\ny",
    "x \n y",
    "x\n \ny",
    "x\u00a0y",
    "x \u00a0y",
    "x\u00a0 y",
    "x\u2003\u2003y",
    "x\u3000 y",
    "\u0085x\u0085 y",
    "\u2028 \u2029x",
    "\u200b\u200bx \u200by",
    "\ufeffx",
    "\x00\x01\x1c\x1d\x1e\x1f\x7f",
    "a\x1cb\x0bc\x0cd",
    "'s't're've'm'll'd",
    "It's I'm you're we've he'll she'd don't",
    "IT'S I'M YOU'RE",
    "'' ''s 'tis ' s '  's",
    "x'stuff 'll'll 'l'",
    "x’s ‘y’",
    "3's 3'rd '3",
    " 's  't",
    "<s> <pad> </s> <unk> <mask>",
    "<s></s><mask><mask>",
    "a<mask>b",
    "abc123def 12ab 1 2 3 １２３ ²³ ¼ Ⅻ ౪ 〇",
    "!?.,;:-_()[]{}@#$%^&*~`|\\/<>=+\"",
    " !  ? ... --- ",
    "_under_score __init__",
    "e\u0301 é e\u0301\u0302\u0303",
    "\u0301\u0302 x \u0301",
    "नमस्ते दुनिया क्षत्रिय",
    "ภาษาไทยไม่มีช่องว่าง",
    "中文分词没有空格,也没有 空格。",
    "日本語とEnglishと123の混在",
    "한국어 자모 ㄱㄴㄷ 각",
    "שלום עולם מה שלומך",
    "مرحبا بالعالم ١٢٣ \u202babc\u202c",
    "\u202eabc\u202c \u2066x\u2069",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟏𝟐𝟑 𐍈",
    "🙂",
    "🙂🙂 🙂  🙂",
    "👨‍👩‍👧‍👦👋🏽🇫🇷1️⃣",
    "x🙂y🙂1🙂 ",
    "\U0010ffff\U000e0001\ue000\uffff\ufffd",
    "ǅ ŉ ﬁ ß ẞ İ ı ſ",
    "a" * 300,
    "ab" * 200,
    "ha" * 101 + "a",
    " " * 300,
    "\n" * 100 + "x",
    " \t" * 50 + "x",
    "🙂" * 60,
    "東" * 100,
    "'" * 30 + "s",
    "a'" * 40,
    "1a" * 40,
    "the " * 40,
]
# Random mixtures of what the rule tells apart.
rng = random.Random(1)
atoms = list("abtsdmlrve012 '\n\t.,-<>") + ["  ", "'s", "'re", " the", "é", "e\u0301", "ß", "я", "京", "ك", "🙂", "\u00a0", "\u2009", "Ⅷ", "\x00"]
texts += ["".join(rng.choice(atoms) for _ in range(rng.randint(1, 60))) for _ in range(80)]

with open("cases.jsonl", "w", encoding="utf-8") as f:
    for text in texts:
        encoding = tokenizer.encode(text)
        place = [0]
        for char in text:
            place.append(place[-1] + len(char.encode()))
        case = {
            "text": text,
            "ids": encoding.ids,
            "offsets": [[place[start], place[end]] for start, end in encoding.offsets],
            "decoded": tokenizer.decode(encoding.ids),
        }
        f.write(json.dumps(case, separators=(",", ":")) + "\n")
