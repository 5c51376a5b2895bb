//! Every kind of harm that the page on the trail's format lists.

use std::fmt;
use std::fs;
use std::path::Path;

use whodid::trail::note::SignerKey;
use whodid::trail::succession::{Kind, Record};
use whodid::trail::tree;

use super::trail::{Copied, Form, OLD_SIZE, Trail, copy, write};

/// Something done to a copy of a trail.
pub(super) struct Harm {
    pub(super) name: &'static str,
    pub(super) needs: Needs,
    /// To a copy of the trail; there is another trail, and several places where it can be done.
    pub(super) does: fn(&Copied<'_>, &Trail, usize),
    pub(super) has_places: bool,
    pub(super) form: Form,
    /// The program in Go looks at lines, tiles and signatures, not at what lines mean.
    pub(super) shows_in_go: bool,
}

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

const fn by_key(name: &'static str, does: fn(&Copied<'_>, &Trail, usize)) -> Harm {
    Harm { name, needs: Needs::Key, does, has_places: true, form: Form::Plain, shows_in_go: true }
}

const fn by_anchor(name: &'static str, does: fn(&Copied<'_>, &Trail, usize)) -> Harm {
    Harm { needs: Needs::Anchor, ..by_key(name, does) }
}

const fn by_epoch(name: &'static str, does: fn(&Copied<'_>, &Trail, usize)) -> Harm {
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
    by_key("a byte of an entry is flipped", |copy, _, place| {
        copy.edit(&copy.segment(place), |b| flip(b, 977 + 131 * place))
    }),
    by_key("an entry is rewritten, with as many bytes", |copy, _, place| {
        copy.edit_lines(&copy.segment(place), |lines| replace(&mut lines[place], "auth.log", "auth.lag"));
    }),
    by_key("an entry's JSON is written otherwise", |copy, _, place| {
        copy.edit_lines(&copy.segment(place), |lines| replace(&mut lines[place], "\"v\":1", "\"v\": 1"));
    }),
    by_key("an entry is dropped", |copy, _, place| {
        copy.edit_lines(&copy.segment(place), |lines| drop(lines.remove(7 * place)));
    }),
    by_key("an entry is inserted", |copy, _, place| {
        copy.edit_lines(&copy.segment(place), |lines| lines.insert(7 * place, b"{}\n".to_vec()));
    }),
    by_key("an entry is doubled", |copy, _, place| {
        copy.edit_lines(&copy.segment(place), |lines| lines.insert(3 * place, lines[3 * place].clone()));
    }),
    by_key("two entries are swapped", |copy, _, place| {
        copy.edit_lines(&copy.segment(place), |lines| lines.swap(place, place + 5));
    }),
    by_key("two entries become one line", |copy, _, place| {
        copy.edit_lines(&copy.segment(place), |lines| {
            lines[4 * place].pop();
        });
    }),
    by_key("an entry becomes two lines", |copy, _, place| {
        copy.edit_lines(&copy.segment(place), |lines| lines[4 * place].insert(10, b'\n'));
    }),
    by_key("line ends become CRLF", |copy, _, place| {
        copy.edit_lines(&copy.segment(place), |lines| {
            lines.iter_mut().for_each(|line| line.insert(line.len() - 1, b'\r'))
        });
    }),
    by_key("a blank is added behind an entry", |copy, _, place| {
        copy.edit_lines(&copy.segment(place), |lines| {
            let end = lines[place].len() - 1;
            lines[place].insert(end, b' ');
        });
    }),
    once(by_key("the first entry is cut off", |copy, _, _| {
        copy.edit_lines(&copy.list("segment", ".jsonl")[0], |lines| drop(lines.remove(0)));
    })),
    by_key("the tail is cut off, within an entry or between two", |copy, _, place| {
        let last = copy.list("segment", ".jsonl").pop().expect("segments");
        copy.edit(&last, |bytes| bytes.truncate(bytes.len() - [1, 30, 700][place]));
    }),
    by_key("a segment is hidden", |copy, _, place| {
        let segments = copy.list("segment", ".jsonl");
        fs::remove_file(&segments[[0, 3, segments.len() - 1][place]]).expect("removed");
    }),
    by_key("a segment is emptied", |copy, _, place| write(&copy.segment(place), b"")),
    by_key("two segments change names", |copy, _, place| {
        let (one, two) = (copy.segment(place), copy.segment(place + 1));
        let bytes = fs::read(&one).expect("readable");
        fs::copy(&two, &one).expect("copied");
        write(&two, &bytes);
    }),
    by_key("a segment of another trail is put in", |copy, other, place| {
        let to = copy.segment(place);
        let from = other.data().join("trail/segment").join(to.file_name().expect("a name"));
        fs::copy(from, to).map(drop).expect("copied");
    }),
    by_key("a record beside the segments is changed", |copy, _, place| {
        copy.edit(&copy.list("blob", "")[0], |bytes| flip(bytes, 1 + 977 * place));
    }),
    once(by_key("a record beside the segments is removed", |copy, _, _| {
        fs::remove_file(&copy.list("blob", "")[0]).expect("removed");
    })),
    by_key("a byte of a tile is flipped", |copy, _, place| {
        let tiles = copy.list("tile", "");
        copy.edit(&tiles[place % tiles.len()], |bytes| flip(bytes, 40 * place));
    }),
    by_key("a tile is cut", |copy, _, place| {
        let tiles = copy.list("tile", "");
        copy.edit(&tiles[place % tiles.len()], |bytes| bytes.truncate(bytes.len() - 1));
    }),
    by_key("a tile is removed", |copy, _, place| {
        let tiles = copy.list("tile", "");
        fs::remove_file(&tiles[place % tiles.len()]).expect("removed");
    }),
    once(by_key("two tiles are swapped", |copy, _, _| {
        let (one, two) = (copy.path("tile/0/000"), copy.path("tile/0/001"));
        let bytes = fs::read(&one).expect("readable");
        fs::copy(&two, &one).expect("copied");
        write(&two, &bytes);
    })),
    by_key("an entry and its tile are changed together", |copy, _, place| {
        let segments = copy.list("segment", ".jsonl");
        copy.edit_lines(&segments[0], |lines| {
            replace(&mut lines[place], "auth.log", "auth.lag");
            let leaf = tree::leaf(lines[place].strip_suffix(b"\n").expect("a line"));
            copy.edit(&copy.path("tile/0/000"), |bytes| bytes[32 * place..][..32].copy_from_slice(leaf.as_bytes()));
        });
    }),
    by_key("a byte of the checkpoint is flipped", |copy, _, place| {
        copy.edit(&copy.path("checkpoint"), |bytes| {
            let near_end = bytes.len() - 20;
            flip(bytes, [3, 40, near_end][place]);
        });
    }),
    by_key("the size in the checkpoint is edited", |copy, _, place| {
        copy.edit_text("checkpoint", |text| text.replace("\n700\n", ["\n699\n", "\n701\n", "\n0700\n"][place]));
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
    by_key("a byte of the records of keys is flipped", |copy, _, place| {
        copy.edit(&copy.path("keys"), |bytes| flip(bytes, 7 + 277 * place));
    }),
    once(by_key("the records of keys are removed", |copy, _, _| {
        fs::remove_file(copy.path("keys")).expect("removed");
    })),
    once(by_key("the record of the replaced key is doubled", |copy, _, _| {
        copy.edit_records("keys", |records| records.push(records[1].clone()));
    })),
    by_key("a byte of the epochs is flipped", |copy, _, place| {
        copy.edit(&copy.path("epochs"), |bytes| flip(bytes, 3 + 1_277 * place));
    }),
    once(by_key("the epochs are removed", |copy, _, _| {
        fs::remove_file(copy.path("epochs")).expect("removed");
    })),
    by_key("an epoch is left out", |copy, _, place| {
        copy.edit_records("epochs", |records| drop(records.remove(place)));
    }),
    by_key("two epochs are swapped", |copy, _, place| {
        copy.edit_records("epochs", |records| records.swap(place, place + 1));
    }),
    by_key("the last closings are cut off", |copy, _, place| {
        copy.edit_records("epochs", |records| records.truncate(records.len() - 1 - place));
    }),
    once(by_key("the epochs are those of another trail", |copy, other, _| {
        fs::copy(other.data().join("trail/epochs"), copy.path("epochs")).map(drop).expect("copied");
    })),
    by_key("a byte of the file origin is flipped", |copy, _, place| {
        copy.edit(&copy.path("origin"), |bytes| {
            let near_end = bytes.len() - 20;
            flip(bytes, [3, 45, near_end][place]);
        });
    }),
    once(by_key("the file origin is that of another trail", |copy, other, _| {
        fs::copy(other.data().join("trail/origin"), copy.path("origin")).map(drop).expect("copied");
    })),
    once(by_key("the file origin is removed", |copy, _, _| {
        fs::remove_file(copy.path("origin")).expect("removed");
    })),
    sealed(by_key("a byte of a sealed segment is flipped", |copy, _, place| {
        let segments = copy.list("segment", ".zst");
        copy.edit(&segments[place], |bytes| flip(bytes, 100 + 131 * place));
    })),
    sealed(by_key("a sealed segment is cut", |copy, _, place| {
        let segments = copy.list("segment", ".zst");
        copy.edit(&segments[place], |bytes| bytes.truncate(bytes.len() / 2));
    })),
    sealed(by_key("a sealed segment is hidden", |copy, _, place| {
        fs::remove_file(&copy.list("segment", ".zst")[place]).expect("removed");
    })),
    sealed(by_key("segments are hidden as if they had been pruned", |copy, _, place| {
        let segments = copy.list("segment", ".zst");
        segments.iter().take(place + 1).for_each(|path| fs::remove_file(path).expect("removed"));
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
    not_in_go(once(by_key("an event is added twice and sealed with the current key", |copy, _, _| {
        copy.seal_again(|lines| lines.push(lines[17].clone()));
    }))),
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
    by_anchor("an entry of the open epoch is changed and all sealed with the current keys", |copy, _, place| {
        copy.seal_again(|lines| replace(&mut lines[699 - place], "auth.log", "auth.lag"));
    }),
    by_epoch("an old entry is changed and all sealed with the current keys", |copy, _, place| {
        copy.seal_again(|lines| replace(&mut lines[100 * place], "auth.log", "auth.lag"));
    }),
    by_epoch("old entries are left out and all sealed with the current keys", |copy, _, place| {
        copy.seal_again(|lines| drop(lines.drain(50 * place..50 * place + 9)));
    }),
    once(by_epoch("the ids of two old entries are exchanged and all is sealed with the current keys", |copy, _, _| {
        copy.seal_again(|lines| {
            // Who did what stays; which record says so is exchanged.
            let [one, two] = [10, 11].map(|at: usize| lines[at][13..39].to_vec());
            lines[10][13..39].copy_from_slice(&two);
            lines[11][13..39].copy_from_slice(&one);
        });
    })),
    by_epoch("closings are cut off, an old entry is changed and all sealed with the current keys", |copy, _, place| {
        copy.edit_records("epochs", |records| records.truncate(3 - place));
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
];

fn flip(bytes: &mut [u8], at: usize) {
    let at = at % bytes.len();
    bytes[at] ^= 1;
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
