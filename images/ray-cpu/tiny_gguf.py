# Copyright (c) 2026, the rayops.serve_ha authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a Mistral-shaped GGUF model of half a megabyte with random weights.

It loads and answers within milliseconds, so that a whole Ray Serve deployment can be tried without a download. Its
answers are letters without meaning. The same versions of gguf and numpy give the same bytes.

Usage: tiny_gguf.py FILE
"""

from __future__ import annotations

import sys

import gguf
import numpy as np

NAME = "tiny-mistral"
WIDTH = 64
HEADS = 4
KV_HEADS = 2
BLOCKS = 2
FEED_FORWARD = 128
CONTEXT = 512
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


def tensors(rng: np.random.Generator, vocab: int) -> dict[str, np.ndarray]:
    """Every tensor of the model by its GGUF name."""

    def noise(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 0.05).astype(np.float32)

    ones = np.ones(WIDTH, np.float32)
    kv_width = WIDTH * KV_HEADS // HEADS
    found = {"token_embd.weight": noise(vocab, WIDTH), "output_norm.weight": ones}
    for block in range(BLOCKS):
        prefix = f"blk.{block}."
        found |= {
            prefix + "attn_norm.weight": ones,
            prefix + "attn_q.weight": noise(WIDTH, WIDTH),
            prefix + "attn_k.weight": noise(kv_width, WIDTH),
            prefix + "attn_v.weight": noise(kv_width, WIDTH),
            prefix + "attn_output.weight": noise(WIDTH, WIDTH),
            prefix + "ffn_norm.weight": ones,
            prefix + "ffn_gate.weight": noise(FEED_FORWARD, WIDTH),
            prefix + "ffn_up.weight": noise(FEED_FORWARD, WIDTH),
            prefix + "ffn_down.weight": noise(WIDTH, FEED_FORWARD),
        }
    # Only letters get a say: control and byte tokens keep a logit of 0, so an answer is readable and never empty.
    output = noise(vocab, WIDTH)
    output[: vocab - len(LETTERS)] = 0.0
    return found | {"output.weight": output}


def write(path: str) -> None:
    """Write the model to `path`."""
    tokens, scores, types = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(NAME)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
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
    for name, values in tensors(np.random.default_rng(0), len(tokens)).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} FILE")
    write(sys.argv[1])
