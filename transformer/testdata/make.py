"""Makes the folders small, odd and wide: tiny random RoBERTa models and what Hugging Face computes with them.

Each folder has config.json as Hugging Face writes it, model.safetensors (the encoder and
three heads), batch.json (sequences and targets) and expected.safetensors: hidden states,
logits and the gradients of all parameters for the sum of the three heads' losses. Hugging
Face gets the sequences padded, with an attention mask, and computes in float64.

    pip install torch transformers safetensors
    python make.py
"""

import json
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import (RobertaConfig, RobertaForMaskedLM, RobertaForQuestionAnswering,
                          RobertaForSequenceClassification)

torch.set_num_threads(1)


def make(name, seed, lengths, labels, **settings):
    gen = torch.Generator().manual_seed(seed)

    def ints(low, high, n):
        return torch.randint(low, high, (n,), generator=gen).tolist()

    config = RobertaConfig(num_labels=labels, attn_implementation="eager", **settings)
    mlm = RobertaForMaskedLM(config).eval()
    classifier = RobertaForSequenceClassification(config).eval()
    span = RobertaForQuestionAnswering(config).eval()
    span.qa_outputs = torch.nn.Linear(config.hidden_size, 2)  # whatever num_labels says
    classifier.roberta = span.roberta = mlm.roberta
    parameters = {}
    for model in (mlm, classifier, span):
        parameters |= {k: p for k, p in model.named_parameters() if not k.startswith("lm_head.decoder")}
    for key, p in sorted(parameters.items()):  # of a size at which everything matters
        centre = 1.0 if "norm.weight" in key.lower() else 0.0
        with torch.no_grad():
            p.copy_(centre + 0.2 * torch.randn(p.shape, generator=gen))
    assert mlm.lm_head.decoder.weight is mlm.roberta.embeddings.word_embeddings.weight
    mlm.lm_head.decoder.bias = mlm.lm_head.bias
    os.makedirs(name, exist_ok=True)
    save_file({k: p.detach().clone().contiguous() for k, p in parameters.items()}, f"{name}/model.safetensors", {"format": "pt"})
    config.save_pretrained(name)

    lowest = max(config.pad_token_id, config.bos_token_id, config.eos_token_id) + 1
    sequences = [ints(lowest, config.vocab_size, n) for n in lengths]
    masked = [sorted(set(ints(0, n, max(1, n // 3)))) for n in lengths]  # positions whose tokens are predicted
    words = [ints(0, config.vocab_size, len(m)) for m in masked]
    classes = ints(0, labels, len(lengths))
    starts = [ints(0, n, 1)[0] for n in lengths]
    ends = [ints(s, n, 1)[0] for s, n in zip(starts, lengths)]

    longest = max(lengths)
    ids = torch.full((len(lengths), longest), config.pad_token_id)
    mask = torch.zeros((len(lengths), longest), dtype=torch.long)
    for i, s in enumerate(sequences):
        ids[i, : len(s)], mask[i, : len(s)] = torch.tensor(s), 1
    real = mask.bool()

    mlm.double(), classifier.double(), span.double()
    hidden = mlm.roberta(ids, attention_mask=mask).last_hidden_state
    mlm_logits = torch.cat([l[m] for l, m in zip(mlm(ids, attention_mask=mask).logits, masked)])
    class_logits = classifier(ids, attention_mask=mask).logits
    out = span(ids, attention_mask=mask)
    losses = {
        "mlm": F.cross_entropy(mlm_logits, torch.tensor(sum(words, []))),
        "class": F.cross_entropy(class_logits, torch.tensor(classes)),
        "start": F.cross_entropy(out.start_logits.masked_fill(~real, float("-inf")), torch.tensor(starts)),
        "end": F.cross_entropy(out.end_logits.masked_fill(~real, float("-inf")), torch.tensor(ends)),
    }
    sum(losses.values()).backward()

    expected = {"hidden": hidden[real], "mlm": mlm_logits, "class": class_logits,
                "span": torch.stack([out.start_logits[real], out.end_logits[real]])}
    for model in (mlm, classifier, span):
        expected |= {"gradient." + k: p.grad for k, p in model.named_parameters() if not k.startswith("lm_head.decoder")}
    save_file({k: v.detach().float().contiguous() for k, v in expected.items()}, f"{name}/expected.safetensors")
    with open(f"{name}/batch.json", "w") as f:
        json.dump({"sequences": sequences, "masked": masked, "words": words, "classes": classes, "starts": starts, "ends": ends,
                   "losses": {k: v.item() for k, v in losses.items()}}, f)


common = dict(pad_token_id=1, bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5)
make("small", 1, [3, 7, 1, 12], 3, vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
     intermediate_size=20, max_position_embeddings=14, type_vocab_size=1, **common)
# Heads of 2, positions behind another pad token, two types of which one is used, more classes than hidden units.
make("odd", 2, [1, 1, 5, 4, 9], 17, vocab_size=29, hidden_size=14, num_hidden_layers=3, num_attention_heads=7,
     intermediate_size=5, max_position_embeddings=15, type_vocab_size=2, **(common | dict(pad_token_id=5)))
make("wide", 3, [33, 2], 2, vocab_size=41, hidden_size=23, num_hidden_layers=1, num_attention_heads=1,
     intermediate_size=67, max_position_embeddings=40, type_vocab_size=1, **(common | dict(layer_norm_eps=1e-12)))
