"""Makes the files of this folder and ../../testdata/bin (PyTorch 2.15.0 made the ones here). Run in this folder.

odd.bin has tensors of every type and of odd layouts; odd.safetensors has the same values made contiguous, those of other
types than float as float64, which Hugging Face's library wrote. protocol4.bin and protocol5.bin are odd.bin by other pickle
protocols, legacy.bin is in the format from before PyTorch 1.6, and evil.bin calls a function. ../../testdata/bin has a tiny
BERT in one file and in several.

    pip install torch transformers safetensors
"""

import json
import os
import shutil
from collections import OrderedDict

import torch
from safetensors.torch import save_file

torch.manual_seed(1)
base = torch.arange(60, dtype=torch.float32) / 8
cube = torch.randn(3, 4, 5)
tensors = OrderedDict(
    contiguous=base[:6].reshape(2, 3),
    transposed=base.reshape(6, 10).t(),
    offset=base[7:19].reshape(3, 4),
    strided=base[1::7],
    far=base[::29],
    permuted=cube.permute(2, 0, 1),
    inner=cube[1:, ::2, 1:4],
    expanded=base[3:6].reshape(3, 1).expand(3, 4),
    wide=base[:4].expand(5, 4),
    ones=cube[:, 2:3, :1],
    scalar=torch.tensor(42.0),
    view=base[59],
    empty=torch.zeros(3, 0, 2),
    nothing=base[60:],
    double=torch.tensor([1 / 3, 1e-300, float("inf")], dtype=torch.float64),
    half=torch.tensor([1.5, 6e-8, -65504.0], dtype=torch.float16),
    brain=torch.tensor([1.5, 3e38, -0.0], dtype=torch.bfloat16),
    long=torch.tensor([-1, 2**53]),
    int=torch.tensor([-5, 5], dtype=torch.int32),
    short=torch.tensor([-300, 300], dtype=torch.int16),
    char=torch.tensor([-128, 127], dtype=torch.int8),
    byte=torch.tensor([0, 255], dtype=torch.uint8),
    flag=torch.tensor([True, False, True]),
    u16=torch.tensor([1, 65535], dtype=torch.uint16),
    u32=torch.tensor([2**32 - 1], dtype=torch.uint32),
    u64=torch.tensor([7], dtype=torch.uint64),
    f8=torch.tensor([1.0, -2.0], dtype=torch.float8_e4m3fn),
    parameter=torch.nn.Parameter(torch.tensor([[0.5, -0.5]])),
)
tensors['odd "näme"\n'] = base[2:4]
state = OrderedDict(tensors)
state["epoch"] = 3
state["loss"] = -0.25
state["big"] = -(2**40)
state["history"] = [1, 2.5, "three", None, True, {"four": (4, 5, 6, 7)}, 300, 70000, []]
state._metadata = OrderedDict(version=2)
torch.save(state, "odd.bin")
torch.save(state, "protocol4.bin", pickle_protocol=4)
torch.save(state, "protocol5.bin", pickle_protocol=5)
torch.save(state, "legacy.bin", _use_new_zipfile_serialization=False)
save_file(
    {k: (v if v.dtype in (torch.float32, torch.float16, torch.bfloat16) else v.double()).detach().clone().contiguous() for k, v in tensors.items()},
    "odd.safetensors",
)


class Evil:
    def __reduce__(self):
        return os.system, ("echo pwned",)


torch.save({"weight": torch.zeros(2), "evil": Evil()}, "evil.bin")

# A checkpoint that Hugging Face's library wrote, as its older releases would have.
from safetensors.torch import load_file

source, target = "../../testdata/heads/Bert-SequenceClassification", "../../testdata/bin"
weights = load_file(source + "/model.safetensors")
old = OrderedDict((k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"), v) for k, v in weights.items())
names = sorted(old)
for k in names:  # as those have them that were converted from TensorFlow
    if k.endswith("dense.weight"):
        old[k] = old[k].t().contiguous().t()
for folder in ("one", "several"):
    os.makedirs(f"{target}/{folder}", exist_ok=True)
    shutil.copy(source + "/config.json", f"{target}/{folder}/config.json")
torch.save(old, target + "/one/pytorch_model.bin")
shards = {f"pytorch_model-{i + 1:05}-of-00003.bin": names[i::3] for i in range(3)}
for file, part in shards.items():
    torch.save({k: old[k] for k in part}, f"{target}/several/{file}")
with open(target + "/several/pytorch_model.bin.index.json", "w") as f:
    json.dump({"metadata": {"total_size": sum(4 * v.numel() for v in old.values())}, "weight_map": {k: file for file, part in shards.items() for k in part}}, f, indent=1)
    f.write("\n")
