//! Against a real S3 implementation: moto's server, started here on a free port (`tests/run` installs it).

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use aws_sdk_s3::types::ObjectLockMode;

use super::tests::store;
use super::*;
use crate::anchor::bench::{forked, signed};

/// A server of its own, with one bucket that knows Object Lock.
struct Moto {
    server: Child,
    endpoint: String,
    runtime: tokio::runtime::Runtime,
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.server.kill().expect("it runs");
        self.server.wait().expect("it was killed");
    }
}

impl Moto {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/target/test-env/bin/moto_server");
        let server = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto_server is installed by tests/run");
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "moto_server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let moto = Self { server, endpoint: format!("http://127.0.0.1:{port}"), runtime: runtime.expect("a runtime") };
        let client = moto.client();
        let create = client.create_bucket().bucket("anchors").object_lock_enabled_for_bucket(true);
        moto.runtime.block_on(create.send()).expect("a bucket");
        moto
    }

    fn client(&self) -> Client {
        store(&self.endpoint, None).client.expect("it was given")
    }

    fn send(&self, store: &mut Store, signed: &Signed) -> Result<(), AnchorError> {
        self.runtime.block_on(store.send(signed))
    }
}

#[test]
#[ignore = "needs moto"]
fn objects_are_kept_and_never_overwritten() {
    let moto = Moto::start();
    let mut open = store(&moto.endpoint, None);
    for size in [3, 4, 4] {
        assert_eq!(moto.send(&mut open, &signed(size)), Ok(()), "sent twice is harmless");
    }
    assert!(matches!(moto.send(&mut open, &forked(4, "other")), Err(AnchorError::Other(_))));
    let mut locked = store(&moto.endpoint, Some(Lock { mode: LockMode::Governance, days: 400 }));
    let mut now = signed(5);
    now.at = crate::clock::Clock::System.now();
    assert_eq!(moto.send(&mut locked, &now), Ok(()));

    let client = moto.client();
    let listed = moto.runtime.block_on(client.list_objects_v2().bucket("anchors").send()).expect("a list");
    let keys: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, [3, 4, 5].map(|size| format!("whodid/abcdefgh/{size:020}")));
    let get = |key: &str| {
        let object = moto.runtime.block_on(client.get_object().bucket("anchors").key(key).send());
        object.expect("an object")
    };
    let four = get(keys[1]);
    assert_eq!(four.object_lock_mode(), None);
    let body = moto.runtime.block_on(four.body.collect()).expect("a body").to_vec();
    assert_eq!(body, signed(4).note.as_bytes());
    let five = get(keys[2]);
    assert_eq!(five.object_lock_mode(), Some(&ObjectLockMode::Governance));
    let days = five.object_lock_retain_until_date().expect("an instant").secs() - now.at.instant().timestamp();
    assert_eq!(days / 86_400, 400);
    // A version that is locked cannot be deleted.
    let version = five.version_id().expect("a version");
    let delete = client.delete_object().bucket("anchors").key(keys[2]).version_id(version);
    assert!(moto.runtime.block_on(delete.send()).is_err());
}

#[test]
#[ignore = "needs moto"]
fn a_probe_tells_a_bucket_from_none() {
    let moto = Moto::start();
    let mut there = store(&moto.endpoint, None);
    assert!(matches!(moto.runtime.block_on(there.probe()), Ok(Probe::Partly(_))));
    let mut none = store(&moto.endpoint, None);
    none.bucket.bucket = "no-such-bucket".to_owned();
    assert_eq!(moto.runtime.block_on(none.probe()), Err(AnchorError::NoBucket));
    assert_eq!(moto.send(&mut none, &signed(1)), Err(AnchorError::NoBucket));
}
