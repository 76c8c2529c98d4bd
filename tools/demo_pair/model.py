"""The Qwen3 architecture in PyTorch, with the parameter names of Hugging Face transformers (tied embeddings)."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

ROPE_THETA = 10000.0
RMS_NORM_EPS = 1e-6
MAX_POSITION_EMBEDDINGS = 1024
VOCAB_SIZE = 512  # the tokenizer's size, padded


@dataclass(frozen=True)
class Shape:
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int


# 12 query heads each: the pair can be sharded over 1, 2, 3, 4, 6 or 12 ranks.
SHAPES = {
    "target": Shape(256, 768, 8, 12, 4, 32),
    "draft": Shape(48, 128, 2, 12, 4, 32),
}


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), RMS_NORM_EPS)


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.head_dim = shape.head_dim
        self.q_proj = nn.Linear(shape.hidden_size, shape.num_heads * shape.head_dim, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, shape.num_kv_heads * shape.head_dim, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, shape.num_kv_heads * shape.head_dim, bias=False)
        self.o_proj = nn.Linear(shape.num_heads * shape.head_dim, shape.hidden_size, bias=False)
        self.q_norm = RMSNorm(shape.head_dim)
        self.k_norm = RMSNorm(shape.head_dim)

    def forward(self, x, cos, sin, cache, positions, mask):
        heads = (*x.shape[:2], -1, self.head_dim)
        q = rotate(self.q_norm(self.q_proj(x).view(heads)).transpose(1, 2), cos, sin)  # [batch, heads, seq, head_dim]
        k = rotate(self.k_norm(self.k_proj(x).view(heads)).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(heads).transpose(1, 2)
        if cache is not None:  # two tensors [batch, kv_heads, max_length, head_dim]
            rows = torch.arange(len(x), device=x.device)[:, None]
            for stored, new in zip(cache, (k, v)):
                stored.transpose(1, 2)[rows, positions] = new.transpose(1, 2).to(stored.dtype)
            k, v = (stored[:, :, :mask.shape[-1]] for stored in cache)
        y = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, attn_mask=mask, is_causal=mask is None,
                                           enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).flatten(2).to(x.dtype))


class MLP(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = RMSNorm(shape.hidden_size)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size)

    def forward(self, x, *attention):
        x = x + self.self_attn(self.input_layernorm(x), *attention)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.embed_tokens = nn.Embedding(VOCAB_SIZE, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_layers))
        self.norm = RMSNorm(shape.hidden_size)


class LanguageModel(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.model = Decoder(shape)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                std = 0.5 / math.sqrt(parameter.shape[1])
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    std /= math.sqrt(2 * shape.num_layers)
                nn.init.normal_(parameter, std=0.05 if "embed" in name else std)
        half = shape.head_dim // 2
        angles = torch.arange(MAX_POSITION_EMBEDDINGS)[:, None] * ROPE_THETA ** (-torch.arange(half) / half)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def num_parameters(self):
        return sum(p.numel() for p in self.parameters())

    def new_cache(self, batch, length):
        weight = self.model.embed_tokens.weight
        size = (batch, self.shape.num_kv_heads, length, self.shape.head_dim)
        return [tuple(torch.zeros(size, device=weight.device, dtype=weight.dtype) for _ in "kv")
                for _ in self.model.layers]

    def forward(self, ids, cache=None, positions=None, mask=None):
        """ids [batch, seq] -> logits [batch, seq, vocab]. With a cache: `positions` [batch, seq] of the ids, `mask`
        [batch or 1, 1, seq, length] true where a position may be seen. Without: causal attention over seq."""
        x = self.model.embed_tokens(ids)
        cos, sin = ((t[:ids.shape[1]] if positions is None else t[positions][:, None]).to(x.dtype)
                    for t in (self.cos, self.sin))
        for i, layer in enumerate(self.model.layers):
            x = layer(x, cos, sin, None if cache is None else cache[i], positions, mask)
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)
