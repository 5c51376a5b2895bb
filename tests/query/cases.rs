//! Queries and what becomes of them, as text: `accepted.txt` (the tree, printed) and `refused.txt`
//! (line:column and the whole message).
//!
//! A query stands at the margin (`⏎` is a line end), what is expected below it and indented.
//! `UPDATE=1 cargo test` writes what the parser says now.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use whodid::query::Query;

use crate::generate;

#[test]
fn accepted_queries_mean_what_the_table_says() {
    check("accepted.txt", |query| match Query::parse(query) {
        Ok(query) => query.at(generate::now()).to_string(),
        Err(error) => format!("REFUSED: {error}"),
    });
}

#[test]
fn refused_queries_say_what_is_wrong_and_where() {
    check("refused.txt", |query| match Query::parse(query) {
        Ok(query) => format!("ACCEPTED: {}", query.at(generate::now())),
        Err(error) => format!("{}:{} {error}", error.line(), error.column()),
    });
}

#[track_caller]
fn check(file: &str, outcome: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/query").join(file);
    let expected = std::fs::read_to_string(&path).expect("the table");
    let mut found = String::new();
    for line in expected.lines() {
        match line {
            _ if line.starts_with("  ") => continue,
            _ if line.is_empty() || line.starts_with("# ") => found.push_str(line),
            query => {
                found.push_str(query);
                for line in outcome(&query.replace('⏎', "\n")).lines() {
                    found.push_str(&format!("\n  {line}"));
                }
            }
        }
        found.push('\n');
    }
    if std::env::var_os("UPDATE").is_some() {
        return write(&path, &found);
    }
    let differing = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    assert_eq!(expected.len(), found.len(), "{file}: first differing lines (expected, found): {differing:#?}");
    assert_eq!(differing, None, "{file}");
}

fn write(path: &PathBuf, text: &str) {
    std::fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes())).expect("the table is writable");
}

/// Whatever stands in a fenced block of queries in the documentation.
#[test]
fn documented_queries_are_accepted() {
    let docs = include_str!("../../docs/query.md");
    let queries = docs.split("```query\n").skip(1).filter_map(|block| block.split("```").next()).flat_map(str::lines);
    let mut count = 0;
    for query in queries {
        Query::parse(query).unwrap_or_else(|error| panic!("docs/query.md: {error}"));
        count += 1;
    }
    assert!(count > 40, "{count} queries found");
}
