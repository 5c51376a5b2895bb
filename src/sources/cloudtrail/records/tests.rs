//! Records are cut out alike however the bytes are split, and nothing is lost whatever is changed.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

type Seen = (u64, CutKind, Vec<u8>);

fn cuts<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut records = Records::new(0);
    let mut seen = Vec::new();
    let mut see = |cut: Cut<'_>| seen.push((cut.pos, cut.kind, cut.bytes.to_vec()));
    for part in parts {
        records.push(part, &mut see);
        assert!(records.held.len() <= RECORD_BYTES_MAX + part.len(), "bounded");
    }
    records.finish(&mut see);
    seen
}

/// What is cut, by the first letter of its kind.
fn check(input: &str, expected: &[(char, &str)]) {
    let seen = cuts(std::iter::once(input.as_bytes()));
    let show = |(_, kind, bytes): &Seen| {
        let letter = match kind {
            CutKind::Record => 'r',
            CutKind::Salvaged => 's',
            CutKind::Other => 'o',
            CutKind::Piece => 'p',
        };
        (letter, String::from_utf8_lossy(bytes).into_owned())
    };
    let expected: Vec<_> = expected.iter().map(|(kind, text)| (*kind, (*text).to_owned())).collect();
    assert_eq!(seen.iter().map(show).collect::<Vec<_>>(), expected, "{input}");
    assert_covered(input.as_bytes(), &seen);
    assert_eq!(cuts(input.as_bytes().chunks(1)), seen, "{input}");
}

/// Everything is in a cut, but for what stands around records.
fn assert_covered(input: &[u8], seen: &[Seen]) {
    let mut end = 0;
    let assert_structure = |from: usize, to: usize| {
        let gap = String::from_utf8_lossy(&input[from..to]).replace("\"Records\"", "").replace('\u{feff}', "");
        assert!(gap.chars().all(|c| " \t\r\n,:[]{}".contains(c)), "{gap:?} is lost");
    };
    for (pos, _, bytes) in seen {
        let pos = usize::try_from(*pos).expect("in memory");
        assert_structure(end, pos);
        end = pos + bytes.len();
        assert_eq!(&input[pos..end], bytes, "exact");
    }
    assert_structure(end, input.len());
}

const A: &str = r#"{"eventVersion":"1","n":[1,{"x":"}"}]}"#;
const B: &str = r#"{"eventVersion":"2"}"#;

#[test]
fn all_forms_of_a_file_give_the_same_records() {
    let forms = [
        format!("{{\"Records\":[{A},{B}]}}"),
        format!("\u{feff}{{ \"Records\" : [\n{A} ,\n{B}\n] }}\n"),
        format!("{A}\n{B}\n"),
        format!("[{A},{B}]"),
        format!("[{{\"Records\":[{A}]}},{{\"Records\":[{B}]}}]"),
    ];
    for form in forms {
        check(&form, &[('r', A), ('r', B)]);
    }
    check("{\"Records\":[]}", &[]);
    check(" \n", &[]);
}

#[test]
fn members_beside_records_are_kept() {
    let input = format!("{{\"a\":1,\"Records\":[{A}],\"b\":[],\"Records\":[{B}],\"c\":2}}{A}");
    let a = "{\"a\":1,\"Records\":[";
    let b = "\"b\":[],\"Records\":[";
    check(&input, &[('o', a), ('r', A), ('o', b), ('r', B), ('o', "\"c\":2"), ('r', A)]);
}

#[test]
fn after_damage_the_next_record_is_found() {
    let half = "{\"eventVersion\":\"";
    check(&format!("{{\"Records\":[{half}{A},{B}]}}"), &[('o', half), ('s', A), ('r', B)]);
    check(&format!("{{\"Records\":[{A},{half}"), &[('r', A), ('o', half)]);
    check(&format!("{{\"Records\":[{A},{half}{{\"Records\":[{A}]}}"), &[('r', A), ('o', half), ('r', A)]);
    check(&format!("{half}\n{A}\n{B}"), &[('o', half), ('s', A), ('r', B)]);
    check(&format!("what is this\n{A}"), &[('o', "what is this"), ('s', A)]);
    check(&format!("\"Records\":[{A},{B}]}}"), &[('o', "\"Records\":["), ('s', A), ('r', B)]);
    check(&format!("{{\"a\":{A},{B}"), &[('o', "{\"a\":"), ('s', A), ('r', B)]);
}

#[test]
fn what_lies_within_a_whole_record_is_no_record() {
    let outer = format!("{{\"eventVersion\":\"1\",\"requestParameters\":{{\"a\":{A}}}}}");
    check(&format!("{{\"Records\":[{outer},{B}]}}"), &[('r', &outer), ('r', B)]);
    // Cut off, it cannot be told from the record that follows a damaged one, and is marked.
    let half = outer.strip_suffix("}}").expect("its end");
    let before = half.strip_suffix(A).expect("what is within");
    check(half, &[('o', before), ('s', A)]);
}

#[test]
fn a_record_that_is_too_long_comes_in_pieces_and_the_next_one_whole() {
    let long = format!("{{\"eventVersion\":\"{}\"}}", "x".repeat(RECORD_BYTES_MAX + PIECE_BYTES_MAX));
    let input = format!("{{\"Records\":[{long},{B}]}}");
    let seen = cuts(std::iter::once(input.as_bytes()));
    assert_covered(input.as_bytes(), &seen);
    let (last, pieces) = seen.split_last().expect("some");
    assert_eq!((last.1, last.2.as_slice()), (CutKind::Record, B.as_bytes()));
    assert!(pieces.iter().all(|piece| piece.1 == CutKind::Piece && piece.2.len() <= PIECE_BYTES_MAX));
    assert_eq!(pieces.iter().map(|piece| piece.2.len()).sum::<usize>(), long.len());
    assert_eq!(cuts(input.as_bytes().chunks(65_537)), seen);
}

#[test]
fn the_longest_record_is_whole() {
    let longest = format!("{{\"a\":\"{}\"}}", "x".repeat(RECORD_BYTES_MAX - 8));
    assert_eq!(longest.len(), RECORD_BYTES_MAX);
    let seen = cuts(longest.as_bytes().chunks(1 << 16));
    assert_eq!(seen.iter().map(|cut| cut.1).collect::<Vec<_>>(), [CutKind::Record]);
}

#[test]
fn long_garbage_comes_in_pieces() {
    let input = "x".repeat(2 * PIECE_BYTES_MAX + 1) + A;
    let seen = cuts(std::iter::once(input.as_bytes()));
    let kinds: Vec<_> = seen.iter().map(|cut| (cut.1, cut.2.len())).collect();
    let piece = (CutKind::Piece, PIECE_BYTES_MAX);
    assert_eq!(kinds, [piece, piece, (CutKind::Piece, 1), (CutKind::Salvaged, A.len())]);
    assert_eq!(cuts(input.as_bytes().chunks(100_003)), seen);
}

/// Each beginning lies within the one before, and none ends: read again for each, this would take hours.
#[test]
fn crafted_damage_takes_linear_time() {
    let input = "{\"eventVersion\":".repeat(200_000);
    let seen = cuts(input.as_bytes().chunks(1 << 16));
    assert_covered(input.as_bytes(), &seen);
    let input = "{\"eventVersion\":[".repeat(100_000) + &"]".repeat(100_000);
    assert_covered(input.as_bytes(), &cuts(input.as_bytes().chunks(1 << 16)));
}

#[test]
fn nothing_but_brackets_is_no_harm() {
    for input in ["[".repeat(100_000), "{".repeat(100_000), "[{".repeat(100_000), "]}".repeat(1000)] {
        assert_covered(input.as_bytes(), &cuts(std::iter::once(input.as_bytes())));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_changed_nothing_is_lost(
        changes in vec((any::<Index>(), any::<Index>(), select(vec!["", "\"", "{", "}", "[", "]", ",", "\\", "\n", "é", "\"Records\":["])), 0..6),
        at in vec(any::<Index>(), 0..6),
    ) {
        let mut input = format!("{{\"a\":{{}},\"Records\":[{A},{B},\n{A}]}}\n{B}\n[{A}]").into_bytes();
        for (from, length, with) in changes {
            let from = from.index(input.len());
            let to = input.len().min(from + length.index(12));
            input.splice(from..to, with.bytes());
            if input.is_empty() {
                break;
            }
        }
        let whole = cuts(std::iter::once(input.as_slice()));
        assert_covered(&input, &whole);
        let mut at: Vec<_> = at.iter().map(|at| at.index(input.len() + 1)).chain([0, input.len()]).collect();
        at.sort_unstable();
        let parts = at.windows(2).map(|pair| &input[pair[0]..pair[1]]);
        prop_assert_eq!(cuts(parts), whole.clone());
        prop_assert_eq!(cuts(input.chunks(1)), whole);
    }
}
