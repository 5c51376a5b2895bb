//! The documents say what the program does.

use std::fs;
use std::path::{Path, PathBuf};

use whodid::event::fields::{FIELDS, Field};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).expect(name)
}

fn row(field: &Field) -> String {
    let names = field.aliases.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    format!("| `{}` | {names} | {} | {} |\n", field.name, format!("{:?}", field.kind).to_lowercase(), field.doc)
}

/// `UPDATE=1` writes the table anew.
#[test]
fn every_field_is_in_the_table() {
    const HEADER: &str = "| field | other names | kind | what it is |\n|---|---|---|---|\n";
    let expected: String = [HEADER.to_owned()].into_iter().chain(FIELDS.iter().map(row)).collect();
    let text = read("docs/events.md");
    let (_, rows) = text.split_once(HEADER).expect("the table of fields");
    let table = format!("{HEADER}{}\n", rows.split("\n\n").next().expect("rows"));
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever changes the table")]
    if std::env::var("UPDATE").is_ok() {
        let mut file = fs::File::create(path("docs/events.md")).expect("writable");
        std::io::Write::write_all(&mut file, text.replace(&table, &expected).as_bytes()).expect("written");
        return;
    }
    assert!(table == expected, "run this test with UPDATE=1");
}

/// The quoted constants of a file of the source.
fn constants(file: &str) -> Vec<String> {
    let source = read(file);
    let lines = source.lines().filter(|line| line.trim_start().starts_with("pub const ") && line.contains("&str"));
    lines.filter_map(|line| line.split('"').nth(1).map(str::to_owned)).collect()
}

#[test]
fn every_own_action_and_every_tag_is_explained() {
    let docs = read("docs/events.md") + &read("docs/alerts.md");
    let (actions, tags) = (constants("src/event/own.rs"), constants("src/event/tag.rs"));
    assert!(actions.len() > 10 && tags.len() > 3, "{actions:?} {tags:?}");
    let missing: Vec<_> = actions.iter().chain(&tags).filter(|name| !docs.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A link between documents leads somewhere.
#[test]
fn links_lead_to_files_that_are_there() {
    let folder = fs::read_dir(path("docs")).expect("docs").map(|entry| entry.expect("readable").file_name());
    let docs = folder.map(|name| format!("docs/{}", name.to_string_lossy()));
    for document in docs.chain(["README.md".to_owned(), "ARCHITECTURE.md".to_owned(), "CHANGELOG.md".to_owned()]) {
        let beside = path(&document);
        let beside = beside.parent().expect("a folder");
        for link in read(&document).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            let is_file = !target.is_empty() && !target.starts_with("http");
            assert!(!is_file || beside.join(target).exists(), "{document} links to {target}");
        }
    }
}
