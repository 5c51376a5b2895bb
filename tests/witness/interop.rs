//! The witness, the client and the verifier of transparency-dev (`tests/interop/witness/`), against ours.

use std::io::{BufRead as _, BufReader};
use std::sync::LazyLock;

use super::*;

static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-witness");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/witness");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(".").current_dir(source);
    Said::from(build.output().expect("go")).code(0);
    program
});

fn go(args: &[&str]) -> Said {
    Command::new(&*PROGRAM).args(args).output().expect("it runs").into()
}

#[test]
#[ignore = "needs go"]
fn a_witness_of_other_people_cosigns_our_trail() {
    let place = place();
    let mut theirs = Command::new(&*PROGRAM);
    theirs.args(["serve", "witness.example.org/theirs", &log_key(&place)]).stdout(Stdio::piped());
    let mut host = Host::new();
    let mut child = theirs.spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut line = || lines.next().expect("a line").expect("readable");
    let (address, key) = (line(), line());
    host.running = Some(child);
    host.address = address.trim_start_matches("http://").to_owned();
    with_anchor(&place, &host, &key);
    for lines in [0, 300, 1, 700] {
        grow(&place, lines);
        place.run(&["run", "--once"]).code(0);
        let seen = format!("witness.example.org/theirs saw {} entries", signed(&place));
        verify(&place, &key).code(0).out_holds("WHOLE to").out_holds(&seen);
    }
    assert_eq!(told(&place), [""; 0]);
}

#[test]
#[ignore = "needs go"]
fn a_client_of_other_people_feeds_our_witness_and_their_verifier_reads_our_cosignatures() {
    let (place, host, key) = pair();
    let (url, checkpoint) = (format!("http://{}", host.address), place.path("data/trail/checkpoint"));
    let checkpoint = checkpoint.to_string_lossy().into_owned();
    place.write("proof", b"");
    let empty = place.path("proof").to_string_lossy().into_owned();
    let feed = |old: u64, proof: &str| go(&["feed", &url, &old.to_string(), &checkpoint, proof, &key]);
    feed(0, &empty).code(0).out_holds("COSIGNED");
    let first = signed(&place);
    feed(first, &empty).code(0).out_holds("COSIGNED");
    // Without our own client.
    let config = fs::read_to_string(place.path("whodid.toml")).expect("readable");
    place.write("whodid.toml", config.split("[[anchor]]").next().expect("a beginning").as_bytes());
    grow(&place, 400);
    place.run(&["run", "--once"]).code(0);
    feed(0, &empty).code(0).out_holds(&format!("STALE {first}"));
    feed(first, &empty).code(1).out_holds("consistency proof invalid");
    let reader = whodid::trail::Reader::open(&place.path("data")).expect("a trail");
    let (newest, _) = reader.checkpoint_note().expect("signed");
    let proof = reader.continues(first, &newest).expect("tiles");
    let lines: String = proof.iter().map(|hash| hash.to_base64() + "\n").collect();
    place.write("proof", lines.as_bytes());
    feed(first, &empty).code(0).out_holds("COSIGNED");

    // And what our client keeps is a note that theirs opens.
    with_anchor(&place, &host, &key);
    grow(&place, 10);
    place.run(&["run", "--once"]).code(0);
    let kept = place.path("data/trail/cosigned").to_string_lossy().into_owned();
    go(&["check", &kept, &log_key(&place), &key]).code(0).out_holds("COSIGNED 1");
    let bent = cosigned(&place).replacen(&format!("\n{}\n", signed(&place)), "\n1\n", 1);
    place.write("data/trail/cosigned", bent.as_bytes());
    go(&["check", &kept, &log_key(&place), &key]).code(1);
}
