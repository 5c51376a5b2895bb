//! How addresses become terms, and ranges of terms, for documents and for queries alike.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Bound;

/// A range of terms in the order of bytes.
pub(super) type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The term of an address: the same for an IPv4 address and for its IPv6 form.
pub(super) fn address(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The addresses of one version between two bounds, as ranges of terms.
///
/// IPv4 lies in the middle of IPv6, so a range of IPv6 has a hole there.
pub(super) fn addresses(version: Version, lower: Bound<IpAddr>, upper: Bound<IpAddr>) -> Vec<Range> {
    let lower = lower.map(|bound| address(bound).to_vec());
    let upper = upper.map(|bound| address(bound).to_vec());
    let first_v4 = address(Ipv4Addr::UNSPECIFIED.into()).to_vec();
    let last_v4 = address(Ipv4Addr::BROADCAST.into()).to_vec();
    match version {
        Version::V4 => {
            let lower = if lower == Bound::Unbounded { Bound::Included(first_v4) } else { lower };
            let upper = if upper == Bound::Unbounded { Bound::Included(last_v4) } else { upper };
            vec![(lower, upper)]
        }
        Version::V6 => {
            let below = (lower.clone(), smaller(upper.clone(), Bound::Excluded(first_v4)));
            let above = (larger(lower, Bound::Excluded(last_v4)), upper);
            vec![below, above]
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

impl Version {
    pub(super) fn of(address: &IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

fn smaller(upper: Bound<Vec<u8>>, other: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match (inner(&upper), inner(&other)) {
        (Some(a), Some(b)) if a < b => upper,
        _ => other,
    }
}

fn larger(lower: Bound<Vec<u8>>, other: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match (inner(&lower), inner(&other)) {
        (Some(a), Some(b)) if a > b => lower,
        _ => other,
    }
}

fn inner(bound: &Bound<Vec<u8>>) -> Option<&Vec<u8>> {
    match bound {
        Bound::Included(value) | Bound::Excluded(value) => Some(value),
        Bound::Unbounded => None,
    }
}

/// The terms that begin with `prefix`.
pub(super) fn starting_with(prefix: &[u8]) -> Range {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return (Bound::Included(prefix.to_vec()), Bound::Excluded(end));
        }
    }
    (Bound::Included(prefix.to_vec()), Bound::Unbounded)
}

#[cfg(test)]
mod tests {
    use std::ops::RangeBounds as _;

    use super::*;

    #[test]
    fn ranges_of_one_version_hold_none_of_the_other() {
        let holds = |ranges: &[Range], text: &str| {
            let term = address(text.parse().expect("an address")).to_vec();
            ranges.iter().any(|range| range.contains(&term))
        };
        let v6 = addresses(Version::V6, Bound::Unbounded, Bound::Unbounded);
        assert!(holds(&v6, "::1") && holds(&v6, "ffff::") && holds(&v6, "::fffe:ffff:ffff"));
        assert!(!holds(&v6, "0.0.0.0") && !holds(&v6, "255.255.255.255"));
        let v4 = addresses(Version::V4, Bound::Unbounded, Bound::Included("10.0.0.1".parse().expect("an address")));
        assert!(holds(&v4, "0.0.0.0") && holds(&v4, "10.0.0.1") && !holds(&v4, "10.0.0.2") && !holds(&v4, "::1"));
    }

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        assert!(starting_with(b"a\xff").contains(&b"a\xff\xff".to_vec()));
        assert!(!starting_with(b"a\xff").contains(&b"b".to_vec()));
        assert!(starting_with(b"\xff").contains(&b"\xff\xff".to_vec()));
        assert!(starting_with(b"").contains(&b"anything".to_vec()));
    }
}
