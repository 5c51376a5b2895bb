//! One event as what the engine takes in: fields and values, flat, in two allocations.

use tantivy::schema::Field;
use tantivy::schema::document::{Document as EngineDocument, ReferenceValue, ReferenceValueLeaf, Value as EngineValue};

use super::in_flight::{InFlight, Ticket};
use super::schema::Layout;
use super::terms;
use crate::event::fields::{self, Kind, Value};
use crate::event::{Event, detail};
use crate::index::term;

/// The values of all fields of one event.
pub(super) struct Document {
    /// All text, end to end.
    text: String,
    values: Vec<(Field, Slot)>,
    /// Its part of the memory that waiting documents may take.
    ticket: Option<Ticket>,
}

#[derive(Clone, Copy)]
enum Slot {
    /// A range of `text`: one term.
    Term {
        start: u32,
        end: u32,
    },
    /// A range of `text`: to be cut into words.
    Words {
        start: u32,
        end: u32,
    },
    Address([u8; 16]),
    Signed(i64),
    Unsigned(u64),
}

impl Document {
    pub(super) fn new(layout: &Layout, seq: u64, event: &Event) -> Self {
        let mut document = Self {
            text: String::with_capacity(TEXT_BYTES_USUAL),
            values: Vec::with_capacity(VALUES_USUAL),
            ticket: None,
        };
        document.values.push((layout.seq, Slot::Unsigned(seq)));
        for (field, own) in layout.known() {
            let mut any = false;
            field.each(event, &mut |value| {
                any = true;
                document.push(field.kind, own, value);
            });
            if any && field.kind == Kind::Text {
                document.push_term(layout.has, |text| text.push_str(field.name));
            }
        }
        detail::each(event, &mut |path, value| {
            document.push_term(layout.detail, |text| term::push_detail(text, path, value));
        });
        document
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.capacity() + self.values.capacity() * size_of::<(Field, Slot)>()
    }

    /// Waits until it may be handed to the engine.
    pub(super) fn enter(&mut self, in_flight: &InFlight) {
        self.ticket = Some(in_flight.enter(self.bytes()));
    }

    fn push(&mut self, kind: Kind, field: Field, value: Value<'_>) {
        match value {
            Value::Str(text) if kind == Kind::Text => {
                let (start, end) = self.append(|all| all.push_str(text));
                self.values.push((field, Slot::Words { start, end }));
            }
            Value::Str(keyword) => self.push_term(field, |all| all.push_str(fields::searchable(keyword))),
            Value::Number(number) => self.values.push((field, Slot::Signed(number))),
            Value::Ip(address) => self.values.push((field, Slot::Address(terms::address(address)))),
            Value::Time(time) => self.values.push((field, Slot::Signed(time.micros()))),
        }
    }

    fn push_term(&mut self, field: Field, write: impl FnOnce(&mut String)) {
        let (start, end) = self.append(write);
        self.values.push((field, Slot::Term { start, end }));
    }

    /// An entry of the trail has 64 KiB, its values a small multiple of that: offsets fit.
    fn append(&mut self, write: impl FnOnce(&mut String)) -> (u32, u32) {
        let start = self.text.len();
        write(&mut self.text);
        (start as u32, self.text.len() as u32)
    }

    fn range(&self, start: u32, end: u32) -> &str {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// A line of auth.log with all its fields.
const TEXT_BYTES_USUAL: usize = 512;
const VALUES_USUAL: usize = 32;

impl EngineDocument for Document {
    type Value<'a> = Leaf<'a>;
    type FieldsValuesIter<'a> = Leaves<'a>;

    fn iter_fields_and_values(&self) -> Leaves<'_> {
        Leaves { document: self, values: self.values.iter() }
    }
}

pub(super) struct Leaves<'a> {
    document: &'a Document,
    values: std::slice::Iter<'a, (Field, Slot)>,
}

impl<'a> Iterator for Leaves<'a> {
    type Item = (Field, Leaf<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (field, slot) = self.values.next()?;
        let leaf = match slot {
            Slot::Term { start, end } => Leaf::Bytes(self.document.range(*start, *end).as_bytes()),
            Slot::Words { start, end } => Leaf::Text(self.document.range(*start, *end)),
            Slot::Address(octets) => Leaf::Bytes(octets),
            Slot::Signed(number) => Leaf::Signed(*number),
            Slot::Unsigned(number) => Leaf::Unsigned(*number),
        };
        Some((*field, leaf))
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Leaf<'a> {
    Bytes(&'a [u8]),
    Text(&'a str),
    Signed(i64),
    Unsigned(u64),
}

impl<'a> EngineValue<'a> for Leaf<'a> {
    type ArrayIter = std::iter::Empty<Self>;
    type ObjectIter = std::iter::Empty<(&'a str, Self)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match *self {
            Self::Bytes(bytes) => ReferenceValueLeaf::Bytes(bytes),
            Self::Text(text) => ReferenceValueLeaf::Str(text),
            Self::Signed(number) => ReferenceValueLeaf::I64(number),
            Self::Unsigned(number) => ReferenceValueLeaf::U64(number),
        })
    }
}
