//! Builds again when a query or alert is added: the macro that embeds them sees changed files, not new ones.

#![expect(clippy::print_stdout, reason = "this is how cargo is told")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=queries");
    println!("cargo::rerun-if-changed=alerts");
}
