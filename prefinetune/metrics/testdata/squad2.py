"""Writes squad2.json: what SQuAD 2.0's official evaluation script makes of questions with and without answers.

The script, evaluate-v2.0.py, is at https://rajpurkar.github.io/SQuAD-explorer/; its functions are also in the
package allennlp-models, as rc/tools/squad.py. Run as: python squad2.py SCRIPT > squad2.json
"""
import importlib.util, json, random, sys

spec = importlib.util.spec_from_file_location("script", sys.argv[1])
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
random.seed(0)
WORDS = "the a an cliff white sea Elka's 1999 of home".split()
cases = [
    ("", []), ("the", []), ("!", []), ("home", []), ("", ["home"]), ("home", ["home"]), ("the home", ["a home."]),
    ("white cliff", ["cliff", "the white cliff"]), ("white cliff", ["sea"]), ("cliff cliff sea", ["cliff sea", "sea cliff cliff"]),
]
for _ in range(30):
    text = lambda most: " ".join(random.choices(WORDS, k=random.randint(1, most)))
    golds = [g for g in (text(4) for _ in range(random.randint(0, 3))) if set(g.split()) - {"the", "a", "an"}]
    cases.append((text(5) if random.random() < 0.8 else "", golds))


def best(measure, pred, golds):
    """As get_raw_scores of the script: the maximum over the answers, and "" where there is none."""
    return float(max(measure(g, pred) for g in golds or [""]))


results = [{"pred": p, "golds": g, "exact": best(script.compute_exact, p, g), "f1": best(script.compute_f1, p, g)} for p, g in cases]
mean = lambda key: sum(r[key] for r in results) / len(results)
print(json.dumps({"cases": results, "exact": mean("exact"), "f1": mean("f1")}))
