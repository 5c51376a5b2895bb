//! Every kind of harm that the page on the trail's format lists.

use std::fmt;
use std::fs;
use std::path::Path;

use data_encoding::BASE64;
use whodid::trail::note::{Note, SignerKey};
use whodid::trail::notes;
use whodid::trail::succession::{Kind, Record};
use whodid::trail::tree;

use super::trail::{Copied, Form, OLD_SIZE, Trail, copy, write};
use crate::random::Random;

/// Something done to a copy of a trail.
pub(super) struct Harm {
    pub(super) name: &'static str,
    pub(super) needs: Needs,
    /// To a copy of the trail, at a random place; there is another trail too.
    pub(super) does: Does,
    pub(super) has_places: bool,
    pub(super) form: Form,
    /// The program in Go looks at lines, tiles and signatures, not at what lines mean.
    pub(super) shows_in_go: bool,
}

type Does = fn(&Copied<'_>, &Trail, &mut Random);

/// What shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Key,
    /// The key of an epoch that is closed.
    Epoch,
    Anchor,
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "the public key",
            Self::Epoch => "a closed epoch",
            Self::Anchor => "an anchor",
        })
    }
}

const fn by_key(name: &'static str, does: Does) -> Harm {
    Harm { name, needs: Needs::Key, does, has_places: true, form: Form::Plain, shows_in_go: true }
}

const fn by_anchor(name: &'static str, does: Does) -> Harm {
    Harm { needs: Needs::Anchor, ..by_key(name, does) }
}

const fn by_epoch(name: &'static str, does: Does) -> Harm {
    Harm { needs: Needs::Epoch, ..by_key(name, does) }
}

const fn once(harm: Harm) -> Harm {
    Harm { has_places: false, ..harm }
}

const fn sealed(harm: Harm) -> Harm {
    Harm { form: Form::Sealed, ..harm }
}

const fn not_in_go(harm: Harm) -> Harm {
    Harm { shows_in_go: false, ..harm }
}

pub(super) const HARM: &[Harm] = &[
    by_key("a byte of an entry is flipped", |copy, _, at| copy.edit(&copy.segment(at), |bytes| flip(bytes, at))),
    by_key("an entry is rewritten, with as many bytes", |copy, _, at| {
        copy.edit_lines(&copy.segment(at), |lines| replace(any(lines, at), "auth.log", "auth.lag"));
    }),
    by_key("an entry's JSON is written otherwise", |copy, _, at| {
        copy.edit_lines(&copy.segment(at), |lines| replace(any(lines, at), "\"v\":1", "\"v\": 1"));
    }),
    by_key("an entry is dropped", |copy, _, at| {
        copy.edit_lines(&copy.segment(at), |lines| drop(lines.remove(at.index(lines.len()))));
    }),
    by_key("an entry is inserted", |copy, _, at| {
        copy.edit_lines(&copy.segment(at), |lines| lines.insert(at.index(lines.len() + 1), b"{}\n".to_vec()));
    }),
    by_key("an entry is doubled", |copy, _, at| {
        copy.edit_lines(&copy.segment(at), |lines| {
            let again = any(lines, at).clone();
            lines.insert(at.index(lines.len() + 1), again);
        });
    }),
    by_key("two entries are swapped", |copy, _, at| {
        copy.edit_lines(&copy.segment(at), |lines| {
            let (one, further) = (at.index(lines.len()), 1 + at.index(lines.len() - 1));
            let other = (one + further) % lines.len();
            lines.swap(one, other);
        });
    }),
    by_key("two entries become one line", |copy, _, at| {
        copy.edit_lines(&copy.segment(at), |lines| {
            any(lines, at).pop();
        });
    }),
    by_key("an entry becomes two lines", |copy, _, at| {
        copy.edit_lines(&copy.segment(at), |lines| {
            let line = any(lines, at);
            line.insert(at.index(line.len()), b'\n');
        });
    }),
    by_key("line ends become CRLF", |copy, _, at| {
        copy.edit_lines(&copy.segment(at), |lines| {
            lines.iter_mut().for_each(|line| line.insert(line.len() - 1, b'\r'))
        });
    }),
    by_key("a blank is added behind an entry", |copy, _, at| {
        copy.edit_lines(&copy.segment(at), |lines| {
            let line = any(lines, at);
            line.insert(line.len() - 1, b' ');
        });
    }),
    once(by_key("the first entry is cut off", |copy, _, _| {
        copy.edit_lines(&copy.list("segment", ".jsonl")[0], |lines| drop(lines.remove(0)));
    })),
    by_key("the tail is cut off, within an entry or between two", |copy, _, at| {
        let last = copy.list("segment", ".jsonl").pop().expect("segments");
        copy.edit(&last, |bytes| bytes.truncate(at.index(bytes.len())));
    }),
    by_key("a segment is hidden", |copy, _, at| {
        let segments = copy.list("segment", ".jsonl");
        fs::remove_file(&segments[at.index(segments.len())]).expect("removed");
    }),
    by_key("a segment is emptied", |copy, _, at| write(&copy.segment(at), b"")),
    by_key("two segments change names", |copy, _, at| {
        let segments = copy.list("segment", ".jsonl");
        let at = at.index(segments.len() - 1);
        let (one, two) = (&segments[at], &segments[at + 1]);
        let bytes = fs::read(one).expect("readable");
        fs::copy(two, one).expect("copied");
        write(two, &bytes);
    }),
    by_key("a segment of another trail is put in", |copy, other, at| {
        let to = copy.segment(at);
        let from = other.data().join("trail/segment").join(to.file_name().expect("a name"));
        fs::copy(from, to).map(drop).expect("copied");
    }),
    by_key("a record beside the segments is changed", |copy, _, at| {
        copy.edit(&copy.list("blob", "")[0], |bytes| flip(bytes, at));
    }),
    once(by_key("a record beside the segments is removed", |copy, _, _| {
        fs::remove_file(&copy.list("blob", "")[0]).expect("removed");
    })),
    by_key("a byte of a tile is flipped", |copy, _, at| {
        let tiles = copy.list("tile", "");
        copy.edit(&tiles[at.index(tiles.len())], |bytes| flip(bytes, at));
    }),
    by_key("a tile is cut", |copy, _, at| {
        let tiles = copy.list("tile", "");
        copy.edit(&tiles[at.index(tiles.len())], |bytes| bytes.truncate(at.index(bytes.len())));
    }),
    by_key("a tile is removed", |copy, _, at| {
        let tiles = copy.list("tile", "");
        fs::remove_file(&tiles[at.index(tiles.len())]).expect("removed");
    }),
    once(by_key("two tiles are swapped", |copy, _, _| {
        let (one, two) = (copy.path("tile/0/000"), copy.path("tile/0/001"));
        let bytes = fs::read(&one).expect("readable");
        fs::copy(&two, &one).expect("copied");
        write(&two, &bytes);
    })),
    by_key("an entry and its tile are changed together", |copy, _, at| {
        let segments = copy.list("segment", ".jsonl");
        copy.edit_lines(&segments[0], |lines| {
            let at = at.index(lines.len());
            replace(&mut lines[at], "auth.log", "auth.lag");
            let leaf = tree::leaf(lines[at].strip_suffix(b"\n").expect("a line"));
            copy.edit(&copy.path("tile/0/000"), |bytes| bytes[32 * at..][..32].copy_from_slice(leaf.as_bytes()));
        });
    }),
    by_key("a byte of the checkpoint is flipped", |copy, _, at| {
        copy.edit(&copy.path("checkpoint"), |bytes| flip(bytes, at));
    }),
    by_key("the size in the checkpoint is edited", |copy, _, at| {
        let size = format!("\n{}\n", SIZES[at.index(SIZES.len())]);
        copy.edit_text("checkpoint", |text| text.replace("\n700\n", &size));
    }),
    once(by_key("the root in the checkpoint is edited", |copy, _, _| {
        let root = copy.checkpoint().root.to_base64();
        copy.edit_text("checkpoint", |text| text.replace(&root, &tree::empty().to_base64()));
    })),
    once(by_key("the origin in the checkpoint is edited", |copy, _, _| {
        copy.edit_text("checkpoint", |text| text.replace("example.org/", "example.com/"));
    })),
    once(by_key("the checkpoint has CRLF", |copy, _, _| {
        copy.edit_text("checkpoint", |text| text.replace('\n', "\r\n"));
    })),
    // Go's package reads such base64; the signed text is the same.
    not_in_go(once(by_key("the signature is in base64 of another form", |copy, _, _| {
        copy.edit_text("checkpoint", loosen);
    }))),
    by_key("the signature is in base64 of two pieces", |copy, _, at| {
        copy.edit_text("checkpoint", |text| in_pieces(text, at));
    }),
    once(by_key("the checkpoint is removed", |copy, _, _| {
        fs::remove_file(copy.path("checkpoint")).expect("removed");
    })),
    once(by_key("the checkpoint is that of another trail", |copy, other, _| {
        fs::copy(other.data().join("trail/checkpoint"), copy.path("checkpoint")).map(drop).expect("copied");
    })),
    once(by_key("the checkpoint is signed by another key of the same name", |copy, _, _| {
        let now = copy.checkpoint();
        let key = SignerKey::from_seed(&now.origin, &[7; 32]).expect("a good name");
        copy.sign(now.size, now.root, &[&key, &copy.trail().epoch()]);
    })),
    once(by_key("the checkpoint of one size has the root of another", |copy, _, _| {
        let old = copy.trail().old_anchor();
        let root = |path: &Path| fs::read_to_string(path).expect("readable").lines().nth(2).map(str::to_owned);
        let (now, before) = (root(&copy.path("checkpoint")), root(&old));
        copy.edit_text("checkpoint", |text| text.replace(&now.expect("a root"), &before.expect("a root")));
    })),
    once(by_key("the checkpoint lacks the signature of the open epoch", |copy, _, _| {
        let now = copy.checkpoint();
        copy.sign(now.size, now.root, &[&copy.trail().signer()]);
    })),
    once(by_key("the checkpoint is signed by a key that was replaced", |copy, _, _| {
        let now = copy.checkpoint();
        copy.sign(now.size, now.root, &[&copy.trail().retired(), &copy.trail().epoch()]);
    })),
    by_key("a byte of the records of keys is flipped", |copy, _, at| {
        copy.edit(&copy.path("keys"), |bytes| flip(bytes, at));
    }),
    once(by_key("the records of keys are removed", |copy, _, _| {
        fs::remove_file(copy.path("keys")).expect("removed");
    })),
    once(by_key("the record of the replaced key is doubled", |copy, _, _| {
        copy.edit_records("keys", |records| records.push(records[1].clone()));
    })),
    by_key("a byte of the epochs is flipped", |copy, _, at| {
        copy.edit(&copy.path("epochs"), |bytes| flip(bytes, at));
    }),
    once(by_key("the epochs are removed", |copy, _, _| {
        fs::remove_file(copy.path("epochs")).expect("removed");
    })),
    by_key("an epoch is left out", |copy, _, at| {
        copy.edit_records("epochs", |records| drop(records.remove(at.index(records.len()))));
    }),
    by_key("two epochs are swapped", |copy, _, at| {
        copy.edit_records("epochs", |records| {
            let one = at.index(records.len() - 1);
            records.swap(one, one + 1);
        });
    }),
    by_key("the last closings are cut off", |copy, _, at| {
        copy.edit_records("epochs", |records| records.truncate(at.index(records.len())));
    }),
    once(by_key("the epochs are those of another trail", |copy, other, _| {
        fs::copy(other.data().join("trail/epochs"), copy.path("epochs")).map(drop).expect("copied");
    })),
    by_key("a byte of the file origin is flipped", |copy, _, at| {
        copy.edit(&copy.path("origin"), |bytes| flip(bytes, at));
    }),
    once(by_key("the file origin is that of another trail", |copy, other, _| {
        fs::copy(other.data().join("trail/origin"), copy.path("origin")).map(drop).expect("copied");
    })),
    once(by_key("the file origin is removed", |copy, _, _| {
        fs::remove_file(copy.path("origin")).expect("removed");
    })),
    sealed(by_key("a byte of a sealed segment is flipped", |copy, _, at| {
        let segments = copy.list("segment", ".zst");
        copy.edit(&segments[at.index(segments.len())], |bytes| flip(bytes, at));
    })),
    sealed(by_key("a sealed segment is cut", |copy, _, at| {
        let segments = copy.list("segment", ".zst");
        copy.edit(&segments[at.index(segments.len())], |bytes| bytes.truncate(at.index(bytes.len())));
    })),
    sealed(by_key("a sealed segment is hidden", |copy, _, at| {
        let segments = copy.list("segment", ".zst");
        fs::remove_file(&segments[at.index(segments.len())]).expect("removed");
    })),
    sealed(by_key("segments are hidden as if they had been pruned", |copy, _, at| {
        let segments = copy.list("segment", ".zst");
        segments.iter().take(1 + at.index(segments.len() - 1)).for_each(|path| fs::remove_file(path).expect("removed"));
        let left = copy.list("segment", ".zst").remove(0);
        let first: u64 = left.file_name().and_then(|n| n.to_str()?.split('.').next()?.parse().ok()).expect("a number");
        write(&copy.path("pruned"), format!("{first} {}\n", first + 1).as_bytes());
    })),
    once(Harm {
        form: Form::Pruned,
        ..by_key("a segment more is hidden than was pruned", |copy, _, _| {
            fs::remove_file(&copy.list("segment", ".zst")[0]).expect("removed");
        })
    }),
    not_in_go(by_key("an event is added twice and sealed with the current key", |copy, _, at| {
        copy.seal_again(|lines| {
            let again = any(lines, at).clone();
            lines.push(again);
        });
    })),
    by_anchor("the tail is cut back to an earlier checkpoint, with its tiles and keys", |copy_of, _, _| {
        let old = copy_of.trail().old().join("trail");
        let mut left = OLD_SIZE;
        for path in copy_of.list("segment", ".jsonl") {
            copy_of.edit_lines(&path, |lines| {
                lines.truncate(left);
                left -= lines.len();
            });
            if fs::metadata(&path).expect("there").len() == 0 {
                fs::remove_file(&path).expect("removed");
            }
        }
        fs::remove_dir_all(copy_of.path("tile")).expect("removed");
        copy(&old.join("tile"), &copy_of.path("tile"));
        for name in ["checkpoint", "keys", "epochs", "origin"] {
            fs::copy(old.join(name), copy_of.path(name)).map(drop).expect("copied");
        }
    }),
    once(by_anchor("an older copy of the folder takes its place", |copy_of, _, _| {
        fs::remove_dir_all(copy_of.data()).expect("removed");
        copy(&copy_of.trail().old(), &copy_of.data());
    })),
    by_anchor("an entry of the open epoch is changed and all sealed with the current keys", |copy, _, at| {
        let closed = copy.closed();
        copy.seal_again(|lines| replace(any(&mut lines[closed..], at), "auth.log", "auth.lag"));
    }),
    by_epoch("an old entry is changed and all sealed with the current keys", |copy, _, at| {
        let closed = copy.closed();
        copy.seal_again(|lines| replace(any(&mut lines[..closed], at), "auth.log", "auth.lag"));
    }),
    by_epoch("old entries are left out and all sealed with the current keys", |copy, _, at| {
        let closed = copy.closed();
        copy.seal_again(|lines| {
            let from = at.index(closed);
            let to = from + 1 + at.index((lines.len() - from).min(50));
            drop(lines.drain(from..to));
        });
    }),
    by_epoch("the ids of two old entries are exchanged and all is sealed with the current keys", |copy, _, at| {
        let closed = copy.closed();
        copy.seal_again(|lines| {
            let at = at.index(closed);
            // Who did what stays; which record says so is exchanged.
            let [one, two] = [at, at + 1].map(|at: usize| lines[at][13..39].to_vec());
            lines[at][13..39].copy_from_slice(&two);
            lines[at + 1][13..39].copy_from_slice(&one);
        });
    }),
    by_epoch("closings are cut off, an old entry is changed and all sealed with the current keys", |copy, _, at| {
        copy.edit_records("epochs", |records| records.truncate(1 + at.index(3)));
        copy.seal_again(|lines| replace(&mut lines[600], "auth.log", "auth.lag"));
    }),
    once(by_epoch("the epochs are made anew by the holder of the current keys", |copy, _, _| {
        let (now, log) = (copy.checkpoint(), copy.trail().signer());
        let begin = copy.list("", "keys").pop().expect("keys");
        let text = fs::read_to_string(begin).expect("readable");
        let size: u64 = text.lines().filter_map(|line| line.parse().ok()).max().expect("a size");
        let root = text.lines().skip_while(|line| *line != size.to_string()).nth(1).expect("a root");
        let name = Kind::Epoch.key_name(&now.origin, 0);
        let key = SignerKey::from_seed(&name, &[9; 32]).expect("a good name");
        let root = tree::Hash::from_base64(root.as_bytes()).expect("a root");
        let origin = now.origin.clone();
        let first = Record { kind: Kind::Epoch, origin, number: 0, size, root, key: key.verifier() };
        write(&copy.path("epochs"), first.sign(&[&log, &key]).expect("a good text").as_bytes());
        copy.sign(now.size, now.root, &[&log, &key]);
    })),
    once(by_epoch("closings are cast off by an adoption that never was", |copy, _, _| {
        let (now, old) = (copy.checkpoint(), copy.trail().signer());
        let key = |name: &str| SignerKey::from_seed(name, &[9; 32]).expect("a good name");
        let log = key(&(old.name().to_owned() + "x"));
        let epoch = key(&Kind::Epoch.key_name(log.name(), 1));
        let text_of = |note: &[u8]| Note::parse(note).expect("a note").text().to_owned();
        let origin = log.name().to_owned();
        let last = fs::read(copy.path("keys")).expect("readable");
        let last = notes::read(&last).filter_map(|(_, note)| note.ok()).last().expect("a record").1;
        let last = Record::parse(last.text()).expect("a record");
        let began = Record { origin, number: last.number + 1, key: log.verifier(), ..last };
        copy.edit_records("keys", |records| {
            records.push(began.sign(&[&old, &log]).expect("a good text").into_bytes());
        });
        copy.edit_records("epochs", |records| {
            records.truncate(1);
            let began = Record { kind: Kind::Epoch, number: 1, key: epoch.verifier(), ..began.clone() };
            records.push(began.sign(&[&log, &epoch]).expect("a good text").into_bytes());
        });
        copy.edit(&copy.path("origin"), |bytes| {
            let text = text_of(bytes).replacen(old.name(), log.name(), 1);
            *bytes = Note::sign(text, &log).expect("a good text").to_string().into_bytes();
        });
        copy.sign(now.size, now.root, &[&log, &epoch]);
    })),
];

/// What a checkpoint of 700 entries may be made to say.
const SIZES: &[&str] = &[
    "699",
    "701",
    "0700",
    "400",
    "70",
    "7000",
    "-700",
    "+700",
    " 700",
    "700 ",
    "",
    "18446744073709551615",
    "18446744073709551616",
];

/// One bit of one byte.
fn flip(bytes: &mut [u8], at: &mut Random) {
    let byte = at.index(bytes.len());
    bytes[byte] ^= 1 << at.index(8);
}

fn any<'l>(lines: &'l mut [Vec<u8>], at: &mut Random) -> &'l mut Vec<u8> {
    let line = at.index(lines.len());
    &mut lines[line]
}

/// The first occurrence.
fn replace(line: &mut Vec<u8>, from: &str, to: &str) {
    let text = String::from_utf8(line.clone()).expect("JSON");
    assert!(text.contains(from));
    *line = text.replacen(from, to, 1).into_bytes();
}

/// The last bits before the padding say nothing; a decoder that lets them pass reads the same signature.
fn loosen(note: &str) -> String {
    let (head, padding) = note.split_at(note.trim_end_matches(['=', '\n']).len());
    let (head, last) = head.split_at(head.len() - 1);
    let other = char::from(last.as_bytes()[0] + 1);
    format!("{head}{other}{padding}")
}

/// Padding after any of its bytes; some decoders read on behind it.
fn in_pieces(note: &str, at: &mut Random) -> String {
    let (head, base64) = note.trim_end().rsplit_once(' ').expect("a signature line");
    let bytes = BASE64.decode(base64.as_bytes()).expect("base64");
    let cut = 3 * at.index(bytes.len() / 3) + 1 + at.index(2);
    let (one, two) = bytes.split_at(cut);
    format!("{head} {}{}\n", BASE64.encode(one), BASE64.encode(two))
}
