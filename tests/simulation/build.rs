//! Puts `chance.c` in front of the C library, so that what libraries ask the system for follows from a simulation's seed. It is in C because
//! only unsafe Rust can take the place of a system's function.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=chance.c");
    // What random numbers are asked of elsewhere is not known here: there, a seed repeats the course of misfortune only.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    // An object and not a library, of which the linker takes only what nobody else has.
    for object in cc::Build::new().file("chance.c").compile_intermediates() {
        println!("cargo::rustc-link-arg={}", object.display());
    }
    // Some look the function up when they run.
    println!("cargo::rustc-link-arg=-Wl,--export-dynamic-symbol=getrandom");
}
