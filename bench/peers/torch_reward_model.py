"""One side of `pnpm bench reward-model`: a Bradley-Terry reward model trained with transformers and PyTorch.

Starts from the very weights of the other side, head included, reads and tokenises the data itself, and takes the same
batches and learning rates. Takes a request as JSON, prints a report as its last line.
"""
import hashlib
import json
import os
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from transformers import AutoModelForSequenceClassification, AutoTokenizer

request = json.loads(sys.argv[1])
torch.manual_seed(0)
torch.set_num_threads(os.cpu_count())
tokenizer = AutoTokenizer.from_pretrained(request["model"])
model = AutoModelForSequenceClassification.from_pretrained(request["start"], num_labels=1, dtype=torch.float32)
model.config.pad_token_id = pad = tokenizer.pad_token_id
limit = request["maxLength"]


def encode(messages, **options):
    text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    return tokenizer(text, add_special_tokens=False).input_ids


def read(file):
    """Pairs of conversations as token ids, cut at the limit; rows whose prompt leaves no room are left out."""
    pairs = []
    for row in pq.read_table(file).to_pylist():
        if len(encode(row["chosen"][:-1], add_generation_prompt=True)) < limit:
            pairs.append([encode(row[side])[:limit] for side in ("chosen", "rejected")])
    return pairs


def digest(pairs):
    sha = hashlib.sha256()
    for pair in pairs:
        for ids in pair:
            sha.update(np.array([len(ids), *ids], dtype="<i4").tobytes())
    return sha.hexdigest()


train = read(request["train"])[: request["rows"]]
held = read(request["eval"])
for name, pairs in (("train", train), ("eval", held)):
    if digest(pairs) != request["digests"][name]:
        raise SystemExit(f"{name}: the token ids are not those of the other side")


def rewards(pairs):
    """Rewards `[2, B]` of chosen and rejected, at the last token of each conversation."""
    sequences = [pair[side] for side in range(2) for pair in pairs]
    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), pad)
    mask = torch.zeros_like(ids)
    for i, sequence in enumerate(sequences):
        ids[i, : len(sequence)] = torch.tensor(sequence)
        mask[i, : len(sequence)] = 1
    return model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, 0].reshape(2, -1)


def per_pair(chosen, rejected):
    return -F.logsigmoid(chosen - rejected) + request["centerPenalty"] * (chosen + rejected) ** 2


def evaluate():
    # Pairs of like lengths share a batch, so that little is padded.
    order = sorted(held, key=lambda pair: max(map(len, pair)))
    model.eval()
    with torch.no_grad():
        chosen, rejected = torch.cat([rewards(order[i : i + 16]) for i in range(0, len(order), 16)], dim=1)
    model.train()
    right = (chosen > rejected).float().mean().item()
    return {"accuracy": right, "loss": per_pair(chosen, rejected).mean().item()}


optimizer = torch.optim.AdamW(
    model.parameters(), lr=0.0, betas=request["adamBetas"], eps=request["adamEpsilon"], weight_decay=0.0, fused=True
)
before = evaluate()
losses, begin = [], time.perf_counter()
for batch, rate in zip(request["batches"], request["learningRates"]):
    loss = 0.0
    for start in range(0, len(batch), request["microPairs"]):
        chosen, rejected = rewards([train[i] for i in batch[start : start + request["microPairs"]]])
        part = per_pair(chosen, rejected).sum() / len(batch)
        part.backward()
        loss += part.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), request["maxGradNorm"])
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss)
seconds = time.perf_counter() - begin
print(json.dumps({"before": before, "after": evaluate(), "losses": losses, "trainSeconds": seconds}))
