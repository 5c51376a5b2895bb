//! The format alone: what is packed is read, by us, by zstd and by another implementation.

use zeekstd::{BytesWrapper, Decoder};

use super::*;

/// Lines of very different lengths, a good deal more than one frame of them.
fn lines() -> Vec<Vec<u8>> {
    (0..3_000_u32)
        .map(|n| n.to_string().repeat((n as usize * 7) % 300).into_bytes())
        .chain([vec![b'x'; 65_535]])
        .collect()
}

fn packed(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut packer = Packer::new(Vec::new()).expect("memory");
    lines.iter().for_each(|line| packer.push(line).expect("memory"));
    packer.finish().expect("memory")
}

fn plain(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect()
}

fn stored(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sealed");
    crate::durable::swap(&path, bytes, 0o640).expect("written");
    (folder, path)
}

fn read(sealed: &Sealed, mut offset: u64, piece: usize) -> Result<Vec<u8>, TrailError> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        match sealed.read_at(&mut buffer, offset)? {
            0 => return Ok(all),
            length => {
                all.extend_from_slice(&buffer[..length]);
                offset += length as u64;
            }
        }
    }
}

#[test]
fn what_is_packed_is_read_from_every_place() {
    let lines = lines();
    let expected = plain(&lines);
    let (_folder, path) = stored(&packed(&lines));
    let sealed = Sealed::open(&path).expect("readable").expect("there");
    assert!(sealed.is_as_written().expect("readable"));
    assert_eq!(sealed.bytes(), expected.len() as u64);
    assert!(sealed.frames.len() > 1);
    for frame in &sealed.frames {
        let from = frame.start.byte as usize;
        assert!(from == 0 || expected[from - 1] == b'\n');
        assert_eq!(memchr::memchr_iter(b'\n', &expected[..from]).count() as u64, frame.start.line);
    }
    for (from, piece) in [(0, 1 << 20), (1, 1_000), (expected.len() / 2, 70_000), (expected.len() - 1, 10)] {
        assert_eq!(read(&sealed, from as u64, piece).expect("readable"), expected[from..]);
    }
    assert_eq!(read(&sealed, expected.len() as u64 + 5, 10).expect("readable"), [0_u8; 0]);
}

#[test]
fn nothing_is_packed_as_nothing() {
    let (_folder, path) = stored(&packed(&[]));
    let sealed = Sealed::open(&path).expect("readable").expect("there");
    assert_eq!((sealed.bytes(), sealed.starts()), (0, vec![Start::default()]));
    assert!(Sealed::open(&path.with_extension("none")).expect("readable").is_none());
}

#[test]
fn any_zstd_reads_it() {
    let lines = lines();
    assert_eq!(zstd::decode_all(packed(&lines).as_slice()).expect("frames"), plain(&lines));
}

#[test]
fn another_reader_of_the_seekable_format_finds_its_way() {
    let (lines, mut out) = (lines(), Vec::new());
    let (packed, plain) = (packed(&lines), plain(&lines));
    let mut decoder = Decoder::new(BytesWrapper::new(&packed)).expect("a seek table");
    assert_eq!(decoder.seek_table().size_decomp(), plain.len() as u64);
    assert!(decoder.seek_table().max_frame_size_decomp() <= FRAME_BYTES_MAX as u64);
    let from = plain.len() as u64 - 100_000;
    decoder.set_offset(from).expect("a place");
    let mut buffer = vec![0; 50_000];
    loop {
        match decoder.decompress(&mut buffer).expect("frames") {
            0 => break,
            length => out.extend_from_slice(&buffer[..length]),
        }
    }
    assert_eq!(out, plain[from as usize..]);
}

/// Also in the bits that no decompressor looks at.
#[test]
fn every_flipped_bit_shows() {
    let lines: Vec<Vec<u8>> = lines().into_iter().take(20).collect();
    let bytes = packed(&lines);
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        let (_folder, path) = stored(&bytes);
        let is_unharmed =
            Sealed::open(&path).is_ok_and(|sealed| sealed.expect("there").is_as_written().expect("readable"));
        assert!(!is_unharmed, "{at}");
    }
}

#[test]
fn what_is_cut_or_made_up_is_refused() {
    let bytes = packed(&lines());
    for length in (0..bytes.len()).step_by(97).chain(bytes.len() - 60..bytes.len()) {
        let (_folder, path) = stored(&bytes[..length]);
        assert!(matches!(Sealed::open(&path), Err(TrailError::Damaged { .. })), "{length}");
    }
    let table_at = bytes.len() - 9 - 8;
    for (at, number) in
        [(bytes.len() - 9, u32::MAX), (bytes.len() - 9, 0), (table_at, 1 << 31), (table_at - 8, 1 << 31)]
    {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        let (_folder, path) = stored(&bytes);
        assert!(matches!(Sealed::open(&path), Err(TrailError::Damaged { .. })), "{at}");
    }
}
