"""Writes a random model of a configuration, faster than JavaScript does for billions of parameters.

Takes a request as JSON: config (config.json), directory, precision, device; prints the number of parameters as its last line.
"""
import json
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

request = json.loads(sys.argv[1])
os.makedirs(request["directory"], exist_ok=True)
with open(os.path.join(request["directory"], "config.json"), "w") as file:
    json.dump(request["config"], file)
dtype = getattr(torch, request["precision"])
with torch.device("meta"):
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(request["directory"]), dtype=dtype)
generator = torch.Generator(request["device"]).manual_seed(0)
tensors = {}
for name, parameter in model.named_parameters():
    if parameter.dim() == 1:
        fill = torch.zeros if name.endswith("bias") else torch.ones
        tensors[name] = fill(parameter.shape, dtype=dtype)
        continue
    values = torch.randn(parameter.shape, generator=generator, device=request["device"], dtype=dtype)
    tensors[name] = (values * 0.02).cpu()
save_file(tensors, os.path.join(request["directory"], "model.safetensors"), metadata={"format": "pt"})
print(json.dumps({"parameters": sum(tensor.numel() for tensor in tensors.values())}))
