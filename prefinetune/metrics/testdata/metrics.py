"""Writes metrics.json: values of scikit-learn and of SQuAD v1.1's rules.

Run as: python metrics.py > metrics.json
"""
import collections, json, random, re, string, warnings

from sklearn import metrics
import sklearn

warnings.simplefilter("ignore")
random.seed(0)

labels = [([0], [0]), ([0], [1]), ([1, 1, 1], [1, 1, 1]), ([0, 0, 0], [1, 1, 1]), ([0, 1], [0, 0]), ([0, 1, 2], [2, 0, 1]), ([0, 0, 5], [0, 7, 5])]
for classes, n in [(2, 10), (2, 200), (3, 50), (6, 300), (77, 400)]:
    for wrong in (0.1, 0.5, 0.95):
        true = [random.randrange(classes) for _ in range(n)]
        labels.append((true, [random.randrange(classes) if random.random() < wrong else t for t in true]))

classes = []
for true, pred in labels:
    classes.append({
        "true": true,
        "pred": pred,
        "accuracy": metrics.accuracy_score(true, pred),
        "f1": metrics.f1_score(true, pred, labels=[1], average="macro", zero_division=0),
        "macro_f1": metrics.f1_score(true, pred, average="macro", zero_division=0),
        "matthews": metrics.matthews_corrcoef(true, pred),
    })


def tokens(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def f1(pred, gold):
    p, g = tokens(pred), tokens(gold)
    same = sum((collections.Counter(p) & collections.Counter(g)).values())
    return 0.0 if same == 0 else 2 * same / (len(p) + len(g))


answers = []
for pred, golds in [
    ("The  Eiffel Tower!", ["eiffel tower"]),
    ("tower", ["Eiffel Tower", "the tower"]),
    ("", [""]),
    ("the", ["a"]),
    ("the", ["theatre"]),
    ("A.B. the-an", ["ab thean", "ab"]),
    ("“the” end", ["“” end"]),
    ("an éa and a é", ["éa and é"]),
    ("snake_a a_b", ["snakea ab"]),
    ("$3.5 million", ["35 million dollars", "3.5"]),
    ("la la la land", ["la la", "la land la"]),
    ("x² the ½", ["x² ½"]),
    ("in 1999\tor\u00a02000", ["1999 or 2000"]),
    ("~`^+=<>|", [""]),
    ("no overlap", ["at all"]),
]:
    answers.append({
        "pred": pred,
        "golds": golds,
        "em": float(any(tokens(pred) == tokens(g) for g in golds)),
        "f1": max(f1(pred, g) for g in golds),
    })

print(json.dumps({"sklearn": sklearn.__version__, "classes": classes, "answers": answers}))
