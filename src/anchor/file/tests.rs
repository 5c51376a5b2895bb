//! Files that are whole, torn, gone, cut, append-only, and no files.

use std::fs;
use std::process::Command;

use super::*;
use crate::anchor::bench::{block_on, signed};
use crate::trail::notes;

fn sizes(path: &Path) -> Vec<u64> {
    let bytes = fs::read(path).expect("readable");
    let text = |note: crate::trail::note::Note| note.text().lines().nth(1).and_then(|size| size.parse().ok());
    notes::read(&bytes).filter_map(|(_, note)| text(note.ok()?.1)).collect()
}

fn send(file: &mut AnchorFile, size: u64) -> Result<(), AnchorError> {
    block_on(file.send(&signed(size)))
}

fn kept() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kept");
    (folder, path)
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
}

#[test]
fn checkpoints_follow_each_other_and_none_is_there_twice() {
    let (_folder, path) = kept();
    let mut file = AnchorFile::new(&path, None);
    for size in [1, 2, 2, 5] {
        send(&mut file, size).expect("room");
    }
    // As after a restart that does not know what was sent.
    send(&mut AnchorFile::new(&path, None), 5).expect("room");
    assert_eq!(sizes(&path), [1, 2, 5]);
}

#[test]
fn what_was_torn_stays_and_what_follows_is_whole() {
    let (_folder, path) = kept();
    let mut file = AnchorFile::new(&path, None);
    send(&mut file, 1).expect("room");
    append(&path, "example.org/web-1/abc\n12");
    send(&mut file, 2).expect("room");
    let text = fs::read_to_string(&path).expect("a text");
    assert!(text.contains("\n12!\n\nexample.org/") && text.ends_with(&*signed(2).note), "{text}");
}

#[test]
fn a_file_that_was_there_is_not_made_again_by_itself() {
    let (_folder, path) = kept();
    let mut file = AnchorFile::new(&path, None);
    send(&mut file, 1).expect("room");
    fs::remove_file(&path).expect("removed");
    assert_eq!(send(&mut file, 2), Err(AnchorError::Gone));
    assert_eq!(send(&mut AnchorFile::new(&path, Some(1)), 2), Err(AnchorError::Gone));
    assert!(!path.exists());
    fs::File::create_new(&path).expect("as the message says");
    assert!(matches!(send(&mut file, 2), Err(AnchorError::Cut { now: 0, .. })), "the loss is said once");
    send(&mut file, 3).expect("room");
    assert_eq!(sizes(&path), [3]);
}

#[test]
fn one_that_was_cut_is_named_once() {
    let (_folder, path) = kept();
    let mut file = AnchorFile::new(&path, None);
    send(&mut file, 1).expect("room");
    send(&mut file, 2).expect("room");
    let before = fs::metadata(&path).expect("there").len();
    OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(before / 2)).expect("cut");
    assert_eq!(send(&mut file, 3), Err(AnchorError::Cut { before, now: before / 2 }));
    send(&mut file, 4).expect("room");
    assert_eq!(sizes(&path), [1, 4]);
}

#[test]
fn what_is_no_file_is_refused_and_does_not_hang() {
    let (folder, path) = kept();
    let pipe = rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0);
    pipe.expect("a pipe");
    assert_eq!(send(&mut AnchorFile::new(&path, None), 1), Err(AnchorError::NotAFile));
    assert!(matches!(send(&mut AnchorFile::new(folder.path(), None), 1), Err(AnchorError::Io(_))));
    assert_eq!(send(&mut AnchorFile::new("/dev/null".as_ref(), None), 1), Err(AnchorError::NotAFile));
    let nowhere = folder.path().join("no/such/folder");
    assert!(matches!(send(&mut AnchorFile::new(&nowhere, None), 1), Err(AnchorError::Io(_))));
}

/// Nothing can be made to hang in `open` from here, so the thread is given something that does.
#[test]
fn a_thread_that_hangs_holds_up_nobody_and_there_is_one() {
    let (_folder, path) = kept();
    let mut file = AnchorFile::new(&path, None);
    let (free, held) = std::sync::mpsc::channel::<()>();
    block_on(async {
        let hang = file.work(move |_| {
            held.recv().unwrap_or_default();
            Ok(())
        });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), hang).await.is_err());
        for _ in 0..3 {
            assert_eq!(file.send(&signed(1)).await, Err(AnchorError::Hangs));
        }
        drop(free);
        let back = async {
            while file.send(&signed(2)).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), back).await.expect("it works again");
    });
    assert_eq!(sizes(&path), [2]);
}

#[test]
fn a_probe_leaves_nothing() {
    let (folder, path) = kept();
    let probe = |path: &Path| block_on(AnchorFile::new(path, None).probe());
    assert!(matches!(probe(&path), Ok(Probe::Partly(_))));
    assert!(!path.exists());
    send(&mut AnchorFile::new(&path, None), 1).expect("room");
    assert_eq!(probe(&path), Ok(Probe::Good));
    assert!(matches!(probe(&folder.path().join("no/such")), Err(AnchorError::Io(_))));
}

mod as_root {
    use super::*;

    /// With the flag the file can only grow, until root takes it away.
    #[test]
    #[ignore = "needs root, and a file system that has the flag a"]
    fn an_append_only_file_takes_checkpoints() {
        let folder = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/target")).expect("a folder");
        let path = folder.path().join("kept");
        let mut file = AnchorFile::new(&path, None);
        send(&mut file, 1).expect("room");
        let chattr = |flag: &str| Command::new("chattr").arg(flag).arg(&path).status().expect("chattr").success();
        assert!(chattr("+a"), "the file system has no such flag");
        let sent = (send(&mut file, 2), send(&mut AnchorFile::new(&path, None), 3));
        let refused = OpenOptions::new().write(true).open(&path).is_err() && fs::remove_file(&path).is_err();
        assert!(chattr("-a"));
        assert_eq!((sent, refused, sizes(&path)), ((Ok(()), Ok(())), true, vec![1, 2, 3]));
    }
}
