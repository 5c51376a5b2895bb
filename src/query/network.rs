//! Addresses and networks in a query.
//!
//! An IPv4 address is the same address when it is written inside IPv6 (`::ffff:10.0.0.1`); beyond
//! that, tests of one version never match addresses of the other.

use std::net::IpAddr;
use std::ops::{Bound, RangeBounds as _};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::ast::Test;

/// An address, or a network with the bits of the host cut off.
pub(super) fn parse(text: &str) -> Option<Test> {
    if text.contains('/') {
        return text.parse::<IpNet>().ok().map(|network| Test::Cidr(canonical(network)));
    }
    text.parse::<IpAddr>().ok().map(|address| Test::Ip(address.to_canonical()))
}

const MAPPED_PREFIX: u8 = 96;

fn canonical(network: IpNet) -> IpNet {
    let network = network.trunc();
    if let IpNet::V6(v6) = network
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(MAPPED_PREFIX)
        && let Ok(v4) = Ipv4Net::new(v4, prefix)
    {
        return IpNet::V4(v4);
    }
    network
}

/// The network that `10.0.*` or `2001:db8:*` means.
pub(super) fn of_wildcard(text: &str) -> Option<IpNet> {
    let head = text.trim_end_matches(['*', '.', ':']);
    let tail = text.get(head.len()..)?;
    if !tail.contains('*') || !tail.starts_with(['.', ':']) {
        return None;
    }
    if tail.starts_with('.') {
        let octets: Vec<u8> = head.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        let mut address = [0; 4];
        address.get_mut(..octets.len())?.copy_from_slice(&octets);
        return Ipv4Net::new(address.into(), 8 * u8::try_from(octets.len()).ok()?).ok().map(IpNet::V4);
    }
    let groups: Vec<u16> = head.split(':').map(|g| u16::from_str_radix(g, 16)).collect::<Result<_, _>>().ok()?;
    let mut address = [0; 8];
    address.get_mut(..groups.len())?.copy_from_slice(&groups);
    Ipv6Net::new(address.into(), 16 * u8::try_from(groups.len()).ok()?).ok().map(IpNet::V6)
}

/// Whether an event's address is in a range; a range holds addresses of its own version only.
pub(super) fn in_range(address: IpAddr, lower: &Bound<IpAddr>, upper: &Bound<IpAddr>) -> bool {
    let same_version = [lower, upper].into_iter().all(|bound| match bound {
        Bound::Included(b) | Bound::Excluded(b) => b.is_ipv4() == address.is_ipv4(),
        Bound::Unbounded => true,
    });
    same_version && (*lower, *upper).contains(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_ipv4() {
        assert_eq!(parse("::ffff:10.0.0.1"), parse("10.0.0.1"));
        assert_eq!(parse("::ffff:10.0.0.0/104"), parse("10.0.0.0/8"));
        assert_eq!(parse("10.9.8.7/8"), parse("10.0.0.0/8"));
        assert!(matches!(parse("::/0"), Some(Test::Cidr(IpNet::V6(_)))));
        for bad in ["10.0.0", "10.0.0.0/33", "10.0.0.1 ", "::1%eth0", "", "1.2.3.4/", "/8", "010.0.0.1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn wildcards_name_their_network() {
        for (text, network) in [
            ("10.*", Some("10.0.0.0/8")),
            ("10.0.*", Some("10.0.0.0/16")),
            ("10.0.*.*", Some("10.0.0.0/16")),
            ("192.168.1.*", Some("192.168.1.0/24")),
            ("2001:db8:*", Some("2001:db8::/32")),
            ("10.0.1*", None),
            ("*.1", None),
            ("1.2.3.4.5.*", None),
            ("300.*", None),
        ] {
            assert_eq!(of_wildcard(text).map(|n| n.to_string()).as_deref(), network, "{text}");
        }
    }
}
