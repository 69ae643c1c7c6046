"""Makes the folders in bart: tiny random BARTs of several classes and shapes, as Hugging Face saves them.

Each folder has config.json, generation_config.json and model.safetensors as save_pretrained
writes them (odd's weights as older releases did, which wrote shared tensors several times), batch.json and
expected.safetensors: hidden states of encoder and decoder for the real tokens, the output (logits; of a
bare model the decoder's states), and the gradients of all parameters, for the loss where there are
targets and else for the sum of the output times the factors beside it. Computed in float64 on padded
batches with an attention mask. A model that generates has what generate made of the sources too, for several
settings, without padding, with the scores of beams.

    pip install torch transformers safetensors
    python bart.py
"""

import json

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file

torch.set_num_threads(1)
EOS = 2

GENERATIONS = [
    dict(max_length=13),
    dict(max_length=12, min_length=6, no_repeat_ngram_size=1),
    dict(max_length=14, num_beams=4, length_penalty=2.0, no_repeat_ngram_size=2, min_length=4, early_stopping=True),
    dict(max_length=14, num_beams=3, length_penalty=0.5),
    dict(max_length=14, num_beams=3, length_penalty=-0.7, early_stopping="never", no_repeat_ngram_size=3),
    # Of these three each writes something else.
    dict(max_length=15, num_beams=3, length_penalty=1.5, no_repeat_ngram_size=2),
    dict(max_length=15, num_beams=3, length_penalty=1.5, no_repeat_ngram_size=2, early_stopping="never"),
    dict(max_length=15, num_beams=3, length_penalty=1.5, no_repeat_ngram_size=2, early_stopping=True),
    dict(max_length=14, num_beams=5, length_penalty=0.0, forced_bos_token_id=5, early_stopping=True),
    dict(max_length=9, forced_bos_token_id=0, min_length=3),
]


def padded(sequences, pad):
    ids = torch.full((len(sequences), max(map(len, sequences))), pad)
    for i, s in enumerate(sequences):
        ids[i, : len(s)] = torch.tensor(s)
    return ids, torch.tensor([[int(j < len(s)) for j in range(ids.shape[1])] for s in sequences])


def make(name, head, seed, twice=False, **settings):
    gen = torch.Generator().manual_seed(seed)
    config = transformers.BartConfig(attn_implementation="eager", **settings)
    cls = transformers.BartModel if head == "Model" else getattr(transformers, "BartFor" + head)
    model = cls(config).eval()
    for key, p in sorted(model.named_parameters()):  # of a size at which everything matters, more than the last token
        centre = 1.0 if "norm" in key and key.endswith("weight") else 0.0
        size = 0.8 if "out_proj.weight" in key or "fc2.weight" in key else 0.3
        with torch.no_grad():
            p.copy_(centre + size * torch.randn(p.shape, generator=gen))
    generates = head == "ConditionalGeneration"
    if generates:  # so that sequences end now and then
        bias = 0.5 * torch.randn(model.final_logits_bias.shape, generator=gen)
        bias[0, EOS] = 2.0
        model.final_logits_bias.copy_(bias)
    folder = "bart/" + name
    model.save_pretrained(folder)
    if twice:
        save_file({k: v.clone().contiguous() for k, v in model.state_dict().items()}, folder + "/model.safetensors", {"format": "pt"})
        assert "lm_head.weight" in model.state_dict() and "model.decoder.embed_tokens.weight" in model.state_dict()

    def draw(lengths):  # without special tokens, but for the end
        return [torch.randint(5, config.vocab_size, (n - 1,), generator=gen).tolist() + [EOS] for n in lengths]

    sources, targets = draw([6, 2, 9, 3]), draw([4, 7, 1, 3])
    ids, mask = padded(sources, config.pad_token_id)
    real = mask.bool()
    model.double()
    inputs = dict(input_ids=ids, attention_mask=mask)
    base = model if head == "Model" else model.model
    encoder = base.encoder(**inputs).last_hidden_state
    batch = dict(sequences=sources)
    expected = dict(encoder=encoder[real])
    if generates:
        labels, label_mask = padded(targets, config.pad_token_id)
        right = label_mask.bool()
        decoder_ids = model.prepare_decoder_input_ids_from_labels(labels)
        out = model(**inputs, decoder_input_ids=decoder_ids, output_hidden_states=True)
        output = out.logits[right]
        decoder = out.decoder_hidden_states[-1][right]
        objective = F.cross_entropy(output, labels[right])
        batch |= dict(targets=targets, loss=objective.item())
    else:
        out = model(**inputs, output_hidden_states=True)
        decoder = out.decoder_hidden_states[-1][real]
        if head == "Model":
            output = out.last_hidden_state[real]
        elif head == "QuestionAnswering":
            output = torch.stack([out.start_logits[real], out.end_logits[real]])
        else:
            output = out.logits
        factors = torch.randn(output.shape, generator=gen, dtype=torch.float64)
        objective = (output * factors).sum()
        expected["factors"] = factors
    objective.backward()
    expected |= dict(decoder=decoder, output=output)
    expected |= {"gradient." + k: p.grad for k, p in model.named_parameters()}
    save_file({k: v.detach().float().contiguous() for k, v in expected.items()}, folder + "/expected.safetensors")

    if generates:
        batch["generations"] = []
        every = []
        for settings in GENERATIONS:
            out = model.generate(**inputs, **settings, return_dict_in_generate=True, output_scores=True)
            written = out.sequences.tolist()
            for i, s in enumerate(written):
                if EOS in s[1:]:
                    written[i] = s[: s.index(EOS, 1) + 1]
            every += written
            generation = dict(settings=settings, sequences=written)
            if "sequences_scores" in out:
                generation["scores"] = out.sequences_scores.tolist()
            batch["generations"].append(generation)
        # Seeds are such that the models write different things at different lengths.
        print(name, seed, sorted({len(s) for s in every}), len({t for s in every for t in s}), len({tuple(s) for s in every}))
    with open(folder + "/batch.json", "w") as f:
        json.dump(batch, f)


if __name__ == "__main__":
    common = dict(vocab_size=37, max_position_embeddings=16, dropout=0.1)
    deep = dict(d_model=12, encoder_layers=3, decoder_layers=1, encoder_attention_heads=3, decoder_attention_heads=2, encoder_ffn_dim=20, decoder_ffn_dim=7)
    odd = dict(d_model=10, encoder_layers=1, decoder_layers=3, encoder_attention_heads=5, decoder_attention_heads=1, encoder_ffn_dim=6, decoder_ffn_dim=17)
    make("deep", "ConditionalGeneration", 13, **common, **deep)
    make("odd", "ConditionalGeneration", 14, twice=True, scale_embedding=True, activation_function="relu", forced_eos_token_id=None,
         decoder_start_token_id=3, **common, **odd)
    make("class", "SequenceClassification", 3, scale_embedding=True, num_labels=5, **common, **deep)
    make("span", "QuestionAnswering", 4, activation_function="gelu_new", **common, **odd)
    make("bare", "Model", 5, **common, **odd)
