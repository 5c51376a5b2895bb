//! Display managers, D-Bus and the keyring: what they say besides the lines of PAM.

use super::form::{self, Form, failure, success, unknown};
use super::reading::{AUTHENTICATION, AUTHENTICATION_SESSION, Reading, SESSION};

/// gdm, lightdm, sddm and xdm.
pub(super) fn display(message: &str) -> Option<Reading<'_>> {
    form::find(DISPLAY, message)
}

/// dbus-daemon and dbus-broker, about what one program may say to another.
pub(super) fn bus(message: &str) -> Option<Reading<'_>> {
    form::find(BUS, message)
}

pub(super) fn keyring(message: &str) -> Option<Reading<'_>> {
    form::find(KEYRING, message)
}

pub(super) const DISPLAY: &[Form] = &[
    failure("login", AUTHENTICATION, "LOGIN FAILURE ON {tty}").because("login failure"),
    failure("login", AUTHENTICATION, "LOGIN FAILURE ON {tty} FROM {host}").because("login failure"),
    failure("login", AUTHENTICATION, "LOGIN FAILURE ON {tty}, {user*}").because("login failure"),
    success("login", AUTHENTICATION_SESSION, "LOGIN ON {tty} BY {user*}"),
    failure("auth.failure", AUTHENTICATION, "[PAM] authenticate: {reason*}"),
    unknown("auth.notice", AUTHENTICATION, "[PAM] {reason*}"),
    success("session.display", SESSION, "Starting X11 session: {reason*}"),
    success("session.display", SESSION, "Starting Wayland user session: {reason*}"),
    unknown("session.display.end", SESSION, "Session stopped"),
    unknown("session.notice", SESSION, "Gdm: {reason*}"),
    unknown("session.notice", SESSION, "Gdm{_}: {reason*}"),
    unknown("session.notice", SESSION, "AccountsService: {reason*}"),
    unknown("session.notice", SESSION, "Error {reason*}"),
    unknown("session.notice", SESSION, "Failed {reason*}"),
];

pub(super) const BUS: &[Form] = &[
    failure("dbus.refused", AUTHENTICATION, "[{bus}] Rejected {reason*}"),
    unknown("dbus.notice", SESSION, "[{bus}] {reason*}"),
    unknown("dbus.notice", SESSION, "[{bus} uid={uid} pid={_}] {reason*}"),
];

pub(super) const KEYRING: &[Form] = &[
    failure("keyring.error", AUTHENTICATION, "couldn't {reason*}"),
    failure("keyring.error", AUTHENTICATION, "failed to {reason*}"),
    failure("keyring.error", AUTHENTICATION, "error {reason*}"),
    unknown("keyring.notice", AUTHENTICATION, "The {component} component was already initialized"),
    unknown("keyring.notice", AUTHENTICATION, "The {component*} was already initialized"),
    unknown("keyring.notice", AUTHENTICATION, "{_} GLib{_*}: {reason*}"),
    unknown("keyring.notice", AUTHENTICATION, "asked to {reason*}"),
    unknown("keyring.notice", AUTHENTICATION, "discover_other_daemon: {reason*}"),
];
