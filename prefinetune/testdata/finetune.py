"""Fine-tunes as TestFinetunesAsHuggingFace does, in PyTorch with Hugging Face's classes.

    python prefinetune/testdata/finetune.py FILE

FILE is what the test writes: a model, sequences with labels, and for each seed the batches and learning rates of every
step. It prints the accuracies on dev, a list over the seeds for each of two models.
"""

import json
import sys

import torch
import transformers

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)  # threads that wait for one another are slow beside other programs

with open(sys.argv[1]) as f:
    given = json.load(f)


class RobertaHead(torch.nn.Module):
    """A BERT with the head of RobertaForSequenceClassification."""

    def __init__(self):
        super().__init__()
        self.bert = transformers.BertModel.from_pretrained(given["model"], add_pooling_layer=False)
        c = self.bert.config
        self.drop = torch.nn.Dropout(c.hidden_dropout_prob)
        self.dense = torch.nn.Linear(c.hidden_size, c.hidden_size)
        self.out = torch.nn.Linear(c.hidden_size, given["labels"])
        for layer in (self.dense, self.out):
            torch.nn.init.normal_(layer.weight, std=c.initializer_range)
            torch.nn.init.zeros_(layer.bias)

    def forward(self, **inputs):
        x = self.drop(self.bert(**inputs).last_hidden_state[:, 0])
        return self.out(self.drop(torch.tanh(self.dense(x))))


class Own(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = transformers.BertForSequenceClassification.from_pretrained(given["model"], num_labels=given["labels"])

    def forward(self, **inputs):
        return self.model(**inputs).logits


def inputs(batch):
    width = max(len(s["ids"]) for s in batch)
    pad = lambda name: torch.tensor([s[name] + [0] * (width - len(s[name])) for s in batch])
    mask = torch.tensor([[int(i < len(s["ids"])) for i in range(width)] for s in batch])
    return dict(input_ids=pad("ids"), token_type_ids=pad("types"), attention_mask=mask), torch.tensor([s["label"] for s in batch])


def accuracy(cls, run):
    torch.manual_seed(run["seed"])
    model = cls()
    model.train()
    decayed = [p for n, p in model.named_parameters() if not n.endswith("bias") and "LayerNorm" not in n]
    others = [p for n, p in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    groups = [dict(params=decayed, weight_decay=given["weight_decay"]), dict(params=others, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6)
    for batch, rate in zip(run["batches"], run["rates"]):
        x, y = inputs([given["train"][i] for i in batch])
        loss = torch.nn.functional.cross_entropy(model(**x), y)
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    model.eval()
    right = 0
    with torch.no_grad():
        for at in range(0, len(given["dev"]), 50):
            x, y = inputs(given["dev"][at : at + 50])
            right += (model(**x).argmax(1) == y).sum().item()
    return right / len(given["dev"])


print(json.dumps({
    "BertForSequenceClassification": [accuracy(Own, r) for r in given["runs"]],
    "RoBERTa's head": [accuracy(RobertaHead, r) for r in given["runs"]],
}))
