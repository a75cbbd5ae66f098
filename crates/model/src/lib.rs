//! FIM formats, tokenizer, decoder, KV cache, generation, adapters, checkpoints, store.
