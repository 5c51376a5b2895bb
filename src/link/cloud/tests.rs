//! Records of AWS, and who is found behind the keys that they give.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value as Json, json};

use super::*;
use crate::event::{Lineage, Stamp};
use crate::sources::secrets::Marks;
use crate::sources::zone::Zone;
use crate::sources::{self, Identity, Stream, Year};

/// What CloudTrail would deliver, read a while later.
fn read(records: &[Json]) -> Vec<Event> {
    let observed = Stamp::parse("2026-11-20T12:00:00Z").expect("an instant");
    let mut decoder = sources::decoder(Stream {
        name: "trail".into(),
        family: Family::Cloudtrail,
        origin: "trail".into(),
        host: "web-1".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("web-1", Family::Cloudtrail, b""), generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::NotAfter(observed),
        marks: Marks::default(),
        world: Default::default(),
    });
    let mut events = Vec::new();
    decoder.push(json!({ "Records": records }).to_string().as_bytes(), observed, &mut events);
    decoder.finish(observed, &mut events);
    events
}

/// A record of the account 111122223333; `id` makes its eventID.
fn record(id: u32, minute: u32, name: &str, identity: &Json, rest: &Json) -> Json {
    let (hour, minute) = (10 + minute / 60, minute % 60);
    let service = if name.starts_with("Get") || name.starts_with("Assume") { "sts" } else { "ec2" };
    let mut record = json!({
        "eventVersion": "1.11", "userIdentity": identity, "eventTime": format!("2026-11-20T{hour:02}:{minute:02}:00Z"),
        "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.77", "requestParameters": null, "responseElements": null,
        "eventID": format!("e-{id}"), "eventType": "AwsApiCall", "recipientAccountId": "111122223333",
    });
    let (Some(record_of), Some(rest)) = (record.as_object_mut(), rest.as_object()) else { return record };
    record_of.extend(rest.clone());
    record
}

fn user(name: &str) -> Json {
    let (id, arn) = (format!("AIDA{name}"), format!("arn:aws:iam::111122223333:user/{name}"));
    json!({"type": "IAMUser", "principalId": id, "arn": arn, "accountId": "111122223333", "accessKeyId": format!("AKIA{name}"), "userName": name})
}

fn session(account: &str, role: &str, name: &str, key: &str) -> Json {
    json!({
        "type": "AssumedRole", "principalId": format!("AROA{role}:{name}"), "accountId": account, "accessKeyId": key,
        "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"),
        "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": format!("AROA{role}"), "userName": role,
            "arn": format!("arn:aws:iam::{account}:role/{role}"), "accountId": account}},
    })
}

/// The request and the answer that give a key for a role.
fn gives(role: &str, account: &str, session: &str, key: &str) -> Json {
    json!({
        "requestParameters": {"roleArn": format!("arn:aws:iam::{account}:role/{role}"), "roleSessionName": session},
        "responseElements": {"credentials": {"accessKeyId": key, "expiration": "Nov 20, 2026, 9:00:00 PM"}},
    })
}

fn with(mut rest: Json, name: &str, value: impl Into<Json>) -> Json {
    rest[name] = value.into();
    rest
}

/// What is known in the end: of a key or an event, its link with places as ids.
type Ends = BTreeMap<String, (Facts, EventId, Vec<EventId>)>;

fn about(link: &Link) -> String {
    link.facts.for_key.clone().unwrap_or_else(|| link.target.to_string())
}

/// Takes events in batches, keeps a trail of them and of the links, and starts again after some batches.
fn ends(events: &[Event], batch: usize, restart: &[usize], bounds: Bounds) -> Ends {
    let (mut keys, mut trail, mut known) = (Keys::new(bounds), Vec::new(), Ends::new());
    let mut places: BTreeMap<String, u64> = BTreeMap::new();
    for (at, events) in events.chunks(batch).enumerate() {
        for event in events {
            keys.take(trail.len() as u64, event);
            trail.push(event.clone());
        }
        if restart.contains(&at) {
            // Killed before anything was said.
            keys = again(&trail, bounds);
        }
        for link in keys.settle() {
            assert_eq!(link.facts.replaces, places.get(&about(&link)).copied(), "{link:?}");
            places.insert(about(&link), trail.len() as u64);
            let mut event = link.to_event();
            event.id = EventId::of_own("test", trail.len() as u64);
            keys.take(trail.len() as u64, &event);
            trail.push(event);
            let id = |seq: u64| trail[seq as usize].id;
            let mut evidence: Vec<EventId> = link.facts.evidence.iter().map(|seq| id(*seq)).collect();
            evidence.sort_unstable();
            let facts = Facts { seq: 0, replaces: None, evidence: Vec::new(), ..link.facts.clone() };
            known.insert(about(&link), (facts, link.target, evidence));
        }
        if restart.contains(&at) {
            keys = again(&trail, bounds);
            assert_eq!(keys.settle(), [], "nothing is said twice");
        }
    }
    assert_eq!(keys.settle(), [], "there is nothing more to say");
    assert_eq!(again(&trail, bounds).settle(), [], "nor is there after a start");
    known.retain(|_, (facts, ..)| !facts.chain.is_empty());
    known
}

fn again(trail: &[Event], bounds: Bounds) -> Keys {
    let mut keys = Keys::new(bounds);
    (0..).zip(trail).for_each(|(seq, event)| keys.take(seq, event));
    keys
}

/// Of each key, in order, its chain.
fn told(records: &[Json]) -> Vec<String> {
    let known = ends(&read(records), usize::MAX, &[], Bounds::default());
    known.into_iter().map(|(about, (facts, ..))| format!("{about}: {}", facts.chain.join(" > "))).collect()
}

/// Alice takes Admin, and from there Deploy in a second account, whose record knows only where she came from.
fn two_accounts() -> Vec<Json> {
    let (admin, deploy) =
        (gives("Admin", "111122223333", "a", "ASIA1"), gives("ci/Deploy", "444455556666", "d", "ASIA2"));
    let shared = with(deploy, "sharedEventID", "s-1");
    let there = with(shared.clone(), "recipientAccountId", "444455556666");
    let foreign = json!({"type": "AWSAccount", "principalId": "AROAAdmin:a", "accountId": "111122223333"});
    vec![
        record(1, 0, "AssumeRole", &user("alice"), &admin),
        record(2, 5, "AssumeRole", &session("111122223333", "Admin", "a", "ASIA1"), &shared),
        record(3, 5, "AssumeRole", &foreign, &there),
    ]
}

#[test]
fn a_chain_leads_through_roles_and_accounts() {
    let records = two_accounts();
    let there = read(&records)[2].id;
    let mut expected = vec![
        "ASIA1: alice@198.51.100.77 > Admin".to_owned(),
        "ASIA2: alice@198.51.100.77 > Admin > Deploy".to_owned(),
        format!("{there}: alice@198.51.100.77 > Admin"),
    ];
    expected.sort();
    assert_eq!(told(&records), expected);
    let known = ends(&read(&records), usize::MAX, &[], Bounds::default());
    let (facts, target, evidence) = &known["ASIA2"];
    let of = |at: usize| read(&records)[at].id;
    assert_eq!((target, evidence.as_slice()), (&of(1), &[of(0)][..]), "the fuller record, and what it rests on");
    assert_eq!((facts.account.as_deref(), facts.key.as_deref()), (Some("alice"), Some("AKIAalice")));
    assert_eq!(facts.aws, ["arn:aws:iam::111122223333:user/alice", "AIDAalice", "alice"]);
    assert_eq!((facts.session.as_deref(), facts.via.as_slice()), (Some("d"), &[Via::Key][..]));
    assert_eq!(facts.confidence, Confidence::High);
    // Without the caller's own account only that is known.
    assert_eq!(told(&records[2..]), ["ASIA2: 111122223333@198.51.100.77 > Deploy"]);
}

#[test]
fn where_the_key_is_told_by_one_record_and_the_caller_by_the_other_both_count() {
    let mut records = two_accounts();
    records[1]["responseElements"] = Json::Null;
    let known = ends(&read(&records), 1, &[], Bounds::default());
    let (facts, target, _) = &known["ASIA2"];
    assert_eq!(facts.chain, ["alice@198.51.100.77", "Admin", "Deploy"]);
    assert_eq!((facts.via.as_slice(), *target), (&[Via::Key, Via::Shared][..], read(&records)[2].id));
}

#[test]
fn each_way_to_a_key_names_whoever_asked() {
    let alice = user("alice");
    let credentials = |key: &str| json!({"responseElements": {"credentials": {"accessKeyId": key}}});
    let asked = |key: &str, request: Json| with(credentials(key), "requestParameters", request);
    let saml =
        json!({"type": "SAMLUser", "principalId": "x:frank", "userName": "frank@example.com", "identityProvider": "x"});
    let web = json!({"type": "WebIdentityUser", "principalId": "idp:app:grace", "userName": "grace", "identityProvider": "idp"});
    let root = json!({"type": "Root", "principalId": "111122223333", "arn": "arn:aws:iam::111122223333:root", "accountId": "111122223333"});
    let from_service = |rest: Json| with(rest, "sourceIPAddress", "cloudformation.amazonaws.com");
    let records = [
        record(1, 0, "GetSessionToken", &alice, &credentials("ASIA1")),
        record(2, 0, "GetFederationToken", &alice, &asked("ASIA2", json!({"name": "erin"}))),
        record(
            3,
            0,
            "AssumeRoot",
            &alice,
            &asked("ASIA3", json!({"targetPrincipal": "arn:aws:iam::444455556666:root"})),
        ),
        record(4, 0, "AssumeRoleWithSAML", &saml, &gives("Saml", "111122223333", "f", "ASIA4")),
        record(5, 0, "AssumeRoleWithWebIdentity", &web, &gives("Web", "111122223333", "g", "ASIA5")),
        record(6, 0, "AssumeRole", &root, &gives("Admin", "111122223333", "r", "ASIA6")),
        record(
            7,
            0,
            "AssumeRole",
            &session("111122223333", "web", "i-1", "ASIA0"),
            &gives("Deploy", "111122223333", "d", "ASIA7"),
        ),
        record(
            8,
            0,
            "AssumeRole",
            &with(alice.clone(), "invokedBy", "cloudformation.amazonaws.com"),
            &from_service(gives("Stack", "111122223333", "s", "ASIA8")),
        ),
        record(
            9,
            1,
            "AssumeRole",
            &session("111122223333", "Stack", "s", "ASIA8"),
            &gives("Stack", "111122223333", "s", "ASIA9"),
        ),
    ];
    assert_eq!(
        told(&records),
        [
            "ASIA1: alice@198.51.100.77",
            "ASIA2: alice@198.51.100.77 > erin",
            "ASIA3: alice@198.51.100.77 > root@444455556666",
            "ASIA4: frank@example.com@198.51.100.77 > Saml",
            "ASIA5: grace@198.51.100.77 > Web",
            "ASIA6: root@111122223333@198.51.100.77 > Admin",
            "ASIA7: i-1@198.51.100.77 > web > Deploy",
            "ASIA8: alice > Stack",
            "ASIA9: alice > Stack",
        ]
    );
}

#[test]
fn what_gives_no_key_and_what_a_service_does_has_no_link() {
    let service = json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"});
    let of_service = with(gives("web", "111122223333", "i-1", "ASIA1"), "sharedEventID", "s-1");
    let refused = with(gives("Admin", "111122223333", "a", "ASIA2"), "errorCode", "AccessDenied");
    let long = "x".repeat(5_000);
    let records = [
        record(1, 0, "AssumeRole", &service, &of_service),
        record(2, 0, "AssumeRole", &user("alice"), &refused),
        record(3, 0, "AssumeRole", &user("alice"), &gives("Admin", "111122223333", "a", "AKIAbob")),
        record(4, 0, "AssumeRole", &user("alice"), &gives("Admin", "111122223333", "a", &long)),
        record(5, 0, "CreateAccessKey", &user("alice"), &gives("Admin", "111122223333", "a", "ASIA5")),
        record(6, 0, "AssumeRole", &json!(null), &gives("Admin", "111122223333", "a", "ASIA6")),
        record(7, 0, "AssumeRole", &user("alice"), &json!({"responseElements": {"credentials": [["ASIA7"]]}})),
        record(8, 0, "AssumeRole", &user(&long), &gives("Admin", "111122223333", "a", "ASIA8")),
    ];
    assert_eq!(told(&records), [""; 0]);
}

#[test]
fn a_key_counts_while_it_lasts_and_a_circle_is_no_chain() {
    let by = |key: &str| session("111122223333", "R", "r", key);
    let to = |key: &str| gives("S", "111122223333", "s", key);
    let alice = record(1, 60, "AssumeRole", &user("alice"), &gives("R", "111122223333", "r", "ASIA1"));
    let before = record(2, 59, "AssumeRole", &by("ASIA1"), &to("ASIA2"));
    assert_eq!(told(&[alice.clone(), before])[1], "ASIA2: r@198.51.100.77 > R > S", "used before it was given");
    let mut after = record(3, 0, "AssumeRole", &by("ASIA1"), &to("ASIA3"));
    after["eventTime"] = "2026-11-22T10:00:00Z".into();
    assert_eq!(told(&[alice, after])[1], "ASIA3: r@198.51.100.77 > R > S", "39 hours later");
    let circle = [
        record(4, 0, "AssumeRole", &by("ASIA5"), &to("ASIA4")),
        record(5, 0, "AssumeRole", &by("ASIA4"), &to("ASIA5")),
    ];
    assert_eq!(told(&circle), ["ASIA4: r@198.51.100.77 > R > S", "ASIA5: r@198.51.100.77 > R > S"]);
    let own = [record(6, 0, "AssumeRole", &by("ASIA6"), &to("ASIA6"))];
    assert_eq!(told(&own), ["ASIA6: r@198.51.100.77 > R > S"]);
}

#[test]
fn a_chain_without_end_stays_short_and_keeps_its_beginning() {
    let mut records = vec![record(0, 0, "AssumeRole", &user("alice"), &gives("R0", "111122223333", "r", "ASIA000"))];
    for n in 1..100_u32 {
        let by = session("111122223333", &format!("R{}", n - 1), "r", &format!("ASIA{:03}", n - 1));
        records.push(record(
            n,
            n,
            "AssumeRole",
            &by,
            &gives(&format!("R{n}"), "111122223333", "r", &format!("ASIA{n:03}")),
        ));
    }
    let known = ends(&read(&records), usize::MAX, &[], Bounds::default());
    let chain = &known["ASIA099"].0.chain;
    assert_eq!((chain.len(), chain[0].as_str(), chain[31].as_str()), (32, "alice@198.51.100.77", "R99"));
    // What is let go leaves its chain to what goes on from it.
    let few = Bounds { keys: 3, ..Bounds::default() };
    let known = ends(&read(&records), 1, &[50], few);
    assert_eq!(known["ASIA099"].0.chain[0], "alice@198.51.100.77");
    let mut keys = Keys::new(few);
    (0..).zip(&read(&records)).for_each(|(seq, event)| keys.take(seq, event));
    assert_eq!(
        (keys.held(), keys.forgotten(), keys.settle().len()),
        (3, 97, 100),
        "all is said, and that keys were let go"
    );
    assert!(keys.follow.len() <= 4 && keys.said.len() <= 103, "{keys:?}");
}

#[test]
fn a_call_that_is_made_up_to_have_given_many_keys_takes_no_more_room() {
    let record = |n: u32| {
        let given = with(gives("R", "111122223333", "r", &format!("ASIA{n:03}")), "sharedEventID", "s-1");
        record(n, 0, "AssumeRole", &user("alice"), &given)
    };
    let records: Vec<Json> = (0..100).map(record).collect();
    let mut keys = Keys::new(Bounds::default());
    (0..).zip(&read(&records)).for_each(|(seq, event)| keys.take(seq, event));
    assert!(keys.calls.values().all(|call| call.keys.len() == KEYS_OF_ONE), "{:?}", keys.calls);
    assert_eq!((keys.forgotten(), keys.settle().len()), (100 - KEYS_OF_ONE as u64, 100), "and each key is linked");
}

#[test]
fn what_is_over_goes_by_itself() {
    let first = read(&two_accounts());
    let mut later = read(&[record(9, 0, "AssumeRole", &user("bob"), &gives("R", "111122223333", "r", "ASIA9"))]);
    later[0].observed = Stamp::parse("2026-11-24T12:00:00Z").expect("an instant");
    let mut keys = Keys::new(Bounds::default());
    (0..).zip(first.iter().chain(&later)).for_each(|(seq, event)| keys.take(seq, event));
    assert_eq!((keys.held(), keys.forgotten(), keys.calls.len(), keys.follow.len()), (1, 0, 0, 1));
    assert_eq!(keys.settle().len(), 4, "it is said all the same");
}

#[test]
fn a_user_of_identity_center_is_known_by_the_name_of_a_sign_in() {
    let on_behalf = json!({"userId": "u-1", "identityStoreArn": "arn:store"});
    let center = json!({"type": "IdentityCenterUser", "accountId": "111122223333", "onBehalfOf": on_behalf, "credentialId": "c"});
    let signed_in = |name: &str| json!({"additionalEventData": {"UserName": name}, "serviceEventDetails": {"UserAuthentication": "Success"}});
    let mut role = session("111122223333", "AWSReservedSSO_Admin_1", "carol@example.com", "ASIA1");
    role["onBehalfOf"] = on_behalf.clone();
    let records = [
        record(1, 9, "UserAuthentication", &center, &signed_in("alice@example.com")),
        record(2, 3, "ListApplications", &center, &json!({})),
        record(3, 4, "CredentialChallenge", &center, &json!({})),
        record(4, 5, "RunInstances", &role, &json!({})),
        record(5, 8, "UserAuthentication", &center, &signed_in("HIDDEN_DUE_TO_SECURITY_REASONS")),
        record(6, 3, "ListApplications", &with(center.clone(), "onBehalfOf", json!({"userId": "u-2"})), &json!({})),
    ];
    let [list, again] = [1, 4].map(|at: usize| read(&records)[at].id);
    let mut expected =
        vec![format!("{list}: alice@example.com@198.51.100.77"), format!("{again}: alice@example.com@198.51.100.77")];
    expected.sort();
    assert_eq!(told(&records), expected);
    // A session of Identity Center's own role tells it too, if nothing better does.
    assert_eq!(told(&records[1..4]), [format!("{list}: carol@example.com@198.51.100.77")]);
}

#[test]
fn a_link_stands_for_what_was_pruned() {
    let records = two_accounts();
    let events = read(&records);
    let mut keys = Keys::new(Bounds::default());
    keys.take(0, &events[0]);
    let link = keys.settle().remove(0).to_event();
    // Only the link about the first key is left.
    let mut keys = Keys::new(Bounds::default());
    keys.take(1, &link);
    keys.take(2, &events[1]);
    let links = keys.settle_without_history();
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].facts.chain, ["alice@198.51.100.77", "Admin", "Deploy"]);
    // What was said of it before is not taken back because the beginning is gone.
    let said = links[0].to_event();
    let mut keys = Keys::new(Bounds::default());
    keys.take(2, &events[1]);
    keys.take(3, &said);
    assert_eq!(keys.settle_without_history(), []);
}

/// One of few callers gives one of few keys, in one of few minutes, alone or in two accounts.
fn told_record() -> impl Strategy<Value = (u8, usize, usize, u32, Option<u8>, bool)> {
    (0..6_u8, 0..5_usize, 0..5_usize, 0..6_u32, proptest::option::of(0..4_u8), any::<bool>())
}

fn scene() -> impl Strategy<Value = Vec<Event>> {
    let role = select(vec!["Admin", "Deploy"]);
    proptest::collection::vec((told_record(), role), 1..24).prop_map(move |told| {
        let one = |(n, ((kind, own, given, minute, shared, is_center), role)): (usize, _)| {
            let (kind, own, given, shared): (u8, usize, usize, Option<u8>) = (kind, own, given, shared);
            let key = |at: usize| format!("ASIA{at}");
            let mut identity = match kind {
                0 => user("alice"),
                1 => user("bob"),
                2 => json!({"type": "AWSAccount", "principalId": "AROAx:s", "accountId": "111122223333"}),
                3 => json!({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}}),
                _ => session("111122223333", "R", "r@example.com", &key(own)),
            };
            if is_center && kind == 4 {
                identity["onBehalfOf"] = json!({"userId": "u-1"});
                identity["sessionContext"]["sessionIssuer"]["userName"] = "AWSReservedSSO_x".into();
            }
            let mut rest = gives(role, "111122223333", "s", &key(given));
            if let Some(shared) = shared {
                rest["sharedEventID"] = format!("s-{shared}").into();
            }
            if is_center && kind == 3 {
                rest["additionalEventData"] = json!({"UserName": format!("u{given}@example.com")});
            }
            record(n as u32, minute, "AssumeRole", &identity, &rest)
        };
        read(&told.into_iter().enumerate().map(one).collect::<Vec<_>>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_order_any_batches_and_any_restarts_end_the_same(
        events in scene(),
        moves in proptest::collection::vec((any::<Index>(), any::<Index>()), 0..40),
        batch in 1_usize..9,
        restarts in proptest::collection::vec(0_usize..24, 0..4),
    ) {
        let expected = ends(&events, usize::MAX, &[], Bounds::default());
        prop_assert_eq!(&ends(&events, 1, &restarts, Bounds::default()), &expected, "one at a time");
        let mut shuffled = events;
        for (from, to) in moves {
            let (from, to) = (from.index(shuffled.len()), to.index(shuffled.len()));
            shuffled.swap(from, to);
        }
        prop_assert_eq!(&ends(&shuffled, batch, &restarts, Bounds::default()), &expected, "shuffled");
    }

    /// With little room less is known, and nothing grows.
    #[test]
    fn little_room_is_kept_to(events in scene(), batch in 1_usize..9) {
        let few = Bounds { keys: 2, calls: 1, users: 2, kept_micros: i64::MAX };
        let mut keys = Keys::new(few);
        let mut said = 0;
        for (at, event) in (0..).zip(&events) {
            keys.take(at, event);
            prop_assert!(keys.given.len() <= 2 && keys.calls.len() <= 1 && keys.users.len() + keys.waiting <= 2);
            prop_assert!(keys.follow.values().flatten().count() <= 3 && keys.came.iter().flatten().count() <= 5);
            if (at as usize).is_multiple_of(batch) {
                said += keys.settle().len();
            }
        }
        said += keys.settle().len();
        prop_assert!(said <= 4 * events.len() && keys.settle().is_empty());
    }
}
