//! An event as one line of the trail, whatever its size.
//!
//! A line holds at most [`LEAF_BYTES_MAX`] bytes (C2SP tlog-tiles: a 16-bit length). A longer record
//! goes to a blob file and the line keeps its hash and length; what was read out of it is shortened
//! and the event is tagged `shortened`. Nothing is lost: the blob has all of it.

use sha2::{Digest, Sha256};

use super::world::EVERYBODY;
use super::{Event, Exposure, Named, RawBlob, What};

/// The longest line of the trail.
pub const LEAF_BYTES_MAX: usize = 65_535;

/// No single field of an event with a blob is longer than this.
const SHORT_BYTES: usize = 2_048;

/// The bytes for `trail/blob/<sha256>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oversized {
    pub sha256: String,
    pub bytes: Vec<u8>,
}

/// The event's line without its LF, and the record's bytes where they did not fit into it.
pub fn encode(event: &mut Event) -> (Vec<u8>, Option<Oversized>) {
    let line = to_line(event);
    if line.len() <= LEAF_BYTES_MAX {
        return (line, None);
    }
    let blob = take_raw(event);
    shorten(event);
    event.tag("shortened");
    let mut line = to_line(event);
    if line.len() > LEAF_BYTES_MAX {
        event.detail.clear();
        event.tags.truncate(8);
        line = with_widest_exposures(event);
    }
    (line, blob)
}

/// Of a change that opens hundreds of networks, as many as a line holds: the widest first, because an
/// opening to the world must not hide behind a thousand narrow ones.
fn with_widest_exposures(event: &mut Event) -> Vec<u8> {
    let width = |exposure: &Exposure| match (exposure.cidr.as_deref(), exposure.principal.as_deref()) {
        (None, Some(EVERYBODY)) => 0,
        (cidr, _) => cidr.and_then(|cidr| cidr.rsplit('/').next()?.parse::<u8>().ok()).unwrap_or(u8::MAX),
    };
    let What { exposes, closes, .. } = &mut event.what;
    [exposes, closes].into_iter().for_each(|list| list.sort_by_key(width));
    loop {
        let line = to_line(event);
        let What { exposes, closes, .. } = &mut event.what;
        if line.len() <= LEAF_BYTES_MAX || (exposes.is_empty() && closes.is_empty()) {
            return line;
        }
        let longer = if closes.len() > exposes.len() { closes } else { exposes };
        longer.truncate(longer.len() * 7 / 8);
    }
}

fn to_line(event: &Event) -> Vec<u8> {
    let mut line = Vec::with_capacity(1_024);
    // An event holds only strings, numbers and maps with string keys: it always serialises.
    if serde_json::to_writer(&mut line, event).is_err() {
        line.clear();
    }
    line
}

fn take_raw(event: &mut Event) -> Option<Oversized> {
    let text = event.raw.take();
    let bytes = match event.raw_base64.take() {
        Some(base64) => data_encoding::BASE64.decode(base64.as_bytes()).ok()?,
        None => text?.into_bytes(),
    };
    let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes));
    event.raw_blob = Some(RawBlob { sha256: sha256.clone(), bytes: bytes.len() as u64 });
    Some(Oversized { sha256, bytes })
}

fn shorten(event: &mut Event) {
    fn cut(text: &mut String) {
        text.truncate(text.floor_char_boundary(SHORT_BYTES));
    }
    fn cut_named(named: &mut Option<Named>) {
        if let Some(Named { name, id }) = named {
            [name, id].into_iter().flatten().for_each(cut);
        }
    }
    let Event { who, what, place, reason, source, tags, detail, .. } = event;
    let optional = [
        &mut who.kind,
        &mut who.name,
        &mut who.id,
        &mut who.host,
        &mut who.session,
        &mut who.key,
        &mut who.service,
        &mut what.provider,
        &mut what.object,
        &mut what.command,
        &mut place.host,
        &mut place.service,
        &mut place.tty,
        &mut place.cwd,
        &mut place.account,
        &mut place.region,
        reason,
    ];
    optional.into_iter().flatten().for_each(cut);
    [&mut who.as_, &mut what.target, &mut what.group].into_iter().for_each(cut_named);
    cut(&mut what.action);
    source.origin = source.origin.get(..source.origin.floor_char_boundary(SHORT_BYTES)).unwrap_or_default().into();
    tags.iter_mut().for_each(cut);
    detail.values_mut().for_each(cut_json);
}

fn cut_json(value: &mut serde_json::Value) {
    use serde_json::Value as Json;
    match value {
        Json::String(text) => text.truncate(text.floor_char_boundary(SHORT_BYTES)),
        Json::Array(items) => {
            items.truncate(64);
            items.iter_mut().for_each(cut_json);
        }
        Json::Object(map) => map.values_mut().for_each(cut_json),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Stamp, own};

    #[test]
    fn what_is_open_to_the_world_stays_however_much_else_is_opened() {
        let mut event = own::event("x", "sg-1", Stamp::from_unix(0, 0));
        event.keep_raw("r".repeat(100_000).as_bytes());
        let network = |n: u32| Exposure {
            cidr: Some(format!("10.{}.{}.0/24", n / 256, n % 256)),
            protocol: Some("tcp".to_owned()),
            from: Some(i64::from(n)),
            to: Some(i64::from(n)),
            ..Exposure::default()
        };
        event.what.exposes = (0..2_000).map(network).collect();
        event.what.exposes.push(Exposure { cidr: Some("::/0".to_owned()), ..Exposure::default() });
        event.what.closes = event.what.exposes.clone();
        let (line, blob) = encode(&mut event);
        assert!(line.len() <= LEAF_BYTES_MAX && line.len() > LEAF_BYTES_MAX / 2, "{}", line.len());
        assert_eq!(event.what.exposes[0].cidr.as_deref(), Some("::/0"));
        assert_eq!(event.what.closes[0].cidr.as_deref(), Some("::/0"));
        assert_eq!(blob.map(|blob| blob.bytes.len()), Some(100_000));
        assert_eq!(Event::decode(&line).expect("an event"), event);
    }
}
