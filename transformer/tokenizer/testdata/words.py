"""Writes words.txt, words with their counts, and wordpiece.txt, the vocabulary that Hugging Face's trainer of WordPiece
learns from them. Its ids of characters, and so which of two equally frequent pairs goes first, differ from run to run; the
counts here are such that no two pairs are equally frequent, which several runs confirm.
"""

import random

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

rng = random.Random(3)
words = ["".join(rng.choice("abcde") for _ in range(rng.randrange(2, 9))) for _ in range(60)]
counts = {w: rng.randrange(1, 3000) for w in words}
with open("words.txt", "w", encoding="utf-8") as f:
    f.writelines(f"{w} {n}\n" for w, n in counts.items())
learned = set()
for _ in range(6):
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer, tok.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=55, show_progress=False, min_frequency=2, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tok.train_from_iterator([" ".join([w] * n) for w, n in counts.items()], trainer)
    vocab = sorted(tok.get_vocab(), key=tok.get_vocab().get)
    # Characters first, in whatever order; the merges are what is compared.
    merges = [t for t in vocab[5:] if len(t.removeprefix("##")) > 1]
    learned.add(tuple(merges))
assert len(learned) == 1, "equally frequent pairs: change the seed"
with open("wordpiece.txt", "w", encoding="utf-8") as f:
    f.writelines(t + "\n" for t in learned.pop())
