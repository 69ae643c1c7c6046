"""Makes the folders in trajectory: 200 steps of AdamW with PyTorch, of a tiny RoBERTa that classifies and a tiny BART that
generates, both Hugging Face's, without dropout.

Each folder has config.json and model.safetensors, the model at the start, and steps.json: settings, examples, and for every
step which examples were in its batch, the learning rate, the loss and the norm of the gradient before clipping. Batches are padded
here, with an attention mask, and packed where they are compared. Part of the labels is drawn at random, so that no loss
comes near 0.

    pip install torch transformers safetensors
    python trajectory.py
"""

import json

import torch
import transformers

torch.set_num_threads(1)
STEPS, WARMUP, PEAK, DECAY, CLIP, BETAS, EPS = 200, 20, 3e-3, 0.05, 1.0, (0.9, 0.98), 1e-6
BOS, PAD, EOS, VOCAB = 0, 1, 2, 40


def padded(sequences, pad):
    longest = max(map(len, sequences))
    return torch.tensor([s + [pad] * (longest - len(s)) for s in sequences])


def train(name, model, examples, loss_of, gen):
    for p in model.parameters():
        with torch.no_grad():
            if p.dim() > 1:
                p.copy_(0.15 * torch.randn(p.shape, generator=gen))
    folder = "trajectory/" + name
    model.save_pretrained(folder)
    model.train()
    plain = [p for n, p in model.named_parameters() if n.endswith("bias") or "norm" in n.lower()]
    decayed = [p for n, p in model.named_parameters() if not (n.endswith("bias") or "norm" in n.lower())]
    optimiser = torch.optim.AdamW([dict(params=decayed, weight_decay=DECAY), dict(params=plain, weight_decay=0.0)], betas=BETAS, eps=EPS)
    steps = []
    for step in range(1, STEPS + 1):
        size = torch.randint(4, 13, (1,), generator=gen).item()
        picked = torch.randint(len(examples), (size,), generator=gen).tolist()
        lr = PEAK * step / WARMUP if step < WARMUP else PEAK * (1 - (step - WARMUP) / (STEPS + 1 - WARMUP))
        for group in optimiser.param_groups:
            group["lr"] = lr
        batch = [examples[i] for i in picked]
        ids = padded([e["source"] for e in batch], PAD)
        loss = loss_of(model, dict(input_ids=ids, attention_mask=(padded([[1] * len(e["source"]) for e in batch], 0))), batch)
        optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        steps.append(dict(examples=picked, lr=lr, loss=loss.item(), norm=norm.item()))
    with open(folder + "/steps.json", "w") as f:
        settings = dict(decay=DECAY, clip=CLIP, beta1=BETAS[0], beta2=BETAS[1], eps=EPS)
        json.dump(settings | dict(examples=examples, steps=steps), f, separators=(",", ":"))
        f.write("\n")
    losses = [s["loss"] for s in steps]
    print(name, sum(losses[:20]) / 20, sum(losses[-20:]) / 20, min(losses))


def classification(gen):
    def draw(high):
        return torch.randint(high, (1,), generator=gen).item()

    config = transformers.RobertaConfig(
        vocab_size=VOCAB, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40, max_position_embeddings=20,
        type_vocab_size=1, layer_norm_eps=1e-5, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=PAD,
        bos_token_id=BOS, eos_token_id=EOS, num_labels=3, attn_implementation="eager")
    examples = []
    for _ in range(300):
        words = [5 + draw(VOCAB - 5) for _ in range(1 + draw(14))]
        label = max(words) % 3 if draw(5) else draw(3)
        examples.append(dict(source=[BOS] + words + [EOS], label=label))
    train("roberta", transformers.RobertaForSequenceClassification(config), examples,
          lambda model, inputs, batch: model(**inputs, labels=torch.tensor([e["label"] for e in batch])).loss, gen)


def generation(gen):
    def draw(high):
        return torch.randint(high, (1,), generator=gen).item()

    config = transformers.BartConfig(
        vocab_size=VOCAB, d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=3, decoder_attention_heads=2,
        encoder_ffn_dim=40, decoder_ffn_dim=32, max_position_embeddings=16, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0,
        attn_implementation="eager")
    examples = []
    for _ in range(300):
        words = [5 + draw(VOCAB - 5) for _ in range(1 + draw(9))]
        target = [w if draw(5) else 5 + draw(VOCAB - 5) for w in sorted(words)]
        examples.append(dict(source=[BOS] + words + [EOS], target=target + [EOS]))
    train("bart", transformers.BartForConditionalGeneration(config), examples,
          lambda model, inputs, batch: model(**inputs, labels=padded([e["target"] for e in batch], -100)).loss, gen)


classification(torch.Generator().manual_seed(1))
generation(torch.Generator().manual_seed(2))
