//! Against a real S3 implementation.

use aws_sdk_s3::types::ObjectLockMode;

use super::tests::store;
use super::*;
use crate::anchor::bench::{forked, signed};
use crate::aws::moto::Moto;

/// A server of its own, with one bucket that knows Object Lock.
struct Vault(Moto);

impl Vault {
    fn start() -> Self {
        let vault = Self(Moto::start());
        let client = vault.client();
        let create = client.create_bucket().bucket("anchors").object_lock_enabled_for_bucket(true);
        vault.0.runtime.block_on(create.send()).expect("a bucket");
        vault
    }

    fn client(&self) -> Client {
        store(&self.0.endpoint, None).client.expect("it was given")
    }

    fn send(&self, store: &mut Store, signed: &Signed) -> Result<(), AnchorError> {
        self.0.runtime.block_on(store.send(signed))
    }
}

#[test]
#[ignore = "needs moto"]
fn objects_are_kept_and_never_overwritten() {
    let vault = Vault::start();
    let mut open = store(&vault.0.endpoint, None);
    for size in [3, 4, 4] {
        assert_eq!(vault.send(&mut open, &signed(size)), Ok(()), "sent twice is harmless");
    }
    assert!(matches!(vault.send(&mut open, &forked(4, "other")), Err(AnchorError::Other(_))));
    let mut locked = store(&vault.0.endpoint, Some(Lock { mode: LockMode::Governance, days: 400 }));
    let mut now = signed(5);
    now.at = crate::clock::Clock::System.now();
    assert_eq!(vault.send(&mut locked, &now), Ok(()));

    let client = vault.client();
    let listed = vault.0.runtime.block_on(client.list_objects_v2().bucket("anchors").send()).expect("a list");
    let keys: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, [3, 4, 5].map(|size| format!("whodid/abcdefgh/{size:020}")));
    let get = |key: &str| {
        let object = vault.0.runtime.block_on(client.get_object().bucket("anchors").key(key).send());
        object.expect("an object")
    };
    let four = get(keys[1]);
    assert_eq!(four.object_lock_mode(), None);
    let body = vault.0.runtime.block_on(four.body.collect()).expect("a body").to_vec();
    assert_eq!(body, signed(4).note.as_bytes());
    let five = get(keys[2]);
    assert_eq!(five.object_lock_mode(), Some(&ObjectLockMode::Governance));
    let days = five.object_lock_retain_until_date().expect("an instant").secs() - now.at.instant().timestamp();
    assert_eq!(days / 86_400, 400);
    // A version that is locked cannot be deleted.
    let version = five.version_id().expect("a version");
    let delete = client.delete_object().bucket("anchors").key(keys[2]).version_id(version);
    assert!(vault.0.runtime.block_on(delete.send()).is_err());
}

#[test]
#[ignore = "needs moto"]
fn a_probe_tells_a_bucket_from_none() {
    let vault = Vault::start();
    let mut there = store(&vault.0.endpoint, None);
    assert!(matches!(vault.0.runtime.block_on(there.probe()), Ok(Probe::Partly(_))));
    let mut none = store(&vault.0.endpoint, None);
    none.bucket.bucket = "no-such-bucket".to_owned();
    assert_eq!(vault.0.runtime.block_on(none.probe()), Err(AnchorError::NoBucket));
    assert_eq!(vault.send(&mut none, &signed(1)), Err(AnchorError::NoBucket));
}
