"""Makes the folders in heads: a tiny random model of every encoder architecture and head, as Hugging Face saves it.

Each folder has config.json and model.safetensors as save_pretrained writes them, batch.json
(sequences and token types) and expected.safetensors: the last hidden states of the real
tokens, the output (logits; for a bare model the pooler's), random factors of the output's
shape, and the gradients of all parameters for the sum of output times factors. Computed in
float64 on padded batches with an attention mask.

    pip install torch transformers safetensors
    python heads.py
"""

import json
import os

import torch
import transformers
from safetensors.torch import save_file

torch.set_num_threads(1)
HEADS = ["", "MaskedLM", "SequenceClassification", "MultipleChoice", "QuestionAnswering", "TokenClassification"]


def make(architecture, config, head, seed):
    gen = torch.Generator().manual_seed(seed)
    if head == "QuestionAnswering":  # whose outputs are the start and the end
        config = type(config)(**(config.to_dict() | dict(id2label=None, label2id=None, num_labels=2)))
    cls = getattr(transformers, f"{architecture}For{head}" if head else f"{architecture}Model")
    model = cls(config).eval()
    for key, p in model.named_parameters():
        centre = 1.0 if "norm.weight" in key.lower() else 0.0
        with torch.no_grad():
            p.copy_(centre + 0.3 * torch.randn(p.shape, generator=gen))
    folder = f"heads/{architecture}-{head or 'Model'}"
    model.save_pretrained(folder)

    lengths = [5, 1, 8, 3]
    sequences = [torch.randint(3, config.vocab_size, (n,), generator=gen).tolist() for n in lengths]
    types = [[int(i >= n // 2) if config.type_vocab_size > 1 else 0 for i in range(n)] for n in lengths]
    shape = (len(lengths), max(lengths))
    ids, kinds, mask = torch.full(shape, config.pad_token_id), torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    for i, n in enumerate(lengths):
        ids[i, :n], kinds[i, :n], mask[i, :n] = torch.tensor(sequences[i]), torch.tensor(types[i]), 1
    real = mask.bool()
    model.double()
    inputs = dict(input_ids=ids, token_type_ids=kinds, attention_mask=mask, output_hidden_states=True)
    if head == "MultipleChoice":  # the sequences are the choices of one question
        inputs |= {k: inputs[k][None] for k in ("input_ids", "token_type_ids", "attention_mask")}
    out = model(**inputs)
    if head == "":
        output = out.pooler_output
    elif head == "QuestionAnswering":
        output = torch.stack([out.start_logits[real], out.end_logits[real]])
    elif head == "MultipleChoice":
        output = out.logits.T
    elif head == "SequenceClassification":
        output = out.logits
    else:
        output = out.logits[real]
    factors = torch.randn(output.shape, generator=gen, dtype=torch.float64)
    (output * factors).sum().backward()
    expected = {"hidden": out.hidden_states[-1][real], "output": output, "factors": factors}
    expected |= {"gradient." + k: p.grad for k, p in model.named_parameters() if p.grad is not None}
    save_file({k: v.detach().float().contiguous() for k, v in expected.items()}, f"{folder}/expected.safetensors")
    with open(f"{folder}/batch.json", "w") as f:
        json.dump({"sequences": sequences, "types": types}, f)
        f.write("\n")


labels = {i: n for i, n in enumerate(["no", "perhaps", "yes"])}
common = dict(vocab_size=19, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=10,
              id2label=labels, label2id={n: i for i, n in labels.items()}, attn_implementation="eager")
for number, name in enumerate(HEADS):
    make("Roberta", transformers.RobertaConfig(max_position_embeddings=12, pad_token_id=1, **common), name, number)
    make("Bert", transformers.BertConfig(max_position_embeddings=9, hidden_act="gelu_new" if number % 2 else "gelu", **common), name, 10 + number)
