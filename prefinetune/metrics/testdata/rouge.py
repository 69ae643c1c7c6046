"""Writes rouge.json: values of rouge-score, NLTK's Porter stems, scipy's correlations.

Run as: python rouge.py > rouge.json
"""
import json, random

from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer
from scipy import stats

random.seed(0)
stems = """relational conditional rational valenci hesitanci digitizer conformabli radicalli differentli vileli analogousli
vietnamization predication operator feudalism decisiveness hopefulness callousness formaliti sensitiviti sensibiliti
triplicate formative formalize electriciti electrical hopeful goodness revival allowance inference airliner gyroscopic
adjustable defensible irritant replacement adjustment dependent adoption homologou communism activate angulariti
homologous effective bowdlerize probate rate cease controll roll caresses ponies ties caress cats feed agreed plastered
bled motoring sing conflated troubled sized hopping tanned falling hissing fizzed failing filing happy sky enjoy
enjoyment spied died dies flies tried skies dying lying tying news innings outing canning howe proceed exceed succeed
archaeology theology geology logi apologise faithfully usefulli really totally nationally generalization oscillators
yyyyy toying saying employees eyes ying seed speed freed rebed ion lion million passion station fusion region onion
demonise 1980s 90ing 3rding users using used aged agreement wiring wired oiled eased owing axes boxing playing lays
possibly probably ally allied rally radically alli shalli electricalli callalli fulli bli abli ibliness ogi doggi logic
psychological innovation explosion tension mission mention ments cement element statement management matte motor
skated yes eyed iced aimed edged ing thing bring king kinging being seeing fleeing treed treeing""".split()
letters, endings = "aeiouybcdlstz", ["", "s", "ed", "ing", "ation", "ational", "alli", "ies", "eed", "y", "e", "ll", "ment", "ement", "ion", "iveness", "logi", "ful", "icate", "ible"]
stems += ["".join(random.choice(letters) for _ in range(random.randint(2, 7))) + random.choice(endings) for _ in range(1500)]
stems = sorted({w for w in stems if len(w) > 3})
stemmer = PorterStemmer()

words = "the a cat cats sat sitting on mats mat quickly running runner generously nationally U.S. don't 3.5 2,000 happy happiness".split()
pairs = [
    ("", ""), ("a", ""), ("", "a b"), ("a", "a"), ("a", "b"), ("...", "!"), ("a b", "b a"),
    ("The quick brown fox jumps over the lazy dog", "The quick brown dog jumps on the log."),
    ("Police killed the gunman.\nThey left.", "the gunman killed police; they left"),
    ("İstanbul is big", "istanbul i stanbul is big"), ("naïve café", "na ve caf"), ("½ K 5²", "k 5"), ("snake_case a-b", "snake case a b"),
    ("the the the", "the the"), ("la la la land", "la la land la"),
]
for _ in range(150):
    pairs.append(tuple(" ".join(random.choice(words) for _ in range(random.randint(1, 40))) for _ in range(2)))

out = {"stems": [[w, stemmer.stem(w)] for w in stems], "rouge": [], "correlations": []}
for stem in (False, True):
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=stem)
    for pred, gold in pairs:
        s = scorer.score(gold, pred)
        out["rouge"].append({"pred": pred, "gold": gold, "stem": stem, "scores": [s[k].fmeasure for k in ("rouge1", "rouge2", "rougeL")]})
for n, steps in [(2, 0), (3, 0), (10, 0), (10, 3), (200, 0), (200, 5)]:
    true = [random.gauss(0, 1) for _ in range(n)]
    pred = [t + random.gauss(0, 1) for t in true]
    if steps:
        true, pred = [round(t * steps) / steps for t in true], [round(p) for p in pred]
    out["correlations"].append({"true": true, "pred": pred, "pearson": stats.pearsonr(true, pred)[0], "spearman": stats.spearmanr(true, pred)[0]})
print(json.dumps(out))
