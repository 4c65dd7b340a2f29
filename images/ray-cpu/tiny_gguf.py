# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a Mistral-shaped GGUF model with random weights: half a megabyte, unless asked for more.

It loads and answers within milliseconds, so that a whole Ray Serve deployment can be tried without a download. Its
answers are letters without meaning. The same versions of gguf and numpy give the same bytes.

A wider and deeper one has the pace of a real model: with --width 512 --blocks 4, 40 megabytes, a token takes milliseconds.

Usage: tiny_gguf.py [--width WIDTH] [--blocks BLOCKS] FILE
"""

from __future__ import annotations

import argparse

import gguf
import numpy as np

NAME = "tiny-mistral"
HEADS = 4
KV_HEADS = 2
CONTEXT = 4096
LETTERS = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?[]/"
# Mistral-Instruct's, without system messages.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]{% else %}{{ m['content'] }}{% endif %}"
    "{% endfor %}"
)


def vocabulary() -> tuple[list[bytes], list[float], list[int]]:
    """Tokens, scores and types: three control tokens, every byte (so that any text can be written), the letters."""
    control = [
        (b"<unk>", 0.0, gguf.TokenType.UNKNOWN),
        (b"<s>", 0.0, gguf.TokenType.CONTROL),
        (b"</s>", 0.0, gguf.TokenType.CONTROL),
    ]
    raw = [(f"<0x{i:02X}>".encode(), 0.0, gguf.TokenType.BYTE) for i in range(256)]
    letters = [(c.encode(), -1.0, gguf.TokenType.NORMAL) for c in LETTERS]
    tokens, scores, types = zip(*(control + raw + letters), strict=True)
    return list(tokens), list(scores), list(types)


def tensors(rng: np.random.Generator, vocab: int, width: int, blocks: int) -> dict[str, np.ndarray]:
    """Every tensor of the model by its GGUF name."""

    def noise(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 0.05).astype(np.float32)

    ones = np.ones(width, np.float32)
    kv_width = width * KV_HEADS // HEADS
    found = {"token_embd.weight": noise(vocab, width), "output_norm.weight": ones}
    for block in range(blocks):
        prefix = f"blk.{block}."
        found |= {
            prefix + "attn_norm.weight": ones,
            prefix + "attn_q.weight": noise(width, width),
            prefix + "attn_k.weight": noise(kv_width, width),
            prefix + "attn_v.weight": noise(kv_width, width),
            prefix + "attn_output.weight": noise(width, width),
            prefix + "ffn_norm.weight": ones,
            prefix + "ffn_gate.weight": noise(2 * width, width),
            prefix + "ffn_up.weight": noise(2 * width, width),
            prefix + "ffn_down.weight": noise(width, 2 * width),
        }
    # Only letters get a say, at every usual temperature: the others keep a logit of 0, which is far below the best letters',
    # so that an answer is readable and never empty.
    output = noise(vocab, width) * 20
    output[: vocab - len(LETTERS)] = 0.0
    return found | {"output.weight": output}


def write(path: str, width: int, blocks: int) -> None:
    """Write the model to `path`: `blocks` layers for vectors of `width` numbers."""
    tokens, scores, types = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(NAME)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(width)
    writer.add_block_count(blocks)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(width // HEADS)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, values in tensors(np.random.default_rng(0), len(tokens), width, blocks).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a Mistral-shaped GGUF model with random weights.")
    parser.add_argument("file")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=2)
    given = parser.parse_args()
    write(given.file, given.width, given.blocks)
