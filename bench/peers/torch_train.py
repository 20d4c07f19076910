"""One side of `pnpm bench train`: PyTorch and transformers, the usual trainer's way.

Responses are padded into one batch (all first ones, then all second ones), logits are computed for every token, AdamW is torch's own
fused one. Takes a request as JSON, prints a measurement as its last line.
"""
import json
import os
import sys
import time

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM



def since_process_start():
    """Seconds, imports included; field 22 of stat is the start in ticks since the machine's."""
    with open("/proc/self/stat") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


request = json.loads(sys.argv[1])
torch.manual_seed(0)
torch.set_num_threads(os.cpu_count())
device = request.get("device", "cpu")
# Beside an adapter, the frozen weights are as wide as the products.
frozen = bool(request["loraRank"]) and request["precision"] == "bfloat16" and device != "cpu"
model = AutoModelForCausalLM.from_pretrained(request["model"], dtype=torch.bfloat16 if frozen else torch.float32).to(device)
model.train()
if request.get("gradientCheckpointing"):
    model.gradient_checkpointing_enable()
    model.enable_input_require_grads()
rows = json.load(open(request["rows"]))
responses = len(rows[0]["responses"])
sequences = [row["prompt"] + row["responses"][r] for r in range(responses) for row in rows]
longest = max(map(len, sequences))
ids = torch.zeros(len(sequences), longest, dtype=torch.long)
attention = torch.zeros_like(ids)
answer = torch.zeros(len(sequences), longest)
for i, sequence in enumerate(sequences):
    ids[i, : len(sequence)] = torch.tensor(sequence)
    attention[i, : len(sequence)] = 1
    answer[i, len(rows[i % len(rows)]["prompt"]) : len(sequence)] = 1
ids, attention, answer = ids.to(device), attention.to(device), answer.to(device)
micro = request["micro_pairs"]


def logprobs(chosen):
    index = torch.cat([chosen + r * len(rows) for r in range(responses)])
    logits = model(ids[index], attention_mask=attention[index], use_cache=False).logits[:, :-1]
    targets = ids[index][:, 1:]
    picked = torch.gather(logits.float(), 2, targets[..., None])[..., 0] - torch.logsumexp(logits.float(), -1)
    return (picked * answer[index][:, 1:]).sum(-1).reshape(responses, -1)


if request["loraRank"]:
    from peft import LoraConfig, get_peft_model

    linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    rank = request["loraRank"]
    model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=linear, task_type="CAUSAL_LM"))
model = model.to(device)
if request.get("compile"):
    model = torch.compile(model)
trained = [weight for weight in model.parameters() if weight.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=5e-7, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
parts = torch.arange(len(rows)).split(micro)
autocast = lambda: torch.autocast(device, dtype=torch.bfloat16, enabled=request["precision"] == "bfloat16")
with torch.no_grad(), autocast():
    reference = [logprobs(part) for part in parts]
seconds = []
startup = startup_work = 0.0
for step in range(request["steps"] + 1):
    begin = time.perf_counter()
    loss = 0.0
    for part, before in zip(parts, reference):
        with autocast():
            ratio = logprobs(part) - before
        # Four responses a prompt: half of the offline and half of the online pair's loss.
        pairs = [-F.logsigmoid(0.1 * (ratio[r] - ratio[r + 1])) for r in range(0, responses, 2)]
        part_loss = sum(pair.sum() for pair in pairs) / len(pairs) / len(rows)
        part_loss.backward()
        loss += part_loss.item()
    norm = torch.nn.utils.clip_grad_norm_(trained, 1.0).item()
    optimizer.step()
    optimizer.zero_grad()
    if step == 0:
        startup = since_process_start()
        startup_work = time.process_time()
    else:
        seconds.append(time.perf_counter() - begin)
peak = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"seconds": seconds, "startup": startup, "startupWork": startup_work, "peakBytes": peak, "loss": loss, "gradNorm": norm}))
