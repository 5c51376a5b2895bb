//! Reading one TOML file by its declarations, collecting every problem with its line.
//!
//! A [`Table`] declares the keys of one table of a file, a [`Key`] one setting: its name, type,
//! default and description, once. [`Section`] reads the values by these declarations, and
//! [`super::example`] prints the documented example from the same ones.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, nearest};
use super::setting::{Misread, Setting, Wrong, article};

/// A table of a file: `[replay]`, `[[source]]`, or the top of the file (an empty name).
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) doc: &'static str,
    pub(super) keys: &'static [&'static Declaration],
    pub(super) tables: &'static [&'static Table],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `[name]`
    One,
    /// `[[name]]`
    Many,
}

/// What is known of a key without its type.
#[derive(Debug)]
pub(super) struct Declaration {
    pub(super) name: &'static str,
    pub(super) need: Need,
    /// A value as TOML: the default, where there is one.
    pub(super) value: &'static str,
    pub(super) doc: &'static str,
    /// Whether a value can be read as the key's type.
    #[cfg(test)]
    pub(super) reads: fn(&Spanned<DeValue<'_>>) -> bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
    Default,
}

/// A setting of type `T`.
pub(super) struct Key<T> {
    pub(super) declaration: Declaration,
    kind: PhantomData<fn() -> T>,
}

impl<T: Setting> Key<T> {
    /// Must be there; `value` is what the example shows.
    pub(super) const fn required(name: &'static str, value: &'static str, doc: &'static str) -> Self {
        Self::new(name, Need::Required, value, doc)
    }

    /// May be absent, which means something of its own; `value` is what the example shows.
    pub(super) const fn optional(name: &'static str, value: &'static str, doc: &'static str) -> Self {
        Self::new(name, Need::Optional, value, doc)
    }

    /// When absent, `value` is read in its place.
    pub(super) const fn with_default(name: &'static str, value: &'static str, doc: &'static str) -> Self {
        Self::new(name, Need::Default, value, doc)
    }

    const fn new(name: &'static str, need: Need, value: &'static str, doc: &'static str) -> Self {
        let declaration = Declaration {
            name,
            need,
            value,
            doc,
            #[cfg(test)]
            reads: |value| T::read_spanned(value).is_ok(),
        };
        Self { declaration, kind: PhantomData }
    }

    /// The declared default; `None` only if the declaration itself is wrong, which a test rules out.
    fn default_value(&self) -> Option<T> {
        let value = DeValue::parse(self.declaration.value).ok()?;
        T::read(value.get_ref()).ok()
    }
}

/// One TOML text and what was found wrong with it.
pub(super) struct Document<'i> {
    file: PathBuf,
    text: &'i str,
    root: Spanned<DeTable<'i>>,
    /// Stands for every table that is absent.
    empty: DeTable<'i>,
    /// Lines that are no TOML: what else seems wrong there follows from that.
    broken: BTreeSet<usize>,
    problems: RefCell<Vec<Problem>>,
}

impl<'i> Document<'i> {
    /// Parses as much of the text as can be parsed.
    pub(super) fn parse(file: &Path, text: &'i str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut document = Self {
            file: file.to_owned(),
            text,
            root,
            empty: DeTable::new(),
            broken: BTreeSet::new(),
            problems: RefCell::default(),
        };
        for error in errors {
            let at = error.span().map_or(text.len(), |span| span.start);
            let line = document.line(at);
            // The parser may stumble several times over one mistake; the first says most.
            if document.broken.insert(line) {
                document.push(Some(line), format!("not valid TOML: {}", error.message()), None);
            }
        }
        document
    }

    /// The top of the file.
    pub(super) fn top<'d>(&'d self, declared: &'static Table) -> Section<'d, 'i> {
        Section {
            document: self,
            table: self.root.get_ref(),
            declared,
            at: None,
            read: BTreeSet::new(),
            is_open: false,
        }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// Reports something about the place `at` of the text, or about the file.
    pub(super) fn report(&self, at: Option<usize>, what: impl Into<String>, advice: impl Into<String>) {
        let line = at.map(|at| self.line(at));
        if line.is_none_or(|line| !self.broken.contains(&line)) {
            self.push(line, what.into(), Some(advice.into()));
        }
    }

    fn push(&self, line: Option<usize>, what: String, advice: Option<String>) {
        self.problems.borrow_mut().push(Problem { file: self.file.clone(), line, what, advice });
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// A table of a document, being read. [`Section::finish`] reports what nobody asked for.
pub(super) struct Section<'d, 'i> {
    document: &'d Document<'i>,
    table: &'d DeTable<'i>,
    declared: &'static Table,
    /// Where its header stands; none for the top of the file.
    at: Option<usize>,
    read: BTreeSet<&'static str>,
    /// Its keys are names of the writer's own, and were read.
    is_open: bool,
}

impl<'d, 'i> Section<'d, 'i> {
    /// The value, or none when the key is absent or its value was reported as wrong.
    pub(super) fn optional<T: Setting>(&mut self, key: &'static Key<T>) -> Option<T> {
        let name = key.declaration.name;
        self.read.insert(name);
        let value = self.table.get(name)?;
        match T::read_spanned(value) {
            Ok(read) => Some(read),
            Err(wrong) => {
                wrong.into_iter().for_each(|wrong| self.wrong::<T>(name, value, wrong));
                None
            }
        }
    }

    /// The value; its absence is reported.
    pub(super) fn required<T: Setting>(&mut self, key: &'static Key<T>) -> Option<T> {
        let name = key.declaration.name;
        // In a file that is no TOML the key may well be there, on a line that was not understood.
        if !self.has(name) && self.document.broken.is_empty() {
            let place = match self.declared.name {
                "" => String::new(),
                table => format!(" in [{table}]"),
            };
            self.report(format!("`{name}` is missing{place}"), format!("such as {name} = {}", key.declaration.value));
        }
        self.optional(key)
    }

    /// The value, or the default that the declaration names.
    pub(super) fn or_default<T: Setting>(&mut self, key: &'static Key<T>) -> Option<T> {
        if self.has(key.declaration.name) { self.optional(key) } else { self.with_declared_default(key) }
    }

    fn with_declared_default<T: Setting>(&mut self, key: &'static Key<T>) -> Option<T> {
        self.read.insert(key.declaration.name);
        key.default_value()
    }

    /// All entries of a table whose keys are names of the writer's own: each with its place, and with its value
    /// where that is right.
    pub(super) fn entries<T: Setting>(&mut self) -> Vec<(String, usize, Option<T>)> {
        self.is_open = true;
        let entry = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let name = key.get_ref().to_string();
            let read = T::read_spanned(value).map_err(|wrong| {
                wrong.into_iter().for_each(|wrong| self.wrong::<T>(&name, value, wrong));
            });
            (name, key.span().start, read.ok())
        };
        self.table.iter().map(entry).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// The table `[name]` within this one.
    pub(super) fn section(&mut self, declared: &'static Table) -> Option<Section<'d, 'i>> {
        self.read.insert(declared.name);
        let value = self.table.get(declared.name)?;
        let section = self.subsection(value, declared);
        if section.is_none() {
            self.report_at(
                value.span(),
                format!("`{}` must be a table, not {}", declared.name, article(value.get_ref())),
                format!("write [{}]", declared.name),
            );
        }
        section
    }

    /// The same, or an empty one: its settings are their defaults.
    pub(super) fn section_or_empty(&mut self, declared: &'static Table) -> Section<'d, 'i> {
        self.section(declared).unwrap_or(Section {
            document: self.document,
            table: &self.document.empty,
            declared,
            at: None,
            read: BTreeSet::new(),
            is_open: false,
        })
    }

    /// Leaves a table alone on purpose.
    pub(super) fn skip(&mut self, declared: &'static Table) {
        self.read.insert(declared.name);
    }

    /// The tables `[[name]]` within this one.
    pub(super) fn sections(&mut self, declared: &'static Table) -> Vec<Section<'d, 'i>> {
        self.read.insert(declared.name);
        let Some(value) = self.table.get(declared.name) else { return Vec::new() };
        let items = value.get_ref().as_array().filter(|items| items.iter().all(|item| item.get_ref().is_table()));
        let Some(items) = items else {
            self.report_at(
                value.span(),
                format!("`{}` must be a list of tables, not {}", declared.name, article(value.get_ref())),
                format!("write [[{}]]", declared.name),
            );
            return Vec::new();
        };
        items.iter().filter_map(|item| self.subsection(item, declared)).collect()
    }

    fn subsection(&self, value: &'d Spanned<DeValue<'i>>, declared: &'static Table) -> Option<Section<'d, 'i>> {
        let table = value.get_ref().as_table()?;
        let at = Some(value.span().start);
        Some(Section { document: self.document, table, declared, at, read: BTreeSet::new(), is_open: false })
    }

    /// Reports something about a key's value, or about the table where the key is absent.
    pub(super) fn report_key(&self, name: &str, what: impl Into<String>, advice: impl Into<String>) {
        match self.table.get(name) {
            Some(value) => self.report_at(value.span(), what, advice),
            None => self.report(what, advice),
        }
    }

    /// Reports something about the n-th line (from 1) of a key's text.
    pub(super) fn report_in(&self, name: &str, line: usize, what: impl Into<String>, advice: impl Into<String>) {
        let Some(value) = self.table.get(name) else { return };
        let start = value.span().start;
        let written = self.document.text.get(start..).unwrap_or_default();
        // A line end right after the opening quotes is not part of the text.
        let opens_a_line =
            ["\'\'\'\n", "\'\'\'\r\n", "\"\"\"\n", "\"\"\"\r\n"].iter().any(|open| written.starts_with(open));
        let skip = line.saturating_sub(1) + usize::from(opens_a_line);
        let into = written.match_indices('\n').nth(skip.wrapping_sub(1)).map_or(0, |(at, _)| at + 1);
        self.document.report(Some(start + into), what, advice);
    }

    /// Reports something about a place that was kept with a value ([`super::setting::At`]).
    pub(super) fn report_place(&self, at: usize, what: impl Into<String>, advice: impl Into<String>) {
        self.document.report(Some(at), what, advice);
    }

    /// Reports something about the table.
    pub(super) fn report(&self, what: impl Into<String>, advice: impl Into<String>) {
        self.document.report(self.at, what, advice);
    }

    fn report_at(&self, span: Range<usize>, what: impl Into<String>, advice: impl Into<String>) {
        self.document.report(Some(span.start), what, advice);
    }

    fn wrong<T: Setting>(&self, name: &str, value: &Spanned<DeValue<'_>>, wrong: Wrong) {
        let (what, advice) = match wrong.misread {
            Misread::Kind => {
                (format!("`{name}` must be {}, not {}", T::KIND, article(value.get_ref())), "mend the value".to_owned())
            }
            Misread::Bad { what, advice } => (format!("`{name}`: {what}"), advice),
        };
        self.document.report(Some(wrong.at), what, advice);
    }

    /// Reports the keys that nobody asked for: unknown ones, and known ones that mean nothing here.
    pub(super) fn finish(self) {
        for key in self.table.keys().filter(|_| !self.is_open) {
            let name: &str = key.get_ref();
            if self.read.contains(name) {
                continue;
            }
            let (what, advice) = if self.declares(name) {
                (format!("`{name}` means nothing here"), "remove it".to_owned())
            } else {
                (format!("unknown key `{name}`"), self.advice(name))
            };
            self.report_at(key.span(), what, advice);
        }
    }

    fn declares(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        let declared = self.declared;
        declared.keys.iter().map(|key| key.name).chain(declared.tables.iter().map(|table| table.name))
    }

    /// The nearest key of this table, else one of another table by exactly that name.
    fn advice(&self, name: &str) -> String {
        if let Some(near) = nearest(name, self.names()) {
            return format!("did you mean `{near}`?");
        }
        let elsewhere = self.declared.tables.iter().find(|table| table.keys.iter().any(|key| key.name == name));
        match elsewhere {
            Some(table) => format!("`{name}` belongs under [{}]", table.name),
            None => format!("known here: {}", self.names().collect::<Vec<_>>().join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NAME: Key<String> = Key::required("name", "\"a\"", "Its name.");
    static YEAR: Key<i32> = Key::with_default("year", "2026", "Its year.");
    static NOTE: Key<String> = Key::optional("note", "\"b\"", "A note.");
    static TOP: Table =
        Table { name: "", shape: Shape::One, doc: "", keys: &[&NAME.declaration, &NOTE.declaration], tables: &[&PART] };
    static PART: Table =
        Table { name: "part", shape: Shape::Many, doc: "", keys: &[&NAME.declaration, &YEAR.declaration], tables: &[] };

    /// Reads by the declarations above and returns what was found wrong.
    fn problems(text: &str) -> Vec<String> {
        let document = Document::parse(Path::new("t.toml"), text);
        let mut top = document.top(&TOP);
        top.required(&NAME);
        for mut part in top.sections(&PART) {
            part.required(&NAME);
            part.or_default(&YEAR);
            part.finish();
        }
        top.finish();
        document.into_problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_right_is_silent_and_a_default_is_read_as_declared() {
        assert!(problems("name = \"x\"\n[[part]]\nname = \"y\"\nyear = 7\n").is_empty());
        let document = Document::parse(Path::new("t.toml"), "");
        assert_eq!(document.top(&PART).or_default(&YEAR), Some(2026));
    }

    #[test]
    fn a_missing_key_is_reported_where_its_table_begins() {
        assert_eq!(
            problems("name = \"x\"\n\n[[part]]\n"),
            ["t.toml:3: `name` is missing in [part] (such as name = \"a\")"]
        );
        assert_eq!(problems(""), ["t.toml: `name` is missing (such as name = \"a\")"]);
    }

    #[test]
    fn unknown_keys_get_a_suggestion_and_misplaced_ones_a_place() {
        assert_eq!(
            problems("name = \"x\"\nnaem = 1\nyear = 1\nzzz = 1\nnote = \"\"\n"),
            [
                "t.toml:2: unknown key `naem` (did you mean `name`?)",
                "t.toml:5: `note` means nothing here (remove it)",
                "t.toml:3: unknown key `year` (`year` belongs under [part])",
                "t.toml:4: unknown key `zzz` (known here: name, note, part)",
            ]
        );
    }

    #[test]
    fn values_of_another_type_are_reported_with_both_types() {
        assert_eq!(
            problems("name = 7\npart = 1\n"),
            [
                "t.toml:1: `name` must be a text in quotes, not a whole number (mend the value)",
                "t.toml:2: `part` must be a list of tables, not a whole number (write [[part]])",
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_reported_once_a_line_and_the_rest_is_still_read() {
        let found = problems("name = \"x\nnote = \"y\"\nnaem = 1\n[[part]\nname = = 3\n");
        assert!(found.len() >= 3, "{found:?}");
        assert!(found.iter().any(|p| p.starts_with("t.toml:1: not valid TOML: ")), "{found:?}");
        assert!(found.iter().any(|p| p.starts_with("t.toml:3: unknown key `naem`")), "{found:?}");
        assert!(!found.iter().any(|p| p.contains("missing")), "{found:?}");
    }

    #[test]
    fn nesting_without_end_is_refused() {
        assert!(problems(&format!("name = {}", "[".repeat(100_000))).iter().any(|p| p.contains("not valid TOML")));
        assert!(problems(&format!("{} = 1", vec!["a"; 10_000].join("."))).iter().any(|p| p.contains("t.toml")));
    }
}
