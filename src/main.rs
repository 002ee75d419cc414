//! The all-in-one registry: one process, one command, one configuration file.

mod command;
mod output;
mod rebuild;
mod serve;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use command::{Arguments, Command};

/// Small and long-lived objects of many threads are what a registry allocates; the system's allocator keeps more memory for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    match arguments.command {
        _ if arguments.version => output::version(),
        Some(Command::Serve { config, .. }) => serve::serve(&config),
        Some(Command::Verify { config }) => verify::verify(&config),
        Some(Command::Rebuild { config }) => rebuild::rebuild(&config),
        None => output::help(&mut Arguments::command()),
    }
}
