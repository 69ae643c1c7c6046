"""Makes reference.safetensors with Hugging Face's safetensors (0.8.0 made the one here). Run in this folder.

The values are those that TestReference in read_test.go expects.
"""

import torch
from safetensors.torch import save_file

special = [0.0, -0.0, 1.0, -2.5, 65504.0, 2.0**-14, 2.0**-24, -3 * 2.0**-24, float("inf"), float("-inf"), float("nan"), 1 / 3]
save_file(
    {
        "weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4,
        "double": torch.tensor(special, dtype=torch.float64),
        "half": torch.tensor(special, dtype=torch.float16),
        "brain": torch.tensor(special, dtype=torch.bfloat16),
        "long": torch.tensor([[-1, 2**31 - 1], [-(2**31), 7]]),
        "beyond": torch.tensor([2**31]),
        "int": torch.tensor([-5, 5], dtype=torch.int32),
        "short": torch.tensor([-300, 300], dtype=torch.int16),
        "char": torch.tensor([-128, 127], dtype=torch.int8),
        "byte": torch.tensor([0, 255], dtype=torch.uint8),
        "flag": torch.tensor([True, False, True]),
        "scalar": torch.tensor(42.0),
        "empty": torch.zeros(3, 0, 2),
        'odd "näme"\n': torch.tensor([1.5]),
    },
    "reference.safetensors",
    metadata={"format": "pt", "note": "ünïcode"},
)
