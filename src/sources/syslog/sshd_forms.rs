//! sshd: everything that is one form of message and nothing else, up to OpenSSH 10.3.
//!
//! Names that a stranger typed stand here only where what follows them tells where they end.

use super::form::{self, Form, failure, success, unknown};
use super::reading::{AUTHENTICATION, NETWORK, PROCESS, Reading, SESSION};

pub(super) fn read(text: &str) -> Option<Reading<'_>> {
    form::find(ACCOUNTS, text)
        .or_else(|| form::find(KEYS, text))
        .or_else(|| form::find(FORWARDS, text))
        .or_else(|| form::find(CONNECTIONS, text))
}

/// Accounts that may not log in (auth.c, auth-shadow.c, auth-pam.c, monitor.c).
pub(super) const ACCOUNTS: &[Form] = &[
    failure("ssh.refused", AUTHENTICATION, "Account {user*} has expired").because("account expired"),
    failure("ssh.refused", AUTHENTICATION, "User {user*} password has expired ({reason*})"),
    failure("ssh.refused", AUTHENTICATION, "Login restricted for {user*}: {reason*}"),
    failure("ssh.refused", AUTHENTICATION, "Login name {user*} does not match stored username {as}"),
    failure("ssh.refused", AUTHENTICATION, "Access denied for user {user*} by PAM account configuration")
        .because("PAM account configuration"),
    failure("ssh.refused", AUTHENTICATION, "Username too long from {host} port {port}").because("name too long"),
    failure(
        "ssh.refused",
        AUTHENTICATION,
        "administratively prohibited connection for invalid user {user*} from {host} port {port}",
    )
    .because("administratively prohibited")
    .marked("invalid_user", "true"),
    failure(
        "ssh.refused",
        AUTHENTICATION,
        "administratively prohibited connection for {user*} from {host} port {port}",
    )
    .because("administratively prohibited"),
    failure("ssh.refused", AUTHENTICATION, "wrong user name passed to monitor: expected {user*} != {as*}")
        .because("another user than before"),
    failure("ssh.refused", AUTHENTICATION, "Authentication refused for {user}: {reason*}"),
    failure("ssh.refused", AUTHENTICATION, "Rhosts authentication refused for {user}: {reason*}"),
    failure("ssh.refused", AUTHENTICATION, "INTERNAL ERROR: authenticated invalid user {user*}")
        .because("authenticated invalid user"),
    failure("ssh.refused", AUTHENTICATION, "Password expired").because("password expired"),
    success("ssh.forced_command", AUTHENTICATION, "Root login accepted for forced command.").by("root"),
    unknown("ssh.name.change", AUTHENTICATION, "PAM changed user from {user*} to {as*}"),
    failure("ssh.refused", AUTHENTICATION, "PAM user mismatch").because("PAM user mismatch"),
    failure("ssh.refused", AUTHENTICATION, "sshpam_thread: PAM user \"{user*}\" does not match previous \"{as*}\"")
        .because("PAM user mismatch"),
    failure("ssh.error", AUTHENTICATION, "Could not get shadow information for {user*}")
        .because("could not get shadow information"),
    failure("ssh.error", AUTHENTICATION, "Could not open user '{user*}' {file_type*} '{object*}': {reason*}"),
    failure("ssh.error", AUTHENTICATION, "User '{user*}' {file_type*} '{object*}' is not a regular file")
        .because("not a regular file"),
    failure("ssh.error", AUTHENTICATION, "User {user} hosts file {object*} is not a regular file")
        .because("not a regular file"),
    failure(
        "ssh.error",
        AUTHENTICATION,
        "userauth_hostbased mismatch: client sends {client_host*}, but we resolve {host} to {name*}",
    ),
    failure("ssh.error", AUTHENTICATION, "getpwnam: {reason*}"),
    failure("auth.failure", AUTHENTICATION, "pam_putenv: {reason*}"),
    failure("ssh.error", AUTHENTICATION, "password change not supported").because("password change not supported"),
    failure("ssh.error", AUTHENTICATION, "GSSAPI MIC check failed").because("GSSAPI MIC check failed"),
    failure("ssh.error", AUTHENTICATION, "Kerberos password authentication failed: {reason*}"),
    failure(
        "ssh.error",
        AUTHENTICATION,
        "Authentication methods list \"{methods*}\" contains disabled method, skipping",
    ),
    failure("ssh.error", AUTHENTICATION, "Writing login record failed for {user*}").because("no login record"),
    failure("ssh.error", AUTHENTICATION, "Attempt to write login records by non-root user (aborting)"),
    failure("ssh.error", AUTHENTICATION, "Excess permission or bad ownership on file {object*}"),
    failure("ssh.error", AUTHENTICATION, "lastlog_{_*}: {reason*}"),
];

/// Keys and certificates that are not taken, and the few that are told of besides the login itself
/// (auth2-pubkey.c, auth2-pubkeyfile.c, auth2-hostbased.c, auth-options.c).
pub(super) const KEYS: &[Form] = &[
    failure("ssh.key.refused", AUTHENTICATION, "Authentication key {key_type} {key} revoked by file {object*}")
        .because("revoked"),
    failure("ssh.key.refused", AUTHENTICATION, "Error checking authentication key {key_type} {key} in revoked keys file {object*}: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "WARNING: revoked key for {host} attempted authentication").because("revoked"),
    failure("ssh.key.refused", AUTHENTICATION, "userauth_{_}: signature algorithm {algorithm} not in {setting}")
        .because("signature algorithm is not accepted"),
    failure("ssh.key.refused", AUTHENTICATION, "userauth_{_}: key type {algorithm} not in {setting}").because("key type is not accepted"),
    failure("ssh.key.refused", AUTHENTICATION, "userauth_{_}: unsupported public key algorithm: {algorithm}")
        .because("unsupported algorithm"),
    failure("ssh.key.refused", AUTHENTICATION, "userauth_{_}: certificate signature algorithm {algorithm}: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "userauth_{_}: cannot decode key: {algorithm}").because("cannot decode key"),
    failure("ssh.key.refused", AUTHENTICATION, "userauth_{_}: parse key: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "userauth_{_}: type mismatch for decoded key ({_*})").because("type mismatch"),
    failure("ssh.key.refused", AUTHENTICATION, "userauth_{_}: key type mismatch for decoded key ({_*})").because("type mismatch"),
    failure("ssh.key.refused", AUTHENTICATION, "refusing previously-used {key_type} key").because("previously used"),
    failure("ssh.key.refused", AUTHENTICATION, "refusing {key_type} key: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "{method*} key type {key_type} is not in permitted list {setting}")
        .because("key type is not permitted"),
    failure("ssh.key.refused", AUTHENTICATION, "public key {key_type} {key} signature for invalid user {user*} from {host} port {port} rejected: {reason*}")
        .marked("invalid_user", "true"),
    failure("ssh.key.refused", AUTHENTICATION, "public key {key_type} {key} signature for {user*} from {host} port {port} rejected: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "Refusing certificate ID \"{certificate_id*}\" serial={certificate_serial} signed by {certificate_ca_type} CA {certificate_ca} via {object}: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "Refusing certificate ID \"{certificate_id*}\" serial={certificate_serial} signed by {certificate_ca_type} CA {certificate_ca}: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "Certificate invalid: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "Certificate {option_kind} \"{option*}\" is not supported")
        .because("not supported"),
    failure("ssh.key.refused", AUTHENTICATION, "Certificate {option_kind} option \"{option*}\" is not supported")
        .because("not supported"),
    failure("ssh.key.refused", AUTHENTICATION, "Certificate option \"{option*}\" corrupt (extra data)").because("corrupt"),
    failure("ssh.key.refused", AUTHENTICATION, "Certificate has multiple {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "Certificate source-address {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "Certificate lacks principal list").because("no principals"),
    failure("ssh.key.refused", AUTHENTICATION, "key for user {user} not allowed: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "{object}: Authentication tried for {user} with correct key but not from a permitted host (host={_}, ip={host}, required={required*}).")
        .because("correct key, but not from a permitted host"),
    failure("ssh.key.refused", AUTHENTICATION, "{object}: Authentication tried for {user} with valid certificate but not from a permitted source address ({host}).")
        .because("valid certificate, but not from a permitted source address"),
    failure("ssh.key.refused", AUTHENTICATION, "{object}: Certificate source-address invalid").because("source-address invalid"),
    failure("ssh.key.refused", AUTHENTICATION, "cert: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "Inconsistent authentication options: {reason*}"),
    failure("ssh.key.refused", AUTHENTICATION, "Unable to parse certificate options: {reason*}"),
    unknown("ssh.key.found", AUTHENTICATION, "Accepted certificate ID \"{certificate_id*}\" (serial {certificate_serial}) signed by CA {certificate_ca_type} {certificate_ca} found at {object*}"),
    unknown("ssh.key.found", AUTHENTICATION, "Accepted certificate ID \"{certificate_id*}\" signed by {certificate_ca_type} CA {certificate_ca} from {client_user*}@{client_host}"),
    unknown("ssh.key.found", AUTHENTICATION, "Accepted {key_type} public key {key} from {client_user*}@{client_host}"),
    unknown("ssh.key.found", AUTHENTICATION, "Found matching {key_type} key: {key}"),
    failure("ssh.error", AUTHENTICATION, "AuthorizedKeysCommand {reason*}"),
    failure("ssh.error", AUTHENTICATION, "AuthorizedKeysCommandUser \"{as*}\" not found: {reason*}"),
    failure("ssh.error", AUTHENTICATION, "AuthorizedPrincipalsCommand {reason*}"),
    failure("ssh.error", AUTHENTICATION, "AuthorizedPrincipalsCommandUser \"{as*}\" not found: {reason*}"),
    failure("ssh.error", AUTHENTICATION, "Unsafe {setting} \"{object*}\": {reason*}"),
    failure("ssh.error", AUTHENTICATION, "Could not stat {setting} \"{object*}\": {reason*}"),
];

/// What a client wanted to reach through its connection (serverloop.c, channels.c).
pub(super) const FORWARDS: &[Form] = &[
    failure(
        "ssh.forward.refused",
        NETWORK,
        "refused local port forward: originator {originator*} port {originator_port}, target {object} port {to_port}",
    ),
    failure(
        "ssh.forward.refused",
        NETWORK,
        "refused streamlocal port forward: originator {originator*} port {originator_port}, target {object*}",
    ),
    failure(
        "ssh.forward.refused",
        NETWORK,
        "Received request from {host} port {port} to remote forward to path \"{object*}\", but the request was denied.",
    ),
    failure(
        "ssh.forward.refused",
        NETWORK,
        "Received request from {host} port {port} to remote forward to host {object} port {to_port}, but the request was denied.",
    ),
    failure(
        "ssh.forward.refused",
        NETWORK,
        "Received request from {host} port {port} to remote forward, but the request was denied.",
    ),
    failure(
        "ssh.forward.refused",
        NETWORK,
        "Received request from {host} port {port} to connect to host {object} port {to_port}, but the request was denied.",
    ),
    failure(
        "ssh.forward.refused",
        NETWORK,
        "Received request to connect to path {object*}, but the request was denied.",
    ),
    failure(
        "ssh.forward.refused",
        NETWORK,
        "Received request to connect to host {object} port {to_port}, but the request was denied.",
    ),
    failure("ssh.forward.refused", NETWORK, "server_input_channel_open: {reason*}"),
    failure("ssh.forward.failed", NETWORK, "connect_to {object} port {to_port}: failed."),
    failure("ssh.forward.failed", NETWORK, "connect_to {object}: unknown host ({reason*})"),
    failure("ssh.forward.failed", NETWORK, "connect to {object} port {to_port} failed: {reason*}"),
    failure("ssh.forward.failed", NETWORK, "channel {_}: open failed: {reason*}"),
    failure("ssh.forward.failed", NETWORK, "bind {object}: {reason*}"),
    failure("ssh.forward.failed", NETWORK, "listen {object}: {reason*}"),
    failure("ssh.forward.failed", NETWORK, "channel_setup_fwd_listener_tcpip: {reason*}"),
    failure("ssh.forward.failed", NETWORK, "X11 connection rejected because of wrong authentication.")
        .because("X11: wrong authentication"),
    failure("ssh.forward.failed", NETWORK, "Rejected X11 connection after ForwardX11Timeout expired")
        .because("X11: timeout"),
    failure("ssh.forward.failed", NETWORK, "Failed to allocate internet-domain X11 display socket.")
        .because("X11: no socket"),
    unknown("ssh.session.idle", SESSION, "channel {_}: closing after {seconds} seconds of inactivity"),
];

/// Connections, and the daemon that takes them (sshd.c, sshd-session.c, packet.c, srclimit.c, session.c).
pub(super) const CONNECTIONS: &[Form] = &[
    unknown("ssh.disconnect", NETWORK, "Closing connection to {host} port {port}"),
    unknown("ssh.disconnect", NETWORK, "Read error from remote host {host} port {port}: {reason*}"),
    unknown("ssh.disconnect", NETWORK, "Finished discarding for {host} port {port}"),
    unknown("ssh.traffic", NETWORK, "Transferred: sent {sent_bytes}, received {received_bytes} bytes"),
    unknown("ssh.chroot", SESSION, "Changed root directory to \"{object*}\""),
    failure("ssh.subsystem", SESSION, "subsystem request for {object*} by user {user*} failed, subsystem not found")
        .because("subsystem not found"),
    failure("ssh.probe", NETWORK, "probed from {host} port {port} with {sent*}.  Don't panic.").because("probed"),
    failure("ssh.probe", NETWORK, "scanned from {host} port {port} with {sent*}.  Don't panic.").because("scanned"),
    failure("ssh.probe", NETWORK, "kex_exchange_identification: client sent invalid protocol identifier \"{sent*}\"")
        .because("bad protocol version"),
    failure("ssh.probe", NETWORK, "Bad remote protocol version identification: '{sent*}'")
        .because("bad protocol version"),
    failure("ssh.probe", NETWORK, "Connection from {host} port {port} with IP opts: {sent*}").because("IP options"),
    failure(
        "ssh.penalty",
        NETWORK,
        "srclimit_penalise: {family}: new {host}/32 {state} penalty of {seconds} seconds for {reason*}",
    ),
    failure(
        "ssh.penalty",
        NETWORK,
        "srclimit_penalise: {family}: new {host}/128 {state} penalty of {seconds} seconds for {reason*}",
    ),
    failure(
        "ssh.penalty",
        NETWORK,
        "srclimit_penalise: {family}: new {network} {state} penalty of {seconds} seconds for {reason*}",
    ),
    failure(
        "ssh.penalty",
        NETWORK,
        "srclimit_penalise: {host}/32: activating {family} penalty of {seconds} seconds for {reason*}",
    ),
    failure(
        "ssh.penalty",
        NETWORK,
        "srclimit_penalise: {host}/128: activating {family} penalty of {seconds} seconds for {reason*}",
    ),
    failure(
        "ssh.penalty",
        NETWORK,
        "srclimit_penalise: {network}: activating {family} penalty of {seconds} seconds for {reason*}",
    ),
    failure(
        "ssh.penalty",
        NETWORK,
        "srclimit_penalise: {family} penalty table full, cannot penalise {network} for {reason*}",
    ),
    failure("ssh.throttle", NETWORK, "{reason} logging rate-limited: additional {count} connections dropped"),
    failure("ssh.throttle", NETWORK, "beginning MaxStartups throttling").because("beginning MaxStartups throttling"),
    unknown("ssh.throttle", NETWORK, "exited MaxStartups throttling after {duration}, {count} connections dropped"),
    failure("ssh.child", PROCESS, "Session process {child} unpriv child crash for connection from {host} to {to}")
        .because("crash"),
    failure(
        "ssh.child",
        PROCESS,
        "session process {child} for connection from {host} to {to} killed by signal {signal*}",
    )
    .because("killed"),
    failure(
        "ssh.child",
        PROCESS,
        "session process {child} for connection from {host} to {to} terminated abnormally, status={reason*}",
    ),
    failure("ssh.child", PROCESS, "mm_reap: preauth child exited with status {status}").because("preauth child exited"),
    failure("ssh.child", PROCESS, "mm_reap: preauth child {child} exited with status {status}")
        .because("preauth child exited"),
    failure("ssh.child", PROCESS, "mm_reap: preauth child terminated by signal {signal}")
        .because("preauth child killed"),
    failure("ssh.child", PROCESS, "mm_reap: preauth child {child} terminated by signal {signal}")
        .because("preauth child killed"),
    unknown("ssh.debug", PROCESS, "debug1: {reason*}"),
    unknown("ssh.debug", PROCESS, "debug2: {reason*}"),
    unknown("ssh.debug", PROCESS, "debug3: {reason*}"),
    failure("ssh.stop", PROCESS, "RESTART FAILED: {reason*}"),
    failure("ssh.stop", PROCESS, "sshd: no hostkeys available -- exiting.").because("no hostkeys"),
    unknown("ssh.start", PROCESS, "Allocated port {to_port} for remote forward to {object*}"),
    failure("ssh.error", NETWORK, "kex_exchange_identification: {reason*}"),
    failure("ssh.error", NETWORK, "kex_protocol_error: {reason*}"),
    failure("ssh.error", NETWORK, "ssh_exchange_identification: {reason*}"),
    failure("ssh.error", NETWORK, "dispatch_protocol_error: {reason*}"),
    failure("ssh.error", NETWORK, "Read from socket failed: {reason*}"),
    failure("ssh.error", NETWORK, "Write failed: {reason*}"),
    failure("ssh.error", NETWORK, "can't get client address: {reason*}"),
    failure("ssh.error", NETWORK, "mm_request_receive: {reason*}"),
    failure("ssh.error", NETWORK, "no more sessions").because("no more sessions"),
    failure("ssh.error", NETWORK, "Bad packet length {reason*}"),
    failure("ssh.error", NETWORK, "padding error: {reason*}"),
    failure("ssh.error", NETWORK, "Corrupted MAC on input{reason*}"),
    failure("ssh.error", NETWORK, "{_} seqnr wraps around").because("sequence number wraps"),
    failure("ssh.error", NETWORK, "Could not load host {reason*}"),
    failure("ssh.error", NETWORK, "Unable to load host {reason*}"),
    failure("ssh.error", NETWORK, "Failed to {reason*}"),
    failure("ssh.error", NETWORK, "PAM adding faulty module: {object*}").because("PAM faulty module"),
    failure("ssh.error", NETWORK, "PAM unable to {reason*}"),
    failure("ssh.error", NETWORK, "no hostkeys available{_*}").because("no hostkeys"),
    unknown("ssh.notice", NETWORK, "session_input_channel_req: {reason*}"),
    unknown("ssh.notice", NETWORK, "Deprecated option {reason*}"),
    unknown("ssh.notice", NETWORK, "rexec line {line}: {reason*}"),
    unknown("ssh.notice", NETWORK, "{object}: line {line}: {reason*}"),
    unknown("ssh.notice", NETWORK, "{object} line {line}: {reason*}"),
    unknown("ssh.notice", NETWORK, "Non-public channel {reason*}"),
    unknown("ssh.notice", NETWORK, "channel {_}: {reason*}"),
    unknown("ssh.notice", NETWORK, "socket{_*}: {reason*}"),
    unknown("ssh.notice", NETWORK, "-r option is deprecated").because("-r option is deprecated"),
    unknown("ssh.notice", NETWORK, "{count} active startups"),
];
