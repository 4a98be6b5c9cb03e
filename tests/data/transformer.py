#!/usr/bin/env python3
"""Writes the reference numbers of the decoder beside itself: logits, loss and gradients of two tiny networks,
computed by PyTorch in float64 with its own layers (F.rms_norm, scaled_dot_product_attention, cross_entropy).

usage: transformer.py        (needs torch; any version with F.rms_norm)

Weights are not stored: number i of the flat order of src/train/init.rs is 0.4·sin(0.37·i² + i), plus 1 for a gain,
rounded to float32; tokens are (7·i + i²/3) mod V. Both are made again by the Rust test.

Of the same networks filling gaps (masked_loss, masked_gradient): tokens are (7·i + i²/3) mod V − 1, token i is hidden where i mod 7 is 0,
2 or 3 (the id V − 1 stands in its place), every position sees all, and the loss is the mean over sequences of the mean over hidden tokens.
"""
import json, math, pathlib
import torch
import torch.nn.functional as F

NETWORKS = {
    "grouped": dict(layers=2, width=8, heads=2, kv_heads=1, ffn=12, vocabulary=7, context=5, qk_norm=True, tied_head=False),
    "tied": dict(layers=1, width=12, heads=3, kv_heads=3, ffn=8, vocabulary=9, context=4, qk_norm=False, tied_head=True),
}
SEQUENCES = 2


def parameter_list(s):
    d, h, kv = s["width"], s["width"] // s["heads"], s["kv_heads"] * (s["width"] // s["heads"])
    names = [("embedding", (s["vocabulary"], d))]
    for i in range(s["layers"]):
        block = [("attention_norm", (d,))]
        if s["qk_norm"]:
            block += [("query_norm", (h,)), ("key_norm", (h,))]
        block += [("query", (d, d)), ("key", (kv, d)), ("value", (kv, d)), ("out", (d, d)), ("ffn_norm", (d,))]
        block += [("gate", (s["ffn"], d)), ("up", (s["ffn"], d)), ("down", (d, s["ffn"]))]
        names += [(f"blocks.{i}.{name}", shape) for name, shape in block]
    names.append(("final_norm", (d,)))
    if not s["tied_head"]:
        names.append(("head", (s["vocabulary"], d)))
    return names


def weights(s):
    result, at = {}, 0
    for name, shape in parameter_list(s):
        n = math.prod(shape)
        values = [0.4 * math.sin(0.37 * i * i + i) + (1.0 if len(shape) == 1 else 0.0) for i in range(at, at + n)]
        result[name] = torch.tensor(values, dtype=torch.float32).double().reshape(shape).requires_grad_()
        at += n
    return result


def rotate(x):
    t, h = x.shape[-2:]
    angle = torch.arange(t).double()[:, None] * 10000.0 ** (-torch.arange(h // 2).double() / (h // 2))
    a, b = x.chunk(2, -1)
    return torch.cat((a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()), -1)


def logits(s, w, inputs, causal=True):
    b, t, d = *inputs.shape, s["width"]
    norm = lambda x, gain: F.rms_norm(x, (x.shape[-1],), gain, 1e-6)
    x = w["embedding"][inputs]
    for i in range(s["layers"]):
        p = {name.split(".")[2]: value for name, value in w.items() if name.startswith(f"blocks.{i}.")}
        y = norm(x, p["attention_norm"])
        heads = lambda m, n: F.linear(y, p[m]).view(b, t, n, -1)
        q, k, v = heads("query", s["heads"]), heads("key", s["kv_heads"]), heads("value", s["kv_heads"])
        if s["qk_norm"]:
            q, k = norm(q, p["query_norm"]), norm(k, p["key_norm"])
        q, k, v = rotate(q.transpose(1, 2)), rotate(k.transpose(1, 2)), v.transpose(1, 2)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
        x = x + F.linear(mixed.transpose(1, 2).reshape(b, t, d), p["out"])
        y = norm(x, p["ffn_norm"])
        x = x + F.linear(F.silu(F.linear(y, p["gate"])) * F.linear(y, p["up"]), p["down"])
    return F.linear(norm(x, w["final_norm"]), w["embedding" if s["tied_head"] else "head"])


def main():
    lines = []
    for name, s in NETWORKS.items():
        n, v = SEQUENCES * s["context"], s["vocabulary"]
        tokens = [(7 * i + i * i // 3) % v for i in range(n + 1)]
        inputs, targets = (torch.tensor(x).view(SEQUENCES, -1) for x in (tokens[:-1], tokens[1:]))
        w = weights(s)
        z = logits(s, w, inputs)
        loss = F.cross_entropy(z.view(n, v), targets.view(-1))
        loss.backward()
        digits = lambda x: [float(f"{value:.8g}") for value in x.flatten().tolist()]
        gradient = [g for value in w.values() for g in digits(value.grad)]
        row = dict(shape=s, sequences=SEQUENCES, loss=loss.item(), logits=digits(z.detach()), gradient=gradient)
        tokens = torch.tensor([(7 * i + i * i // 3) % (v - 1) for i in range(n)]).view(SEQUENCES, -1)
        hidden = torch.tensor([i % 7 in (0, 2, 3) for i in range(n)]).view(SEQUENCES, -1)
        w = weights(s)
        z = logits(s, w, tokens.masked_fill(hidden, v - 1), causal=False)
        losses = F.cross_entropy(z.view(n, v), tokens.view(-1), reduction="none").view(SEQUENCES, -1) * hidden
        loss = (losses.sum(1) / hidden.sum(1)).mean()
        loss.backward()
        row |= dict(masked_loss=loss.item(), masked_gradient=[g for value in w.values() for g in digits(value.grad)])
        lines.append(f"{json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}")
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
