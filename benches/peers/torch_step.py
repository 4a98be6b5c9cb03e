#!/usr/bin/env python3
"""The same training step in PyTorch, as a peer of benches/train_step.rs: float32 or products in bf16, fused AdamW, byte vocabulary, 16 x 128 tokens.

usage: torch_step.py {eager|compile} {S|M|L|X} [--dtype bf16] [--threads N] [--seconds X] [--on-request]

Prints one line of JSON (on request: a rate for every line read). Like the workloads it mirrors: RMSNorm before each branch, rotary positions, causal
scaled_dot_product_attention, SwiGLU, a head of its own, no biases. query/key/value and gate/up are one product each,
gradients are dropped rather than zeroed: what a careful user of PyTorch would write.
"""
import argparse
import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY, CONTEXT, SEQUENCES = 256, 128, 16
WORKLOADS = {"S": dict(layers=2, width=64, heads=2, ffn=176), "M": dict(layers=4, width=128, heads=4, ffn=344), "L": dict(layers=6, width=256, heads=4, ffn=688), "X": dict(layers=8, width=512, heads=8, ffn=1376)}


def turn(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class Layer(nn.Module):
    def __init__(self, width, heads, ffn):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_ffn = nn.RMSNorm(width), nn.RMSNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.gate_up, self.down = nn.Linear(width, 2 * ffn, bias=False), nn.Linear(ffn, width, bias=False)

    def forward(self, x, cos, sin):
        sequences, context, width = x.shape
        projected = self.query_key_value(self.before_attention(x)).view(sequences, context, 3, self.heads, width // self.heads)
        q, k, v = projected.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(turn(q, cos, sin), turn(k, cos, sin), v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(sequences, context, width))
        gate, up = self.gate_up(self.before_ffn(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Decoder(nn.Module):
    def __init__(self, layers, width, heads, ffn):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.layers = nn.ModuleList([Layer(width, heads, ffn) for _ in range(layers)])
        self.norm, self.head = nn.RMSNorm(width), nn.Linear(width, VOCABULARY, bias=False)
        half = width // heads // 2
        angles = torch.arange(CONTEXT)[:, None] * 10000.0 ** (-torch.arange(half) / half)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, inputs, targets):
        x = self.embedding(inputs)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["eager", "compile"])
    parser.add_argument("workload", choices=list(WORKLOADS))
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="bf16: products in bf16 by autocast, master weights in f32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--on-request", action="store_true", help="measure once for every line of standard input")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = Decoder(**WORKLOADS[options.workload])
    loss_of = torch.compile(model) if options.mode == "compile" else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1, fused=True)
    batch = torch.randint(0, VOCABULARY, (2, SEQUENCES, CONTEXT))
    # One thread: its processor time, so that other work on the machine counts less. Several: the clock.
    clock = time.process_time if options.threads == 1 else time.perf_counter

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.dtype == "bf16"):
            loss = loss_of(batch[0], batch[1])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def rate():
        times, end = [], clock() + options.seconds
        while clock() < end or len(times) < 3:
            start = clock()
            step()
            times.append(clock() - start)
        return round(SEQUENCES * CONTEXT / statistics.median(times))

    for _ in range(4):
        step()
    if options.on_request:
        for _ in sys.stdin:
            print(rate(), flush=True)
    else:
        rates = sorted(rate() for _ in range(7))
        peer = f"torch {torch.__version__} {options.mode} {options.dtype}"
        print(json.dumps(dict(peer=peer, workload=options.workload, threads=options.threads, tokens_per_second=rates[3], best=rates[-1])))


main()
