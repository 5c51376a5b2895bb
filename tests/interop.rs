//! Verifiers that share no code with this program read its trails, and refuse what it refuses.
//!
//! One is `examples/verify/verify.py`, the other `tests/interop/main.go` on the packages behind Go's checksum
//! database. The kinds of harm are those of the table in `docs/trail-format.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harm::{HARM, Harm, Needs};
use trail::{Copied, Form, Trail};

use crate::random::Random;

mod campaign;
mod harm;
mod trail;

/// Each kind of harm is done at so many places.
const PLACES: u64 = 3;

/// What a verifier said.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    code: Option<i32>,
    text: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Self { code: output.status.code(), text }
    }
}

/// A verifier of the trail in a folder, against anchors.
type Verifier = dyn Fn(&Trail, &Path, &[&Path]) -> Said;

fn whodid(trail: &Trail, data: &Path, anchors: &[&Path]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whodid"));
    command.args(["trail", "verify"]).arg(data).arg("--key").arg(trail.vkey());
    for anchor in anchors {
        command.arg("--anchor").arg(anchor);
    }
    command.output().expect("it runs").into()
}

/// Does every kind of harm, shows it to the verifiers, and gives all that they say to `judge`, without and with an anchor.
fn do_all(verifiers: &[&Verifier], judge: impl Fn(&Harm, &str, &[Said], &[Said])) {
    let (trail, other) = (Trail::new("web-1"), Trail::new("web-2"));
    for harm in HARM {
        for place in 0..if harm.has_places { PLACES } else { 1 } {
            let copy = Copied::of(&trail, harm.form);
            (harm.does)(&copy, &other, &mut Random::new(place));
            let say = |anchors: &[&Path]| -> Vec<Said> {
                verifiers.iter().map(|verify| verify(&trail, &copy.data(), anchors)).collect()
            };
            judge(harm, &format!("{} ({place})", harm.name), &say(&[]), &say(&[trail.anchor().as_path()]));
        }
    }
}

#[test]
fn every_kind_of_harm_is_refused_or_said_to_need_an_anchor() {
    do_all(&[&whodid], |harm, name, alone, anchored| {
        let (alone, anchored) = (&alone[0], &anchored[0]);
        assert!(matches!(anchored.code, Some(1..=3)), "{name}: {anchored:#?}");
        match harm.needs {
            Needs::Epoch => assert!(matches!(alone.code, Some(1..=3)), "{name}: {alone:#?}"),
            Needs::Key => assert_eq!(alone.code, anchored.code, "{name}: {alone:#?}"),
            Needs::Anchor => {
                assert_eq!(alone.code, Some(0), "{name}: {alone:#?}");
                assert!(alone.text.contains("cannot be checked without an anchor"), "{name}: {alone:#?}");
                assert!(!alone.text.to_lowercase().contains("whole"), "{name}: {alone:#?}");
            }
        }
    });
}

#[test]
fn the_page_lists_every_kind_of_harm_and_what_shows_it() {
    let page = fs::read_to_string(root().join("docs/trail-format.md")).expect("the page");
    let table = page.split("| harm | shown by |").nth(1).expect("the table");
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let expected: Vec<String> = HARM.iter().map(|harm| format!("| {} | {} |", harm.name, harm.needs)).collect();
    assert_eq!(rows, expected);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

mod python {
    use super::*;

    /// In the environment that `tests/run` makes, else that of the machine.
    fn interpreter() -> PathBuf {
        let ours = root().join("target/test-env/bin/python");
        if ours.exists() { ours } else { "python3".into() }
    }

    fn verify(trail: &Trail, data: &Path, anchors: &[&Path]) -> Said {
        let mut command = Command::new(interpreter());
        command.arg(root().join("examples/verify/verify.py")).arg(data).arg(trail.vkey()).args(anchors);
        command.output().expect("it runs").into()
    }

    #[test]
    #[ignore = "needs python"]
    fn it_accepts_sound_trails() {
        let trail = Trail::new("web-1");
        for form in [Form::Plain, Form::Sealed] {
            let copy = Copied::of(&trail, form);
            let alone = verify(&trail, &copy.data(), &[]);
            assert_eq!(
                (alone.code, alone.text.lines().next()),
                (Some(0), Some("COMPLETE to 700; what came later cannot be checked without an anchor"))
            );
            let whole = Said { code: Some(0), text: "WHOLE to 700\n".into() };
            assert_eq!(verify(&trail, &copy.data(), &[&trail.anchor()]), whole);
            assert_eq!(verify(&trail, &copy.data(), &[&trail.old_anchor(), &trail.anchor()]), whole);
        }
        let pruned = verify(&trail, &Copied::of(&trail, Form::Pruned).data(), &[]);
        assert!(pruned.code == Some(0) && pruned.text.starts_with("COMPLETE to 701;"), "{pruned:#?}");
        let another = Trail::new("web-2");
        assert_eq!(verify(&another, &Copied::of(&trail, Form::Plain).data(), &[]).code, Some(3));
        let empty = tempfile::tempdir().expect("a folder");
        assert_eq!(verify(&trail, empty.path(), &[]).code, Some(4));
    }

    #[test]
    #[ignore = "needs python"]
    fn it_says_of_all_harm_what_trail_verify_says() {
        do_all(&[&whodid, &verify], |_, name, alone, anchored| {
            for said in [alone, anchored] {
                assert_eq!(said[0].code, said[1].code, "{name}: {said:#?}");
            }
        });
    }

    #[test]
    #[ignore = "needs python"]
    fn it_agrees_at_random_places() {
        campaign::agrees(&interpreter());
    }

    #[test]
    fn it_is_short_enough_to_be_read() {
        for (file, lines_max) in [("verify.py", 200), ("keys.py", 100)] {
            let text = fs::read_to_string(root().join("examples/verify").join(file)).expect("the verifier");
            assert!(text.lines().count() <= lines_max, "{file}");
        }
    }
}

mod go {
    use std::sync::LazyLock;

    use super::*;

    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-go");
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(&program).arg(".").current_dir(root().join("tests/interop"));
        let built = Said::from(build.output().expect("go"));
        assert_eq!(built.code, Some(0), "{}", built.text);
        program
    });

    fn run(trail: &Trail, data: &Path, args: &[&Path]) -> Said {
        let key = fs::read_to_string(trail.vkey()).expect("a key");
        Command::new(&*PROGRAM).arg(data).arg(key.trim()).args(args).output().expect("it runs").into()
    }

    fn verify(trail: &Trail, data: &Path, anchors: &[&Path]) -> Said {
        let args: Vec<&Path> = anchors.iter().flat_map(|anchor| [Path::new("-anchor"), *anchor]).collect();
        run(trail, data, &args)
    }

    #[test]
    #[ignore = "needs go"]
    fn it_accepts_checkpoints_tiles_inclusion_and_consistency() {
        let trail = Trail::new("web-1");
        for form in [Form::Plain, Form::Sealed] {
            let copy = Copied::of(&trail, form);
            let said = verify(&trail, &copy.data(), &[&trail.old_anchor(), &trail.anchor()]);
            assert_eq!(said, Said { code: Some(0), text: "ACCEPTED 700 of 700 entries, 2 anchors, 0 proofs\n".into() });
        }
        let pruned = verify(&trail, &Copied::of(&trail, Form::Pruned).data(), &[&trail.anchor()]);
        assert!(pruned.text.ends_with(" of 701 entries, 1 anchors, 0 proofs\n"), "{pruned:#?}");
        assert!(!pruned.text.contains("701 of 701"), "{pruned:#?}");
        assert_eq!(verify(&Trail::new("web-2"), &trail.data(), &[]).code, Some(1));
    }

    /// A trail, proofs and lines as the program itself writes them.
    #[test]
    #[ignore = "needs go"]
    fn it_accepts_the_proofs_that_the_program_writes_and_no_changed_ones() {
        let trail = Trail::new("web-1");
        let folder = tempfile::tempdir().expect("a folder");
        let reader = ::whodid::trail::Reader::open(&trail.data()).expect("a trail");
        let mut args: Vec<PathBuf> = Vec::new();
        for seq in [0, 1, 255, 256, 399, 400, 511, 512, 698, 699] {
            let proven = reader.prove(seq).expect("signed");
            let [proof, line] = ["proof", "line"].map(|what| folder.path().join(format!("{seq}.{what}")));
            trail::write(&proof, proven.proof.to_string().as_bytes());
            trail::write(&line, &proven.line);
            args.extend(["-proof".into(), proof, line]);
        }
        let args: Vec<&Path> = args.iter().map(PathBuf::as_path).collect();
        let said = run(&trail, &trail.data(), &args);
        assert_eq!(said, Said { code: Some(0), text: "ACCEPTED 700 of 700 entries, 0 anchors, 10 proofs\n".into() });
        let (proof, line) = (args[4], args[5]);
        assert_eq!(run(&trail, &trail.data(), &[Path::new("-proof"), proof, args[2]]).code, Some(1));
        let bytes = fs::read(proof).expect("a proof");
        // It does not know who signed last, the open epoch.
        let end = memchr::memmem::rfind(&bytes, "\n— ".as_bytes()).expect("two signatures");
        for at in (0..end).step_by(41) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            trail::write(proof, &bytes);
            assert_eq!(run(&trail, &trail.data(), &[Path::new("-proof"), proof, line]).code, Some(1), "{at}");
        }
    }

    #[test]
    #[ignore = "needs go"]
    fn it_refuses_all_harm() {
        do_all(&[&verify], |harm, name, alone, anchored| {
            let refuses = |said: &[Said]| said[0].code == Some(1);
            assert_eq!(refuses(alone), harm.shows_in_go && harm.needs != Needs::Anchor, "{name}: {alone:#?}");
            assert_eq!(refuses(anchored), harm.shows_in_go, "{name}: {anchored:#?}");
        });
    }
}
