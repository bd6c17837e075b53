"""What onnxruntime-genai wants beside a graph: its configuration and the tokenizer, out of a GGUF header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gguf import GGUFReader

    from labkit._smollm.repack import Shape

_CONTROL, _USER_DEFINED = 3, 4
# GPT-2's rule for words, with the digits already split off. Of a tokenizer.json's pre-tokenizers the runtime
# heeds `Split` alone, so both rules are written as one, in the very form that it takes.
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_DIGIT = r"\p{N}"


def genai_config(reader: GGUFReader, shape: Shape) -> dict[str, Any]:
    """`genai_config.json`: the names of the graph's inputs and outputs, and how answers are searched for."""

    def token(kind: str) -> int:
        return int(reader.fields[f"tokenizer.ggml.{kind}_token_id"].contents())

    cache = {
        "past_key_names": "past_key_values.%d.key",
        "past_value_names": "past_key_values.%d.value",
    }
    present = {"present_key_names": "present.%d.key", "present_value_names": "present.%d.value"}
    return {
        "model": {
            "type": "llama",
            "bos_token_id": token("bos"),
            "eos_token_id": token("eos"),
            "pad_token_id": token("padding"),
            "context_length": shape.context,
            "vocab_size": shape.vocabulary,
            "decoder": {
                "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
                "filename": "model.onnx",
                "head_size": shape.head_size,
                "hidden_size": shape.hidden,
                "num_attention_heads": shape.heads,
                "num_hidden_layers": shape.layers,
                "num_key_value_heads": shape.kv_heads,
                "inputs": {"input_ids": "input_ids", "attention_mask": "attention_mask", **cache},
                "outputs": {"logits": "logits", "hidden_states": "hidden_states", **present},
            },
        },
        "search": {
            "do_sample": False,
            "early_stopping": True,
            "max_length": shape.context,
            "min_length": 0,
            "num_beams": 1,
            "num_return_sequences": 1,
            "past_present_share_buffer": True,
            "repetition_penalty": 1.0,
            # A request without a temperature gets the most probable token; with top_k 1 every request would.
            "temperature": 0.0,
            "top_k": 50,
            "top_p": 1.0,
        },
    }


def _special(reader: GGUFReader) -> list[tuple[int, str]]:
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    pairs = enumerate(zip(tokens, kinds, strict=True))
    return [(number, token) for number, (token, kind) in pairs if kind in (_CONTROL, _USER_DEFINED)]


def _added(number: int, token: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": token, **flags}


def tokenizer(reader: GGUFReader) -> dict[str, Any]:
    """Byte-level BPE in the form of Hugging Face's tokenizers library; every digit is a token of its own."""
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = reader.fields["tokenizer.ggml.merges"].contents()
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "behavior": "Isolated", "invert": False}
    digits, words = split | {"pattern": {"Regex": _DIGIT}}, split | {"pattern": {"Regex": _WORDS}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(number, token) for number, token in _special(reader)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, words, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": merges,
        },
    }


def tokenizer_config(reader: GGUFReader, shape: Shape) -> dict[str, Any]:
    """`tokenizer_config.json`: the special tokens by name and number."""
    names = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}
    return {
        "tokenizer_class": "GPT2Tokenizer",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": shape.context,
        "unk_token": "<|endoftext|>",
        **names,
        "added_tokens_decoder": {str(number): _added(number, token) for number, token in _special(reader)},
    }
