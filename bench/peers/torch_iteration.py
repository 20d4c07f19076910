"""One side of `pnpm bench iteration`: a MetaAPO iteration with transformers and PyTorch.

Takes a request as JSON (the rows to sample are given, so that both sides sample the same prompts) and prints seconds by
stage as its last line. Batches are padded; generation is transformers' own with its cache.
"""
import json
import os
import sys
import time

import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

request = json.loads(sys.argv[1])
torch.manual_seed(0)
torch.set_num_threads(os.cpu_count())
seconds = {}


class stage:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.begin = time.perf_counter()

    def __exit__(self, *_):
        seconds[self.name] = seconds.get(self.name, 0) + time.perf_counter() - self.begin


tokenizer = AutoTokenizer.from_pretrained(request["model"], padding_side="left")
policy = AutoModelForCausalLM.from_pretrained(request["model"], dtype=torch.float32)
reference = AutoModelForCausalLM.from_pretrained(request["model"], dtype=torch.float32).eval()
reward_model = AutoModelForSequenceClassification.from_pretrained(request["reward"], dtype=torch.float32).eval()
pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
limit = request["maxLength"]


def encode(messages, **options):
    text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    return tokenizer(text, add_special_tokens=False).input_ids


rows, chats, number = [], [], -1
for raw in pq.read_table(request["data"]).to_pylist():
    number += 1
    prompt = encode(raw["chosen"][:-1], add_generation_prompt=True)
    if len(prompt) >= limit:
        continue
    answers = []
    for side in ("chosen", "rejected"):
        ids = tokenizer(raw[side][-1]["content"], add_special_tokens=False).input_ids + [eos]
        answers.append(ids[: limit - len(prompt)])
    rows.append({"number": number, "prompt": prompt, "responses": answers})
    chats.append(raw["chosen"][:-1])
    if len(rows) == request["rows"]:
        break
wanted = set(request["selected"])
batch = request["batch"]


def logprobs(model, pairs):
    """Sums of response log-probabilities of (prompt, response) pairs, padded to the longest."""
    longest = max(len(p) + len(r) for p, r in pairs)
    ids = torch.full((len(pairs), longest), pad)
    mask = torch.zeros_like(ids)
    answer = torch.zeros(len(pairs), longest)
    for i, (p, r) in enumerate(pairs):
        ids[i, : len(p) + len(r)] = torch.tensor(p + r)
        mask[i, : len(p) + len(r)] = 1
        answer[i, len(p) : len(p) + len(r)] = 1
    logits = model(ids, attention_mask=mask, use_cache=False).logits[:, :-1]
    picked = torch.gather(logits, 2, ids[:, 1:, None])[..., 0] - torch.logsumexp(logits, -1)
    return (picked * answer[:, 1:]).sum(-1)


def score(model, pairs):
    with torch.no_grad():
        return torch.cat([logprobs(model, pairs[i : i + batch]) for i in range(0, len(pairs), batch)])


offline = [(row["prompt"], r) for row in rows for r in row["responses"]]
with stage("score"):
    policy.eval()
    score(policy, offline)
    before = score(reference, offline).reshape(-1, 2)

sampled = [i for i, row in enumerate(rows) if row["number"] in wanted]
count, new_tokens = request["samples"], 0
responses = {}
with stage("sample"), torch.no_grad():
    for start in range(0, len(sampled), 8):
        part = sampled[start : start + 8]
        inputs = tokenizer.pad({"input_ids": [rows[i]["prompt"] for i in part]}, return_tensors="pt")
        out = policy.generate(
            **inputs, do_sample=True, temperature=1.0, top_k=0, num_return_sequences=count,
            max_new_tokens=request["newTokens"], pad_token_id=pad,
        )[:, inputs.input_ids.shape[1] :]
        for at, i in enumerate(part):
            texts = []
            for ids in out[at * count : (at + 1) * count].tolist():
                ids = ids[: ids.index(eos) + 1] if eos in ids else ids
                new_tokens += len(ids)
                texts.append(ids)
            responses[i] = texts

with stage("reward"), torch.no_grad():
    everything = []
    for i in sampled:
        for ids in responses[i]:
            text = tokenizer.decode(ids, skip_special_tokens=True)
            everything.append(encode([*chats[i], {"role": "assistant", "content": text}]))
    order = sorted(range(len(everything)), key=lambda k: len(everything[k]))
    rewards = torch.zeros(len(everything))
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        longest = max(len(everything[k]) for k in part)
        ids = torch.full((len(part), longest), pad)
        mask = torch.zeros_like(ids)
        for at, k in enumerate(part):
            ids[at, : len(everything[k])] = torch.tensor(everything[k])
            mask[at, : len(everything[k])] = 1
        rewards[part] = reward_model(input_ids=ids, attention_mask=mask).logits[:, 0]
    rewards = rewards.reshape(-1, count)

online = {}
for at, i in enumerate(sampled):
    online[i] = (responses[i][rewards[at].argmax()], responses[i][rewards[at].argmin()])
with stage("score"):
    pairs = [(rows[i]["prompt"], ids) for i in sampled for ids in online[i]]
    values = score(reference, pairs).reshape(-1, 2)
    online_before = {i: values[at] for at, i in enumerate(sampled)}

with stage("train"):
    policy.train()
    optimizer = torch.optim.AdamW(policy.parameters(), lr=5e-7, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    for start in range(0, len(rows), batch):
        for micro in range(start, min(start + batch, len(rows)), 4):
            indices = range(micro, min(micro + 4, start + batch, len(rows)))
            pairs = [(rows[i]["prompt"], r) for i in indices for r in rows[i]["responses"]]
            extra = [i for i in indices if i in online]
            pairs += [(rows[i]["prompt"], r) for i in extra for r in online[i]]
            ratios = logprobs(policy, pairs).reshape(-1, 2)
            ratios = ratios - torch.stack([before[i] for i in indices] + [online_before[i] for i in extra])
            losses = -F.logsigmoid(0.1 * (ratios[:, 0] - ratios[:, 1]))
            weight = torch.tensor([0.5 if i in online else 1.0 for i in indices] + [0.5] * len(extra))
            ((weight * losses).sum() / min(batch, len(rows) - start)).backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
print(json.dumps({"seconds": seconds, "responseTokens": new_tokens}))
