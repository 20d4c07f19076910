"""One side of `pnpm bench generate`: transformers' own generate, with its cache of keys and values.

Prompts are padded on the left and go in batches of `sequences` responses. Takes a request as JSON; prints a measurement
as its last line. With `probe`, one batch alone is timed once, to find the best batch.
"""
import json
import os
import sys
import time

import torch
from transformers import AutoModelForCausalLM

request = json.loads(sys.argv[1])
start = time.perf_counter()
device = request.get("device", "cpu")
torch.manual_seed(0)
torch.set_num_threads(os.cpu_count())
model = AutoModelForCausalLM.from_pretrained(request["model"], dtype=getattr(torch, request["precision"])).to(device).eval()
# Nothing ends a response early.
model.generation_config.eos_token_id = None
samples, new_tokens = request["samples"], request["newTokens"]
prompts = json.load(open(request["prompts"]))
# Prompts of like lengths share a batch, so that little is padded.
prompts.sort(key=len)
per_batch = max(1, request["sequences"] // samples)
batches = [prompts[i : i + per_batch] for i in range(0, len(prompts), per_batch)]
PAD = 0


def generate(batch, limit):
    longest = max(map(len, batch))
    ids = torch.full((len(batch), longest), PAD)
    mask = torch.zeros_like(ids)
    for i, prompt in enumerate(batch):
        ids[i, longest - len(prompt) :] = torch.tensor(prompt)
        mask[i, longest - len(prompt) :] = 1
    ids, mask = ids.to(device), mask.to(device)
    with torch.inference_mode():
        out = model.generate(
            ids, attention_mask=mask, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, num_return_sequences=samples,
            max_new_tokens=limit, pad_token_id=PAD, cache_implementation=request["cache"],
        )
    return out[:, longest:].cpu()


def mean_logprob(prompt, response):
    """Of a response's tokens under the model, computed in float32 from its logits, one sequence at a time."""
    ids = torch.cat([torch.tensor(prompt), response])[None]
    with torch.inference_mode():
        logits = model(ids.to(device)).logits.cpu()[0, len(prompt) - 1 : -1].float()
    return (logits.gather(1, response[:, None])[:, 0] - logits.logsumexp(1)).mean().item()


if request["probe"]:
    batches = batches[len(batches) // 2 :][:1]
generate(batches[-1], 4)
startup = time.perf_counter() - start
seconds, tokens = [], 0
for run in range(1 if request["probe"] else request["runs"]):
    begin = time.perf_counter()
    outputs = [generate(batch, new_tokens) for batch in batches]
    seconds.append(time.perf_counter() - begin)
    tokens = sum(out.numel() for out in outputs)
wanted = sum(map(len, batches)) * samples * new_tokens
if tokens != wanted:
    raise SystemExit(f"{tokens} new tokens instead of {wanted}")
peak = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
checked = [(prompt, out[i * samples]) for batch, out in zip(batches, outputs) for i, prompt in enumerate(batch)]
mean = sum(mean_logprob(prompt, response) for prompt, response in checked) / len(checked)
report = {"seconds": seconds, "tokens": tokens, "startup": startup, "peakBytes": peak, "meanLogprob": mean}
print(json.dumps(report))
