//! What login records call the remote host: an address, a machine's name, a display, or a terminal's window.

use std::net::{IpAddr, Ipv4Addr};

use crate::event::Who;

/// Enters where somebody came from, as far as the field says it.
pub(super) fn enter(who: &mut Who, host: &str) {
    who.ip = address(host);
    if who.ip.is_none() {
        who.host = machine(host).map(str::to_owned);
    }
}

/// The address that the field spells: alone, with a zone or with a display.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    let text = without_mosh(host).split('%').next()?;
    let spelled = text.parse().ok().or_else(|| text.rsplit_once(':')?.0.parse::<Ipv4Addr>().ok().map(IpAddr::from));
    spelled.map(|ip: IpAddr| ip.to_canonical())
}

/// The machine's name in the field. Displays (`:0`), screen's and tmux's windows are none.
pub(super) fn machine(host: &str) -> Option<&str> {
    let host = without_mosh(host);
    let name = match host.rsplit_once(':') {
        Some((name, display)) if display.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => name,
        _ => host,
    };
    let is_name = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    is_name.then_some(name)
}

/// mosh-server(1) writes `HOST via mosh [PID]`.
fn without_mosh(host: &str) -> &str {
    host.split_once(" via mosh [").map_or(host, |(host, _)| host)
}
