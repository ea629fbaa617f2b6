"""A tiny model that vLLM serves in seconds: two layers of random weights, a tokenizer trained on Python's own library,
and a chat template with tools. Needs no network.

    python tests/vllm/tiny_model.py FOLDER [--adapter FOLDER]

Run by the Python that has vLLM. Random weights say nothing sensible, but what is constrained to a schema must fit it,
and it must end. So the model is given a taste for ending: one dimension of its residual stream is the same for every
token, which makes the output weights of that dimension a bias for each token: blanks and digits are disliked, quotes,
closing brackets and the end of the turn are liked.
"""

from __future__ import annotations

import argparse
import sysconfig
from pathlib import Path
from typing import Any

VOCABULARY = 2048
CONTEXT = 8192
WIDTH = 64
END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"

TEMPLATE = """
{%- macro turn(role, text) -%}
<|im_start|>{{ role }}
{{ text }}<|im_end|>
{% endmacro -%}
{%- set first = messages[0] if messages[0]['role'] == 'system' else none -%}
{%- if tools -%}
<|im_start|>system
{% if first %}{{ first['content'] }}
{% endif %}Tools:
{% for each in tools %}{{ each | tojson }}
{% endfor %}Call one as <tool_call>{"name": NAME, "arguments": {...}}</tool_call><|im_end|>
{% elif first -%}
{{ turn('system', first['content']) }}
{%- endif -%}
{%- for each in messages -%}
{%- if each['role'] == 'tool' -%}
{{ turn('user', '<tool_response>\\n' ~ each['content'] ~ '\\n</tool_response>') }}
{%- elif each.get('tool_calls') -%}
<|im_start|>assistant
{{ each['content'] or '' }}
{%- for call in each['tool_calls'] -%}
{%- set made = call['function'] -%}
<tool_call>{"name": "{{ made['name'] }}", "arguments": {{ made['arguments'] | tojson }}}</tool_call>
{%- endfor -%}
<|im_end|>
{% elif each['role'] != 'system' or not loop.first -%}
{{ turn(each['role'], each['content']) }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""


def make_tokenizer() -> Any:
    """A byte-level BPE tokenizer, trained on a part of the standard library."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast  # type: ignore[import-not-found]

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library = Path(sysconfig.get_path("stdlib"))
    bpe.train([str(path) for path in sorted(library.glob("*.py"))[:100]], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token=END, pad_token=PAD, unk_token=PAD, model_max_length=CONTEXT
    )
    tokenizer.chat_template = TEMPLATE.strip()
    return tokenizer


def make_model(tokenizer: Any) -> Any:
    """Random weights, the same each time, with the bias of `taste` built in."""
    import torch  # type: ignore[import-not-found]
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(7)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    ).to(torch.float32)
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 1.0
        for layer in model.model.layers:  # nothing else writes to the dimension that holds the constant
            layer.self_attn.o_proj.weight[0].zero_()
            layer.mlp.down_proj.weight[0].zero_()
        model.lm_head.weight[:, 0] = torch.tensor([taste(tokenizer, token) for token in range(len(tokenizer))])
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return model


def taste(tokenizer: Any, token: int) -> float:
    """How much the model likes a token."""
    text = tokenizer.decode([token])
    if text in (START, PAD):
        return -6.0
    if text == END:
        return 1.5
    if text != text.strip() or not text:
        return -3.0
    if any(sign.isdigit() or sign in "\\+-." for sign in text) or text in ("e", "E"):
        return -1.5
    return 1.0 if text in ('"', '",', '"]', '"}', "]", "}", "}}", ",") else 0.0


def make_adapter(folder: Path) -> None:
    """A LoRA adapter for the model: rank 8 on the queries, random, small."""
    import json

    import torch
    from safetensors.torch import save_file  # type: ignore[import-not-found]

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(11)
    weights = {}
    for layer in range(2):
        stem = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        weights[f"{stem}.lora_A.weight"] = torch.randn(8, WIDTH) * 0.02
        weights[f"{stem}.lora_B.weight"] = torch.randn(WIDTH, 8) * 0.02
    save_file(weights, str(folder / "adapter_model.safetensors"))
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "bias": "none",
        "target_modules": ["q_proj"], "base_model_name_or_path": "tiny", "fan_in_fan_out": False,
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")


def main() -> None:
    """Write the model, and an adapter where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--adapter", type=Path, default=None)
    given = parser.parse_args()
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(given.folder)
    make_model(tokenizer).save_pretrained(given.folder)
    if given.adapter is not None:
        make_adapter(given.adapter)


if __name__ == "__main__":
    main()
