//! Code that the benches share: networks, the rates of the machine and the memory of the process.
#![allow(missing_docs, reason = "names and types say it")]

pub mod cnn;
pub mod device;
pub mod machine;
pub mod memory;
pub mod mlp;
