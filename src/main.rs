//! The program: arguments, logging, exit code. Everything else is in the library.

use std::process::ExitCode;

use whodid::cli::{self, Invocation};

fn main() -> ExitCode {
    // Two providers are linked; left to choose, rustls panics at the first connection. An error means
    // that one is installed already.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("whodid: a TLS provider was installed twice");
    }
    match cli::parse(std::env::args_os()) {
        Invocation::Command(cli) => {
            cli.start_logging();
            cli::exit_code(cli.run())
        }
        Invocation::Said(code) => code,
    }
}
