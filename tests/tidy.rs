//! The house rules that a compiler does not check: who imports whom, and what must stand beside what.
//!
//! Each test lists every place that breaks its rule, with file and line.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use whodid::event::Family;

/// Which rooms a room may use (`ARCHITECTURE.md`); itself always, `pipeline`, `cli` and `main` all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("event", &[]),
    ("clock", &["event"]),
    ("durable", &[]),
    ("sources", &["event"]),
    ("query", &["event"]),
    // Of sources only the zone.
    ("schedule", &["event", "sources"]),
    ("config", &["event", "clock", "sources", "query", "schedule"]),
    ("aws", &[]),
    ("collect", &["event", "clock", "sources", "config", "aws"]),
    ("trail", &["event", "durable"]),
    ("link", &["event"]),
    ("exposure", &["event"]),
    ("digest", &["event"]),
    ("sessions", &["event"]),
    ("cluster", &["event", "clock", "aws"]),
    // Of the configuration only what it says of the index.
    ("index", &["event", "durable", "config", "query", "trail", "cluster"]),
    ("es_query", &["event"]),
    ("check", &["event", "config", "query", "index"]),
    ("alert", &["event", "config", "query", "schedule", "index", "check"]),
    // Of the trail only what reads it.
    ("anchor", &["event", "clock", "durable", "config", "trail", "aws"]),
    ("witness", &["event", "clock", "durable", "config", "trail"]),
    // Of sources only the form of a record.
    ("exec", &["event", "clock", "config", "sources"]),
];

/// The only rooms that may use a crate, or a part of the standard library.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("tantivy", &["index"]),
    ("aws_config", &["aws"]),
    ("aws_sdk_s3", &["aws", "collect", "anchor"]),
    ("aws_sdk_cloudtrail", &["aws", "collect"]),
    ("aws_sdk_sqs", &["aws", "collect"]),
    ("aws_lc_rs", &["digest"]),
    ("aws_sigv4", &["aws"]),
    ("aws_credential_types", &["aws"]),
    ("elasticsearch", &["cluster"]),
    ("inotify", &["collect"]),
    ("rusqlite", &["collect"]),
    ("reqwest", &["alert", "anchor"]),
    ("ed25519_dalek", &["trail"]),
    ("axum", &["witness"]),
    // Of it aws takes only what a body is.
    ("hyper", &["witness", "aws"]),
    ("hyper_util", &["witness"]),
    ("signal_hook", &["exec"]),
    ("clap", &["cli", "main"]),
    ("tokio", &["aws", "cluster", "index", "collect", "alert", "anchor", "witness", "pipeline", "cli", "main"]),
    (
        "std::fs",
        &["durable", "config", "collect", "trail", "index", "alert", "anchor", "witness", "exec", "pipeline", "cli"],
    ),
];

/// Saved queries that are for searching and evidence, and have no alert on purpose.
const WITHOUT_ALERT: &[&str] = &["aws/exposure-opened", "aws/exposure-stood"];

/// Long before this a file tells more than one story.
const LINES_MAX: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the repository below `folder`, as paths from its root.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("readable").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match path.is_dir() {
                // In a worktree `.git` is a file.
                _ if matches!(name, "target" | ".git") => {}
                true => folders.push(path),
                false => found.push(path.strip_prefix(root()).expect("below the root").to_owned()),
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<PathBuf> {
    let folders = ["src", "tests", "benches", "fuzz"].map(files).into_iter().flatten();
    folders.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

fn text(path: &Path) -> String {
    let bytes = fs::read(root().join(path)).expect("readable");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The lines that run: (number, line), without comments and what follows `#[cfg(test)] mod`.
fn code(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_test = |i: usize| {
        lines[i].trim() == "#[cfg(test)]" && lines.get(i + 1).is_some_and(|next| next.trim_start().starts_with("mod "))
    };
    let end = (0..lines.len()).find(|i| is_test(*i)).unwrap_or(lines.len());
    let numbered = lines[..end].iter().enumerate().map(|(i, line)| (i + 1, *line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

/// The room a file of `src` belongs to: `trail` for `src/trail/store.rs`.
fn room(path: &Path) -> String {
    let first = path.components().nth(1).expect("below src").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn assert_none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    // `crate::room`, and each name of `crate::{room, other::{…}}`.
    let path = Regex::new(r"\bcrate::(?:([a-z_]+)|\{)").expect("valid");
    let mut broken = Vec::new();
    // What only tests compile may set up what it needs.
    let is_test =
        |file: &PathBuf| ["tests.rs", "tests", "bench.rs"].iter().any(|name| file.iter().any(|part| part == *name));
    for file in files("src").into_iter().filter(|file| !is_test(file)) {
        let from = room(&file);
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == from) else { continue };
        let text = text(&file);
        let lines = code(&text);
        let whole: String = lines.iter().flat_map(|(_, line)| [line, "\n"]).collect();
        for found in path.captures_iter(&whole) {
            let names = match found.get(1) {
                Some(name) => vec![name.as_str().to_owned()],
                None => names_in_group(whole.split_at(found.get(0).expect("the match").end()).1),
            };
            for name in names {
                if name != from && !allowed.contains(&name.as_str()) {
                    broken.push(format!("{}: {from} uses {name}", file.display()));
                }
            }
        }
        // At the left edge, so not within a module of the same file.
        let depth = file.components().count() - 1 - usize::from(file.ends_with("mod.rs"));
        for (number, line) in &lines {
            let ups = line.strip_prefix("use ").unwrap_or_default().matches("super::").count();
            if ups >= depth.max(1) {
                broken.push(format!("{}:{number}: {from} reaches out by super::", file.display()));
            }
        }
    }
    assert_none(&broken, "rooms that use what they may not");
}

/// The first words of the items of `{a, b::c, d::{e, f}}`, given what follows the first brace.
fn names_in_group(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let (mut depth, mut is_first_word) = (0, true);
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(String::new());
                is_first_word = true;
            }
            c if depth == 0 && is_first_word && (c.is_alphanumeric() || c == '_') => {
                names.last_mut().expect("never empty").push(c);
            }
            c if c.is_whitespace() => {}
            _ => is_first_word = false,
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn a_group_of_imports_is_taken_apart() {
    assert_eq!(names_in_group("event::{Event, Stamp},\n    trail, self}; more"), ["event", "trail", "self"]);
}

#[test]
fn crates_are_used_only_in_their_rooms() {
    let mut broken = Vec::new();
    for (name, rooms) in ONLY_IN {
        let used = Regex::new(&format!(r"(?:^|[^\w:])(?:::)?{name}\b(?:::|;)")).expect("valid");
        let grouped = name
            .strip_prefix("std::")
            .map(|part| Regex::new(&format!(r"use std::\{{(?:.*[\s{{,])?{part}\b")).expect("valid"));
        for file in files("src") {
            if rooms.contains(&room(&file).as_str()) {
                continue;
            }
            for (number, line) in code(&text(&file)) {
                if used.is_match(line) || grouped.as_ref().is_some_and(|grouped| grouped.is_match(line)) {
                    broken.push(format!("{}:{number}: {name} belongs to {}", file.display(), rooms.join(", ")));
                }
            }
        }
    }
    assert_none(&broken, "crates used where they may not be");
}

#[test]
fn the_table_names_every_room() {
    let lib = text(Path::new("src/lib.rs"));
    let rooms = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing: Vec<String> = rooms
        .filter(|room| !matches!(*room, "pipeline" | "cli") && !MAY_USE.iter().any(|(name, _)| name == room))
        .map(str::to_owned)
        .collect();
    assert_none(&missing, "rooms without a line in MAY_USE");
}

#[test]
fn every_file_says_what_it_is() {
    let mut broken = Vec::new();
    for file in rust_files() {
        if !text(&file).starts_with("//! ") {
            broken.push(format!("{}:1: begins without `//! ` and what it is", file.display()));
        }
    }
    let lib = text(Path::new("src/lib.rs"));
    let lines: Vec<&str> = lib.lines().collect();
    for pair in lines.windows(2) {
        if pair[1].starts_with("pub mod ") && !pair[0].starts_with("/// ") {
            broken.push(format!("src/lib.rs: `{}` without a line of what it is", pair[1]));
        }
    }
    assert_none(&broken, "files and modules without a description");
}

#[test]
fn no_file_is_an_attic() {
    let long = |path: &PathBuf| {
        let lines = text(path).lines().count();
        (lines > LINES_MAX).then(|| format!("{}: {lines} lines", path.display()))
    };
    assert_none(&rust_files().iter().filter_map(long).collect::<Vec<_>>(), "split where the story changes");
}

#[test]
fn every_source_has_fixtures_a_page_and_an_example() {
    let page = fs::read_to_string(root().join("docs/sources.md")).unwrap_or_default();
    let examples: Vec<String> = files("examples")
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .map(|path| text(path))
        .collect();
    let mut missing = Vec::new();
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Whodid) {
        let name = family.name();
        if files(&format!("tests/sources/{name}")).is_empty() {
            missing.push(format!("tests/sources/{name}/ holds no fixtures"));
        }
        if !page.contains(&format!("`{name}`")) {
            missing.push(format!("docs/sources.md does not mention `{name}`"));
        }
        if !examples.iter().any(|text| text.contains(&format!("type = \"{name}\""))) {
            missing.push(format!("examples/ has no configuration with type = \"{name}\""));
        }
    }
    assert_none(&missing, "sources without all that belongs to one");
}

#[test]
fn every_saved_query_has_an_alert_of_its_name() {
    let id = |path: &PathBuf| path.strip_prefix("queries").ok()?.to_str()?.strip_suffix(".toml").map(str::to_owned);
    let mut missing: Vec<String> = files("queries").iter().filter_map(id).collect();
    missing.retain(|id| !WITHOUT_ALERT.contains(&id.as_str()) && !root().join(format!("alerts/{id}.toml")).is_file());
    assert_none(&missing, "queries without an alert, and not listed in WITHOUT_ALERT");
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // Put together here, so that this file does not name them either.
    let machine = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat()];
    let mut broken = Vec::new();
    // Logs of other machines may name their own folders.
    for file in files("").into_iter().filter(|path| !path.starts_with("tests/sources")) {
        for (i, line) in text(&file).lines().enumerate() {
            if machine.iter().any(|path| line.contains(path.as_str())) {
                broken.push(format!("{}:{}: {}", file.display(), i + 1, line.trim()));
            }
        }
    }
    assert_none(&broken, "paths of a machine");
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = text(Path::new("Cargo.toml"));
    let lines: Vec<&str> = manifest.lines().collect();
    let mut broken = Vec::new();
    let mut is_dependencies = false;
    for (i, line) in lines.iter().enumerate() {
        if line.starts_with('[') {
            is_dependencies = line.trim_end_matches(']').ends_with("dependencies");
            continue;
        }
        let is_reasoned = i > 0 && lines[i - 1].starts_with("# ");
        if is_dependencies && line.contains('=') && !line.starts_with('#') && !is_reasoned {
            broken.push(format!("Cargo.toml:{}: {line}", i + 1));
        }
        if is_dependencies && line.contains("\"*\"") {
            broken.push(format!("Cargo.toml:{}: any version at all", i + 1));
        }
    }
    assert_none(&broken, "dependencies without a reason in the comment above");
}

#[test]
fn an_ignored_test_says_what_it_needs() {
    let mark = ["#[ign", "ore"].concat();
    let mut broken = Vec::new();
    for file in rust_files() {
        for (i, line) in text(&file).lines().enumerate() {
            let is_bare = line.trim_start().starts_with(&mark) && !line.contains(" = \"needs ");
            if is_bare {
                broken.push(format!("{}:{}: {}", file.display(), i + 1, line.trim()));
            }
        }
    }
    assert_none(&broken, "ignored tests that do not say what they need");
}
