//! Compiles `zot/v1/*.proto` in Rust alone: nobody has to install protoc.

use std::{error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=zot");
    let entries = fs::read_dir("zot/v1")?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.collect::<Result<_, _>>()?;
    files.sort();
    let descriptors = protox::compile(&files, ["."])?;
    // `Bytes` for every `bytes` field: a piece of a blob is split off what came in, not copied out of it.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
