//! Chains of records, and everything that may not pass for one.

use proptest::prelude::*;

use super::*;

const ORIGIN: &str = "org/host/trail";

fn log_key(seed: u8) -> SignerKey {
    SignerKey::from_seed(ORIGIN, &[seed; 32]).expect("a good name")
}

fn epoch_key(number: u64) -> SignerKey {
    let seed = [100 + number as u8; 32];
    SignerKey::from_seed(&Kind::Epoch.key_name(ORIGIN, number), &seed).expect("a good name")
}

fn root(size: u64) -> Hash {
    if size == 0 { tree::empty() } else { tree::leaf(&size.to_be_bytes()) }
}

fn record(kind: Kind, number: u64, size: u64, key: &SignerKey) -> Record {
    Record { kind, origin: ORIGIN.to_owned(), number, size, root: root(size), key: key.verifier() }
}

/// Record by record, as they are stored.
fn keys(sizes: &[u64]) -> Vec<String> {
    let sign = |(number, size): (u64, &u64)| {
        let key = log_key(number as u8);
        let before = number.checked_sub(1).map(|before| log_key(before as u8));
        let signers: Vec<&SignerKey> = before.iter().chain([&key]).collect();
        record(Kind::Log, number, *size, &key).sign(&signers).expect("a good text")
    };
    (0..).zip(sizes).map(sign).collect()
}

fn epochs(sizes: &[u64]) -> Vec<String> {
    let sign = |(number, size): (u64, &u64)| {
        let key = epoch_key(number);
        let before = number.checked_sub(1).map_or_else(|| log_key(0), epoch_key);
        record(Kind::Epoch, number, *size, &key).sign(&[&before, &key]).expect("a good text")
    };
    (0..).zip(sizes).map(sign).collect()
}

/// How many records hold, and whether the rest is refused.
fn follow(mut follow: Follow<'_>, bytes: &[u8]) -> (usize, Option<Broken>) {
    let mut count = 0;
    for (at, read) in notes::read(bytes) {
        let taken = read.map_err(Broken::Note).and_then(|(_, note)| follow.take(&note));
        match taken {
            Ok(_) => count += 1,
            Err(_) if follow.is_torn(&bytes[at..]) => break,
            Err(broken) => return (count, Some(broken)),
        }
    }
    (count, None)
}

fn both(bytes: &[u8]) -> [(usize, Option<Broken>); 2] {
    let log = Chain::of_one(log_key(0).verifier());
    [follow(Follow::keys(), bytes), follow(Follow::epochs(Some(&log)), bytes)]
}

#[test]
fn each_key_signs_its_successor() {
    let sizes = [0, 0, 7, 300, 300];
    assert_eq!(both(keys(&sizes).concat().as_bytes())[0], (5, None));
    assert_eq!(both(epochs(&sizes).concat().as_bytes())[1], (5, None));
    let text = keys(&[0, 7]).concat();
    let (chain, end) = Chain::read(text.as_bytes());
    assert_eq!(end, End { at: text.len(), broken: None });
    assert_eq!(chain.links().iter().map(|link| link.tie).collect::<Vec<_>>(), [Tie::Begins, Tie::Before]);
    assert_eq!(chain.newest().map(|record| record.size), Some(7));
}

#[test]
fn a_record_has_one_form() {
    let text = record(Kind::Epoch, 3, 40, &epoch_key(3)).to_string();
    assert_eq!(Record::parse(&text).map(|record| record.to_string()), Ok(text.clone()));
    for (from, to) in [("\n3\n", "\n03\n"), ("\n40\n", "\n+40\n"), ("epoch 1\n", "epoch 2\n"), ("org/", "o g/")] {
        assert!(Record::parse(&text.replacen(from, to, 1)).is_err(), "{from}");
    }
    assert!(Record::parse(&(text + "more\n")).is_err());
}

#[test]
fn which_key_is_in_force_is_a_matter_of_size() {
    let (chain, _) = Chain::read(keys(&[0, 10, 20]).concat().as_bytes());
    let at = |chain: &Chain, size| chain.in_force(size).map(|record| record.number).collect::<Vec<_>>();
    let all = [(0, vec![0]), (9, vec![0]), (10, vec![0, 1]), (11, vec![1]), (20, vec![1, 2]), (99, vec![2])];
    for (size, expected) in all {
        assert_eq!(at(&chain, size), expected, "{size}");
    }
    let from_second = chain.from(&log_key(1).verifier()).expect("it is one of them");
    assert_eq!((at(&from_second, 5), at(&from_second, 15), at(&from_second, 99)), (vec![], vec![1], vec![2]));
    assert_eq!(chain.from(&log_key(9).verifier()), None);
}

/// A trail that was adopted has a new name; without the old key nobody who knew that is asked to believe.
#[test]
fn a_new_origin_may_follow_and_is_vouched_for_or_not() {
    let adopted = SignerKey::from_seed("org/host/other", &[50; 32]).expect("a good name");
    let after = Record {
        origin: "org/host/other".to_owned(),
        ..record(Kind::Log, 2, 30, &SignerKey::from_seed("org/host/other", &[50; 32]).expect("a good name"))
    };
    for (signers, vouched) in [(vec![&log_key(1), &adopted], 3), (vec![&adopted], 2)] {
        let text = keys(&[0, 10]).concat() + &after.sign(&signers).expect("a good text");
        let (chain, end) = Chain::read(text.as_bytes());
        assert_eq!((chain.links().len(), end.broken), (3, None));
        let old = chain.from(&log_key(0).verifier()).expect("it is one of them");
        assert_eq!(old.links().len(), vouched);
        assert_eq!(old.in_force(31).count(), usize::from(vouched == 3));
        // Epochs begin anew with it, signed by the new key of the log.
        let name = Kind::Epoch.key_name("org/host/other", 1);
        let key = SignerKey::from_seed(&name, &[51; 32]).expect("a good name");
        let begin = Record { kind: Kind::Epoch, number: 1, key: key.verifier(), ..after.clone() };
        let begin = |log| epochs(&[0]).concat() + &begin.sign(&[log, &key]).expect("a good text");
        assert_eq!(follow(Follow::epochs(Some(&chain)), begin(&adopted).as_bytes()), (2, None));
        let (count, broken) = follow(Follow::epochs(Some(&chain)), begin(&log_key(1)).as_bytes());
        assert!(count == 1 && matches!(broken, Some(Broken::Signature(_))), "{broken:?}");
    }
}

#[test]
fn the_wrong_signer_is_found() {
    let key = log_key(1);
    let record = record(Kind::Log, 1, 7, &key);
    for signers in [vec![&key], vec![&log_key(0)], vec![&log_key(2), &key], vec![&log_key(0), &key, &log_key(2)]] {
        let text = keys(&[0]).concat() + &record.sign(&signers).expect("a good text") + &keys(&[0, 7, 7])[2];
        let (count, broken) = follow(Follow::keys(), text.as_bytes());
        assert!(count == 1 && broken.is_some(), "{broken:?}");
    }
    // The keys of another log do not vouch for these epochs.
    let other = Chain::of_one(log_key(5).verifier());
    let (count, broken) = follow(Follow::epochs(Some(&other)), epochs(&[0]).concat().as_bytes());
    assert!(count == 0 && broken.is_some_and(|broken| !broken.is_altered()));
}

#[test]
fn what_a_crash_left_at_the_end_is_passed_over_and_nothing_else() {
    for records in [keys(&[0, 5, 9]), epochs(&[0, 5, 9])] {
        let (text, last) = (records.concat(), records[2].len());
        let kind = usize::from(text.starts_with("whodid epoch"));
        for cut in (1..=last).step_by(7) {
            assert_eq!(both(&text.as_bytes()[..text.len() - cut])[kind], (2, None), "{cut}");
            let of_two = &text.as_bytes()[..(records[0].len() + records[1].len()).saturating_sub(cut)];
            assert_eq!(both(of_two)[kind].1.is_some(), of_two.len() < records[0].len(), "{cut}");
        }
        assert!(both(&text.as_bytes()[..records[0].len() - 1])[kind].1.is_some());
    }
    // Also where the size has more digits than the one before.
    for records in [keys(&[0, 123_456]), epochs(&[0, 123_456])] {
        let (text, kind) = (records.concat(), usize::from(records[0].starts_with("whodid epoch")));
        for cut in 1..20 {
            assert_eq!(both(&text.as_bytes()[..text.len() - cut])[kind], (1, None), "{cut}");
        }
        let bent = text.replace("\n123456\n", "\n123457\n");
        assert!(both(bent.as_bytes())[kind].1.is_some());
    }
    for records in [keys(&[0, 5, 9]), epochs(&[0, 5, 9])] {
        let (text, kind) = (records.concat(), usize::from(records[0].starts_with("whodid epoch")));
        let cut_within = text.replace(&records[1], records[1].split_at(60).0);
        assert!(both(cut_within.as_bytes())[kind].1.is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit_is_found(at in any::<prop::sample::Index>(), bit in 0_u8..8, of_epochs in any::<bool>()) {
        let records = if of_epochs { epochs(&[0, 12, 300]) } else { keys(&[0, 12, 300]) };
        let mut bytes = records.concat().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let (count, broken) = both(&bytes)[usize::from(of_epochs)].clone();
        prop_assert!(broken.is_some(), "byte {at} bit {bit}: {count} hold");
    }

    #[test]
    fn dropped_swapped_and_doubled_records_are_found(
        one in 0_usize..5, two in 0_usize..5, edit in 0..3, of_epochs in any::<bool>()
    ) {
        let sizes = [0, 12, 12, 300, 301];
        let mut records = if of_epochs { epochs(&sizes) } else { keys(&sizes) };
        match edit {
            // Without the last one the chain is another sound one: that the open key signs shows it.
            0 if one < 4 => drop(records.remove(one)),
            1 if one != two => records.swap(one, two),
            2 => records.insert(two, records[one].clone()),
            _ => return Ok(()),
        }
        let (_, broken) = both(records.concat().as_bytes())[usize::from(of_epochs)].clone();
        prop_assert!(broken.is_some());
    }
}
