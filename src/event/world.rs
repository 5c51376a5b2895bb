//! Whether networks are the whole world.
//!
//! One network is by its prefix alone, whatever bits its host part has: AWS takes `192.0.2.1/0` for everything.
//! Several are if together they hold more than half of the internet: `0.0.0.0/1` and `128.0.0.0/1` are the oldest
//! way past whoever looks for `0.0.0.0/0`, and a list with a hole in it is the next one, however big the hole.
//! Addresses that nobody on the internet has do not count, so `2000::/3` is all of IPv6.
//!
//! Invariant: more networks never make less of a world.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};

use super::Exposure;

/// From which prefix on a network counts as the whole world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct World {
    pub v4: u8,
    pub v6: u8,
}

/// One network that no prefix makes the world still is if it leaves out less than this part of the internet.
const LEFT_OUT: u128 = 256;

/// A change has at most some hundred networks; sorting these is cheap, and more are a forgery.
const NETWORKS_MAX: usize = 10_000;

/// Everybody, as a principal.
pub const EVERYBODY: &str = "*";

/// Ports that one change opened each in its own way; of more, each is looked at alone.
const PORTS_MAX: usize = 64;

/// Whether all that is open together lets everybody in, at any one port.
pub fn is_world<'a>(open: impl IntoIterator<Item = &'a Exposure>, world: World) -> bool {
    is_world_of(open.into_iter().map(|open| (open, open.cidr.as_deref().and_then(Network::parse))), world)
}

/// The same of what has its networks read already.
pub fn is_world_of<'a>(open: impl IntoIterator<Item = (&'a Exposure, Option<Network>)>, world: World) -> bool {
    let mut by_ports: BTreeMap<Ports<'_>, Vec<Network>> = BTreeMap::new();
    for (exposure, network) in open {
        match network {
            None if exposure.cidr.is_none() && exposure.principal.as_deref() == Some(EVERYBODY) => return true,
            Some(network) if world.is(&network) => return true,
            Some(network) => by_ports.entry(Ports::of(exposure)).or_default().push(network),
            None => {}
        }
    }
    if by_ports.len() > PORTS_MAX {
        return by_ports.values().any(|networks| world.is_covered_by(networks));
    }
    by_ports.keys().any(|ports| {
        let over = by_ports.iter().filter(|(others, _)| others.contain_first_of(ports));
        world.is_covered_by(&over.flat_map(|(_, networks)| networks).copied().collect::<Vec<_>>())
    })
}

/// A protocol and its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ports<'a> {
    protocol: &'a str,
    from: i64,
    to: i64,
}

impl<'a> Ports<'a> {
    fn of(exposure: &'a Exposure) -> Self {
        let protocol = exposure.protocol.as_deref().unwrap_or(ALL);
        let (from, to) = match (exposure.from, exposure.to) {
            (Some(from), to) => (from, to.unwrap_or(from)),
            (None, Some(to)) => (to, to),
            (None, None) => (i64::MIN, i64::MAX),
        };
        Self { protocol, from, to }
    }

    fn contain_first_of(&self, other: &Self) -> bool {
        (self.protocol == ALL || self.protocol == other.protocol) && self.from <= other.from && other.from <= self.to
    }
}

/// Every protocol.
pub const ALL: &str = "all";

/// A network as CIDR, the host bits cut off; none for what is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Network {
    V4(Ipv4Net),
    V6(Ipv6Net),
}

impl Network {
    pub fn parse(cidr: &str) -> Option<Self> {
        let cidr = cidr.trim();
        let (address, prefix) = match cidr.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
            // An address alone is one host.
            None => (cidr, None),
        };
        match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(address) => Ipv4Net::new(address, prefix.unwrap_or(32)).ok().map(|net| Self::V4(net.trunc())),
            IpAddr::V6(address) => Ipv6Net::new(address, prefix.unwrap_or(128)).ok().map(|net| Self::V6(net.trunc())),
        }
    }

    /// Whether all addresses of the other one are in this one.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::V4(net), Self::V4(other)) => net.contains(other),
            (Self::V6(net), Self::V6(other)) => net.contains(other),
            _ => false,
        }
    }

    fn range(&self) -> (u128, u128) {
        match self {
            Self::V4(net) => (u128::from(u32::from(net.network())), u128::from(u32::from(net.broadcast()))),
            Self::V6(net) => (u128::from(net.network()), u128::from(net.broadcast())),
        }
    }
}

impl World {
    /// Whether one network is the whole world alone.
    pub fn is(&self, network: &Network) -> bool {
        match network {
            Network::V4(net) => net.prefix_len() <= self.v4,
            Network::V6(net) => net.prefix_len() <= self.v6,
        }
    }

    /// Whether networks are, alone or together.
    pub fn is_covered_by(&self, networks: &[Network]) -> bool {
        if networks.iter().any(|network| self.is(network)) {
            return true;
        }
        let networks = networks.get(..NETWORKS_MAX).unwrap_or(networks);
        let (v4, v6): (Vec<_>, Vec<_>) = networks.iter().partition(|network| matches!(network, Network::V4(_)));
        covers(&v4, PUBLIC_V4) || covers(&v6, PUBLIC_V6)
    }
}

/// IPv4 without what nobody on the internet has: this network, private ones, those of carriers, loopback, link-local,
/// multicast and what is reserved (RFC 6890), as ranges.
const PUBLIC_V4: &[(u128, u128)] = &[
    (0x0100_0000, 0x09ff_ffff),
    (0x0b00_0000, 0x643f_ffff),
    (0x6480_0000, 0x7eff_ffff),
    (0x8000_0000, 0xa9fd_ffff),
    (0xa9ff_0000, 0xac0f_ffff),
    (0xac20_0000, 0xc0a7_ffff),
    (0xc0a9_0000, 0xdfff_ffff),
];

/// Global unicast is 2000::/3 (RFC 4291, IANA's list).
const PUBLIC_V6: &[(u128, u128)] = &[(0x2000 << 112, (0x4000 << 112) - 1)];

fn covers(networks: &[&Network], public: &[(u128, u128)]) -> bool {
    if networks.is_empty() {
        return false;
    }
    let is_public = |(from, to): &(u128, u128)| public.iter().any(|(first, last)| from <= last && first <= to);
    let mut ranges: Vec<_> = networks.iter().map(|network| network.range()).filter(is_public).collect();
    ranges.sort_unstable();
    ranges.dedup();
    let all: u128 = public.iter().map(|(first, last)| last - first + 1).sum();
    let covered: u128 = public.iter().map(|part| within(&ranges, *part)).sum();
    match ranges.len() {
        // What one network alone is, its prefix tells, and 0.0.0.0/1 is more than half of what is public.
        0 | 1 => (all - covered) < all / LEFT_OUT,
        _ => covered > all / 2,
    }
}

/// How much of a part the sorted ranges cover.
fn within(ranges: &[(u128, u128)], (first, last): (u128, u128)) -> u128 {
    let (mut covered, mut next) = (0, first);
    for (from, to) in ranges {
        let (from, to) = ((*from).max(next), (*to).min(last));
        if from <= to {
            covered += to - from + 1;
            next = to + 1;
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_world(cidrs: &[&str], world: World) -> bool {
        let networks: Vec<_> = cidrs.iter().filter_map(|cidr| Network::parse(cidr)).collect();
        world.is_covered_by(&networks)
    }

    #[test]
    fn everything_is_the_world_however_it_is_written() {
        for world in [
            &["0.0.0.0/0"][..],
            &["::/0"],
            &["192.0.2.1/0"],
            &["fe80::1/0"],
            &["2000::/3"],
            &["10.0.0.0/8", "::/0"],
            &["0.0.0.0/1", "128.0.0.0/1"],
            &["128.0.0.0/1", "192.0.2.0/24", "0.0.0.0/2", "64.0.0.0/2"],
            &["::/1", "8000::/1"],
            &["2000::/4", "3000::/4"],
            // Only addresses that nobody has are left out.
            &["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"],
            // More than half.
            &["0.0.0.0/2", "128.0.0.0/1"],
            &["0.0.0.0/1", "192.0.2.0/24"],
            &["2000::/4", "3000::/16"],
        ] {
            assert!(is_world(world, World::default()), "{world:?}");
        }
    }

    #[test]
    fn a_small_hole_hides_nothing() {
        // All but 0.0.0.0/16, 0.1.0.0/16 and so on, halving: all but one address.
        let all_but_one: Vec<String> = (1..=32).map(|prefix| format!("{}/{prefix}", flipped(prefix))).collect();
        let all_but_one: Vec<&str> = all_but_one.iter().map(String::as_str).collect();
        assert!(is_world(&all_but_one, World::default()));
    }

    #[test]
    fn nor_does_a_hole_of_a_whole_eight() {
        let all_but_8: Vec<String> = (1..=8).map(|prefix| format!("{}/{prefix}", flipped(prefix))).collect();
        let all_but_8: Vec<&str> = all_but_8.iter().map(String::as_str).collect();
        assert!(is_world(&all_but_8, World::default()));
        // Nor is it less of one with more in it.
        for size in 2..=8 {
            assert!(is_world(all_but_8.get(..size).expect("some"), World::default()), "{size}");
        }
    }

    /// The half that 8.8.8.8 is not in.
    fn flipped(prefix: u8) -> std::net::Ipv4Addr {
        let address = u32::from(std::net::Ipv4Addr::new(8, 8, 8, 8)) ^ (1 << (32 - prefix));
        Ipv4Net::new(address.into(), prefix).expect("a network").network()
    }

    #[test]
    fn less_is_not_the_world() {
        for part in [
            &["0.0.0.0/1"][..],
            &["128.0.0.0/1"],
            &["0.0.0.0/1", "0.0.0.0/1"],
            &["0.0.0.0/1", "8000::/1"],
            // Nearly half, of public addresses; private ones do not help.
            &["128.0.0.0/1", "10.0.0.0/8", "8.0.0.0/8"],
            &["0.0.0.0/1", "10.0.0.0/8", "192.168.0.0/16", "224.0.0.0/4"],
            &["2000::/5", "2800::/5"],
            &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
            &["192.0.2.0/24"],
            &["4000::/2"],
            &["2000::/4"],
            &["0.0.0.0"],
            &["::"],
            &["0.0.0.0/33", "pl-1", "", "/0", "0.0.0.0/-1", "0.0.0.0/0/0"],
            &[],
        ] {
            assert!(!is_world(part, World::default()), "{part:?}");
        }
    }

    #[test]
    fn networks_are_together_where_a_port_is_open_to_all_of_them() {
        let open = |cidr: &str, protocol: &str, from, to| {
            let protocol = (!protocol.is_empty()).then(|| protocol.to_owned());
            Exposure { cidr: Some(cidr.to_owned()), protocol, from, to, ..Exposure::default() }
        };
        let (low, high) = ("0.0.0.0/1", "128.0.0.0/1");
        let check = |open: &[Exposure]| super::is_world(open, World::default());
        assert!(check(&[open(low, "tcp", Some(22), Some(22)), open(high, "tcp", Some(0), Some(65_535))]));
        assert!(check(&[open(low, "tcp", Some(20), Some(30)), open(high, "tcp", Some(25), Some(40))]));
        assert!(check(&[open(low, "all", None, None), open(high, "udp", Some(53), Some(53))]));
        assert!(check(&[open(low, "", None, None), open(high, "", None, None)]));
        assert!(!check(&[open(low, "tcp", Some(22), Some(22)), open(high, "tcp", Some(80), Some(80))]));
        assert!(!check(&[open(low, "tcp", Some(53), Some(53)), open(high, "udp", Some(53), Some(53))]));
        let principal = |principal: &str| Exposure { principal: Some(principal.to_owned()), ..Exposure::default() };
        assert!(check(&[principal("111122223333"), principal(EVERYBODY)]));
        assert!(!check(&[principal("111122223333")]) && !check(&[]));
        // Everybody who comes from there.
        assert!(!check(&[Exposure { cidr: Some("198.51.100.0/24".to_owned()), ..principal(EVERYBODY) }]));
        assert!(check(&[Exposure { cidr: Some("::/0".to_owned()), ..principal(EVERYBODY) }]));
        // More ports than are looked at together.
        let many = |cidr: &'static str| (0..100).map(move |port| open(cidr, "tcp", Some(port), Some(port)));
        assert!(check(&many(low).chain(many(high)).collect::<Vec<_>>()));
    }

    #[test]
    fn the_configured_prefix_is_the_widest_that_is_no_world() {
        let world = World { v4: 8, v6: 32 };
        assert!(is_world(&["10.0.0.0/8"], world) && !is_world(&["10.0.0.0/9"], world));
        assert!(is_world(&["2001:db8::/32"], world) && !is_world(&["2001:db8::/33"], world));
    }
}
