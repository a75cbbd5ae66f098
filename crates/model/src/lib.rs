//! FIM formats, tokenizer, decoder, KV cache, generation, adapters, checkpoints, store.

pub mod adapter;
pub mod checkpoint;
pub mod config;
pub mod decoder;
pub mod device;
pub mod error;
pub mod fim;
pub mod generate;
pub mod kernels;
pub mod kv;
pub mod ops;
pub mod rope;
pub mod store;
pub mod threads;
pub mod tokenizer;
pub mod tokens;
pub mod training;
pub mod weights;
pub mod write;
