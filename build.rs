//! Builds again when a query or alert is added: the macro that embeds them sees changed files, not new ones.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=queries");
    println!("cargo::rerun-if-changed=alerts");
}
