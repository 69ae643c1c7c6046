"""Checks that Hugging Face's classes load folders without complaint and compute the same with them.

    MUPPET_ROUNDTRIP=/tmp/saved go test -count=1 -run RoundTrip ./transformer
    python transformer/testdata/roundtrip.py /tmp/saved/*

The class is the one that config.json names. Each folder has, beside the model, batch.json (sequences and, where there are
any, their token types; where a decoder is to read others, targets; what is to be generated with which settings) and
expected.safetensors with the output for them. Warnings are errors, and so is a folder too few.
"""

import json
import logging
import sys
import warnings

import torch
import transformers
from safetensors.torch import load_file

from bart import EOS, padded

warnings.simplefilter("error")
complaints = []


class Listener(logging.Handler):
    def emit(self, record):
        if record.levelno >= logging.WARNING:
            complaints.append(record.getMessage())


transformers.utils.logging.get_logger("transformers").addHandler(Listener())
failed = False
classes = set()
for folder in sys.argv[1:]:
    complaints.clear()
    with open(folder + "/config.json") as f:
        cls = getattr(transformers, json.load(f)["architectures"][0])
    model, info = cls.from_pretrained(folder, output_loading_info=True, attn_implementation="eager")
    complaints += [f"{k}: {v}" for k, v in info.items() if v]
    with open(folder + "/batch.json") as f:
        batch = json.load(f)
    expected = load_file(folder + "/expected.safetensors")["output"]
    model = model.eval().double()
    ids, mask = padded(batch["sequences"], model.config.pad_token_id)
    real = mask.bool()
    inputs = dict(input_ids=ids, attention_mask=mask)
    if batch.get("types"):
        inputs["token_type_ids"], _ = padded(batch["types"], 0)
    if "MultipleChoice" in cls.__name__:  # the sequences are the choices of one question
        inputs = {k: v[None] for k, v in inputs.items()}
    with torch.no_grad():
        if batch.get("targets"):
            labels, label_mask = padded(batch["targets"], model.config.pad_token_id)
            output = model(**inputs, labels=labels).logits[label_mask.bool()]
        else:
            out = model(**inputs)
            if "start_logits" in out:
                output = torch.stack([out.start_logits[real], out.end_logits[real]])
            elif "pooler_output" in out:
                output = out.pooler_output
            elif "logits" not in out:
                output = out.last_hidden_state[real]
            elif "MultipleChoice" in cls.__name__:
                output = out.logits.T
            else:
                output = out.logits if "Sequence" in cls.__name__ else out.logits[real]
    assert output.shape == expected.shape, (folder, output.shape, expected.shape)
    off = (output - expected).abs().max().item()
    written = 0
    for g in batch.get("generations") or []:
        got = model.generate(**inputs, **g["settings"]).tolist()
        got = [s[: s.index(EOS, 1) + 1] if EOS in s[1:] else s for s in got]
        written += 1
        if got != g["sequences"]:
            complaints.append(f"generates {got} with {g['settings']}")
    classes.add(cls.__name__)
    good = off <= 2e-5 and not complaints
    failed |= not good
    print(f"{folder}: {cls.__name__}, output {off:.2g} off, {written} generations:", "good" if good else complaints)
print(len(classes), "classes")
sys.exit(failed or len(classes) < 16)
