//! Documented examples of the files, printed from the declarations that read them.
//!
//! A line `#key = value` is a setting with its default or a likely value; `# text` explains it.
//! So the whole example, as it stands, means the defaults, and any setting is one deleted `#` away.

use super::saved::QUERY;
use super::section::{Declaration, Need, Shape, Table};
use super::settings::TOP;

/// An example of `whodid.toml` with every key.
pub fn config() -> String {
    let mut out = String::from(
        "# whodid.toml: every setting, with its default or an example. A line that begins with `#` and a letter\n\
         # or bracket is a setting: remove the `#` to set it. Spans of time are written 90s, 30m, 1h30m, 7d.\n\n",
    );
    table(&TOP, "", &mut out);
    out
}

/// An example of a saved query: `queries/<domain>/<id>.toml` beside `whodid.toml`.
pub fn query() -> String {
    let mut out = String::from("# A saved query: queries/<domain>/<id>.toml beside whodid.toml.\n\n");
    table(&QUERY, "", &mut out);
    out
}

/// An example of an alert: `alerts/<domain>/<id>.toml` beside `whodid.toml`.
pub fn alert() -> String {
    let mut out = String::from("# An alert: alerts/<domain>/<id>.toml beside whodid.toml.\n\n");
    table(&super::alert_file::ALERT, "", &mut out);
    out
}

fn table(declared: &Table, within: &str, out: &mut String) {
    let path = if within.is_empty() { declared.name.to_owned() } else { format!("{within}.{}", declared.name) };
    if !path.is_empty() {
        comment(declared.doc, out);
        let header = match declared.shape {
            Shape::One => format!("#[{path}]\n\n"),
            Shape::Many => format!("#[[{path}]]\n\n"),
        };
        out.push_str(&header);
    }
    for key in declared.keys {
        setting(key, out);
    }
    for inner in declared.tables {
        table(inner, &path, out);
    }
}

fn setting(key: &Declaration, out: &mut String) {
    let need = match key.need {
        Need::Required => " Required.",
        Need::Optional | Need::Default => "",
    };
    comment(&format!("{}{need}", key.doc), out);
    out.push_str(&format!("#{} = {}\n\n", key.name, key.value));
}

fn comment(text: &str, out: &mut String) {
    for line in text.lines() {
        out.push_str(&format!("# {line}\n"));
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeValue;

    use super::*;

    fn each(declared: &'static Table, see: &mut dyn FnMut(&'static Table, &'static Declaration)) {
        declared.keys.iter().for_each(|key| see(declared, key));
        declared.tables.iter().for_each(|inner| each(inner, see));
    }

    /// Every declared value reads as its own type, so no default is ever silently missing.
    #[test]
    fn every_declared_value_is_one_of_its_type_and_every_key_is_explained() {
        for root in [&TOP, &QUERY, &super::super::alert_file::ALERT] {
            each(root, &mut |declared, key| {
                let value = DeValue::parse(key.value).unwrap_or_else(|e| panic!("{}: {e}", key.name));
                assert!((key.reads)(&value), "{}.{} = {}", declared.name, key.name, key.value);
                assert!(
                    key.doc.ends_with('.') && key.doc.len() > 10,
                    "{}.{} needs a sentence",
                    declared.name,
                    key.name
                );
            });
        }
    }

    #[test]
    fn no_table_declares_a_name_twice() {
        for root in [&TOP, &QUERY, &super::super::alert_file::ALERT] {
            let mut seen = std::collections::BTreeSet::new();
            each(root, &mut |declared, key| assert!(seen.insert((declared.name, key.name)), "{} twice", key.name));
        }
    }

    #[test]
    fn the_example_holds_every_key_and_is_toml_with_and_without_its_marks() {
        for (text, root) in [(config(), &TOP), (query(), &QUERY), (alert(), &super::super::alert_file::ALERT)] {
            each(root, &mut |_, key| assert!(text.contains(&format!("#{} = ", key.name)), "{}", key.name));
            assert!(toml::de::DeTable::parse(&text).expect("TOML").get_ref().is_empty());
            let all: String = text
                .lines()
                .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
                .flat_map(|line| [line, "\n"])
                .collect();
            toml::de::DeTable::parse(&all).unwrap_or_else(|e| panic!("{e}"));
        }
    }
}
