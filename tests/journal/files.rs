//! Journals that are read once: what becomes of their records, and what is missing or damaged.

use std::fs;

use whodid::event::{Event, Trust};

use super::*;

#[test]
#[ignore = "needs systemd-journal-remote and journalctl"]
fn records_become_the_events_of_their_programs_once() {
    let place = place();
    let mut records = export(1, &login(1));
    records.extend(export(2, &other(2)));
    records.extend(export(
        3,
        &said("sshd", "/usr/bin/logger", 1000, "Accepted password for root from 203.0.113.1 port 22 ssh2"),
    ));
    records
        .extend(export(4, &said("sshd", "/usr/sbin/sshd", 0, b"Invalid user \xff\x01 from 198.51.100.77 port 40112")));
    let mut twice = said("su", "/usr/bin/su", 1000, "(to root) ana on pts/0");
    twice.extend([("_CAP_EFFECTIVE", b"1ffffffffff".to_vec())]);
    twice.extend([("TWICE", b"one".to_vec()), ("TWICE", b"two".to_vec())]);
    records.extend(export(5, &twice));
    let mut large = login(6);
    large.push(("LARGE", vec![b'x'; 200_000]));
    records.extend(export(6, &large));
    append(&file(&place, "a.journal"), &records);
    place.run(&["run", "--once"]).code(0);
    let of_journal = |event: &Event| &*event.source.name == "journal" && event.source.kind.name() == "journal";
    let kept: Vec<Event> = events(&place).into_iter().filter(of_journal).collect();
    let actions: Vec<&str> = kept.iter().map(|event| event.what.action.as_str()).collect();
    assert_eq!(
        actions,
        ["ssh.login", "ssh.login", "auth.spoof_suspect", "ssh.invalid_user", "su.session", "ssh.login"]
    );
    let trusts: Vec<Trust> = kept.iter().map(|event| event.trust).collect();
    use Trust::{Claimed, Journal};
    assert_eq!(trusts, [Journal, Claimed, Journal, Journal, Journal, Journal]);
    assert_eq!(kept[2].who.id.as_deref(), Some("1000"));
    assert_eq!(kept[4].detail_tree()["journal"]["TWICE"], serde_json::json!(["one", "two"]));
    assert!(kept[5].raw_blob.is_some() && kept[5].who.name.as_deref() == Some("u6"), "{:?}", kept[5]);
    assert_eq!(place.search("journal._EXE:\"/usr/bin/logger\"").len(), 1);
    assert_eq!(place.search("auth.method:password AND trust:journal").len(), 2);
    assert_eq!(place.search("tags:spoof_suspect").len(), 1);
    let before = place.trail();
    place.run(&["run", "--once"]).code(0);
    assert!(place.trail() == before, "nothing new, nothing appended: {:#?}", events(&place).last());
    place.verify();
}

#[test]
#[ignore = "needs systemd-journal-remote and journalctl"]
fn a_record_is_one_event_wherever_it_is_read() {
    let place = place();
    append_logins(&file(&place, "a.journal"), 1..=20);
    place.run(&["run", "--once"]).code(0);
    // The same records, as another machine's journal would hold them.
    append_logins(&place.path("copy.journal"), 1..=25);
    place.run(&["ingest", place.path("copy.journal").to_str().expect("UTF-8")]).code(0);
    assert_eq!(logins(&place), (1..=25).collect::<Vec<_>>());
    let json =
        Command::new("journalctl").args(["-o", "json", "--all", "--file"]).arg(place.path("copy.journal")).output();
    place.write("copy.json", &json.expect("it is installed").stdout);
    place.run(&["ingest", place.path("copy.json").to_str().expect("UTF-8")]).code(0);
    assert_eq!(logins(&place).len(), 25);
    place
        .run(&["decode", place.path("copy.json").to_str().expect("UTF-8"), "--format", "table"])
        .code(0)
        .out_holds("u25");
    place.run(&["ingest", place.path("journal").to_str().expect("UTF-8")]).code(0);
    assert_eq!((logins(&place).len(), notices(&place)), (25, Vec::new()));
}

#[test]
#[ignore = "needs systemd-journal-remote and journalctl"]
fn rotated_files_are_one_journal() {
    let place = place();
    let (first, second) = (file(&place, "a@1.journal"), file(&place, "a.journal"));
    append_logins(&first, 1..=10);
    append_logins(&second, 11..=20);
    continue_sequence(&second, &first, 0);
    place.run(&["run", "--once"]).code(0);
    assert_eq!((logins(&place), notices(&place)), ((1..=20).collect(), Vec::new()));
}

#[test]
#[ignore = "needs systemd-journal-remote and journalctl"]
fn what_was_deleted_before_it_was_read_is_a_gap_with_its_number() {
    let place = place();
    let files = ["a@1.journal", "a@2.journal", "a.journal"].map(|name| file(&place, name));
    append_logins(&files[0], 1..=10);
    place.run(&["run", "--once"]).code(0);
    append_logins(&files[2], 15..=20);
    continue_sequence(&files[2], &files[0], 4);
    fs::remove_file(&files[0]).expect("it is there");
    place.run(&["run", "--once"]).code(0);
    let found = notices(&place);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0.as_str(), found[0].2), ("source.gap", Some(4)));
    // All of it, and what comes then is of another journald.
    fs::remove_file(&files[2]).expect("it is there");
    append_logins(&files[1], 21..=22);
    place.run(&["run", "--once"]).code(0);
    place.run(&["run", "--once"]).code(0);
    let found = notices(&place);
    assert_eq!((found.len(), found[1].2), (2, None), "{found:?}");
    assert_eq!(logins(&place), (1..=10).chain(15..=22).collect::<Vec<_>>());
}

#[test]
#[ignore = "needs systemd-journal-remote and journalctl"]
fn what_was_read_and_then_deleted_is_no_gap() {
    let place = place();
    let files = ["a@1.journal", "a.journal"].map(|name| file(&place, name));
    append_logins(&files[0], 1..=3);
    append(&files[0], &(4..=9).flat_map(|n| export(n, &other(n))).collect::<Vec<_>>());
    place.run(&["run", "--once"]).code(0);
    append_logins(&files[1], 10..=12);
    continue_sequence(&files[1], &files[0], 0);
    fs::remove_file(&files[0]).expect("it is there");
    place.run(&["run", "--once"]).code(0);
    assert_eq!((logins(&place), notices(&place)), (vec![1, 2, 3, 10, 11, 12], Vec::new()));
}

#[test]
#[ignore = "needs systemd-journal-remote and journalctl"]
fn journald_s_own_losses_are_gaps() {
    let place = place();
    let mut dropped =
        said("systemd-journald", "/usr/lib/systemd/systemd-journald", 0, "Suppressed 42 messages from app.service");
    dropped.retain(|(name, _)| *name != "_TRANSPORT");
    dropped.extend([
        ("_TRANSPORT", b"driver".to_vec()),
        ("MESSAGE_ID", b"a596d6fe7bfa4994828e72309e95d61e".to_vec()),
        ("N_DROPPED", b"42".to_vec()),
    ]);
    append(&file(&place, "a.journal"), &export(1, &dropped));
    place.run(&["run", "--once"]).code(0);
    place.run(&["run", "--once"]).code(0);
    let found = notices(&place);
    assert_eq!((found.len(), found[0].2), (1, Some(42)), "{found:?}");
}

#[test]
#[ignore = "needs systemd-journal-remote and journalctl"]
fn a_damaged_file_loses_what_is_damaged_and_says_so() {
    let whole = place();
    append_logins(&file(&whole, "a.journal"), 1..=60);
    let bytes = fs::read(file(&whole, "a.journal")).expect("readable");
    let entries = entries(&bytes);
    let end = entries[entries.len() - 1];
    let mut kept_all = 0;
    for round in 0..12 {
        let place = place();
        let mut damaged = bytes.clone();
        let at = entries[5 + round * 4];
        match round % 4 {
            // Cut off within a record; nonsense over records; over their array; one record's head.
            0 => damaged.truncate(at + 8),
            1 => damaged[at..at + 2_000].fill(0xa5),
            2 => damaged[entries[4]..end].chunks_mut(512).step_by(3).for_each(|chunk| chunk.fill(0)),
            _ => damaged[at + 8..at + 16].fill(0xff),
        }
        replace(&file(&place, "a.journal"), &damaged);
        let said = place.run(&["run", "--once"]);
        assert!(!said.err.contains("panicked") && matches!(said.code_of(), Some(0 | 1)), "{round}: {said:#?}");
        let (logins, notices) = (logins(&place), notices(&place));
        let missing: u64 = notices.iter().filter_map(|notice| notice.2).sum();
        kept_all += usize::from(logins.len() == 60);
        let is_said = logins.len() == 60 || missing > 0 || !notices.is_empty();
        assert!(is_said, "{round}: {} of 60 logins, and nothing is said: {notices:?}", logins.len());
        if notices.iter().all(|notice| notice.0 == "source.gap") {
            assert_eq!(logins.len() as u64 + missing, 60, "{round}: {notices:?}");
        }
        place.verify();
    }
    assert!(kept_all < 12, "nothing was damaged");
}

#[test]
#[ignore = "needs systemd-journal-remote and journalctl"]
fn a_record_longer_than_a_line_may_be_is_read_without_its_long_fields() {
    let place = place();
    let mut large = login(2);
    // Bytes that are no text take four times their number.
    large.push(("COREDUMP", vec![0xfe; 3 << 20]));
    let records = [export(1, &login(1)), export(2, &large), export(3, &login(3))].concat();
    append(&file(&place, "a.journal"), &records);
    place.run(&["run", "--once"]).code(0);
    assert_eq!((logins(&place), notices(&place)), (vec![1, 2, 3], Vec::new()));
}
