//! `whodid check-es-query-count` and its kin, also by a link of that name: Sensu's plugin, taken unchanged.
//!
//! It reads neither configuration nor trail: all that it needs is on its command line, as with the plugin.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::say;
use crate::es_query::{self, Asked, Kind, Refusal};
use crate::event::escape;

/// Which check the arguments are for, the name that it was called by, and what follows.
pub(super) struct Called {
    kind: Kind,
    program: String,
    arguments: Vec<OsString>,
}

impl Called {
    /// By the name of the program, or as the first argument of whodid; options of whodid itself have no place here.
    pub(super) fn of(args: &[OsString]) -> Option<Self> {
        let (program, rest) = args.split_first()?;
        let name = Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or_default();
        if let Some(kind) = Kind::of_program(name) {
            return Some(Self { kind, program: name.to_owned(), arguments: rest.to_vec() });
        }
        let (command, rest) = rest.split_first()?;
        let kind = Kind::ALL.into_iter().find(|kind| Some(kind.command()) == command.to_str())?;
        let program = format!("whodid {}", kind.command());
        Some(Self { kind, program, arguments: rest.to_vec() })
    }

    pub(super) fn run(self) -> ExitCode {
        let (code, text) = self.answer();
        let mut out = io::stdout().lock();
        if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
            say::aside(format_args!("whodid: the answer could not be printed: {error}"));
        }
        ExitCode::from(code)
    }

    fn answer(self) -> (u8, String) {
        let arguments: Option<Vec<String>> =
            self.arguments.into_iter().map(|argument| argument.into_string().ok()).collect();
        let Some(arguments) = arguments else {
            return (3, "Check failed to run: an argument is not UTF-8".to_owned());
        };
        match es_query::parse(self.kind, &self.program, &arguments) {
            Ok(Asked::Help(usage)) => (0, usage),
            Ok(Asked::Version) => (0, format!("{} (whodid {})", self.kind.command(), env!("CARGO_PKG_VERSION"))),
            Ok(Asked::Check(options)) => checked(&options),
            Err(refusal) => (refusal.exit_code(), refused(&refusal)),
        }
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        // Lines of ours.
        Refusal::Missing { .. } => refusal.to_string(),
        Refusal::Invalid(_) | Refusal::Bad(_) => escape::line(&refusal.to_string()).into_owned(),
    }
}

#[cfg(feature = "elastic")]
fn note(text: impl AsRef<str>) {
    say::aside(format_args!("whodid: {}", escape::line(text.as_ref())));
}

#[cfg(not(feature = "elastic"))]
fn checked(_: &es_query::Options) -> (u8, String) {
    (3, "Check failed to run: this whodid was built without the feature `elastic`".to_owned())
}

#[cfg(feature = "elastic")]
use asked::checked;

#[cfg(feature = "elastic")]
mod asked {
    use std::fs;
    use std::time::Duration;

    use url::Url;

    use super::note;
    use crate::clock::Clock;
    use crate::cluster::{self, Access, Cluster, Login, Method, Secret};
    use crate::es_query::{self, Body, Failure, Finding, Options, Reply, Request};

    pub(super) fn checked(options: &Options) -> (u8, String) {
        let cluster = match access(options).and_then(|access| Cluster::new(&access).map_err(|error| failed(&error))) {
            Ok(cluster) => cluster,
            Err(failure) => {
                let finding = Finding::of_failure(failure);
                return (finding.exit_code, finding.line);
            }
        };
        let now = Clock::System.now();
        let mut ask = |request: &Request| send(&cluster, request);
        let Finding { exit_code, mut line } = es_query::check(options, now, &mut ask, &mut |text| note(text));
        if options.has_details && exit_code < 3 {
            match es_query::details(options, now, &mut ask) {
                Ok(rows) => rows.iter().for_each(|row| {
                    line.push('\n');
                    line.push_str(row);
                }),
                // The verdict stands without them.
                Err(failure) => note(format!("--details: {failure}")),
            }
        }
        (exit_code, line)
    }

    fn send(cluster: &Cluster, request: &Request) -> Result<Reply, Failure> {
        let (method, body) = match &request.body {
            Body::None => (Method::Get, cluster::Body::None),
            Body::Json(json) => (Method::Post, cluster::Body::json(json)),
            Body::Lines(lines) => (Method::Post, cluster::Body::Lines(lines.clone().into())),
        };
        let reply = cluster.reply(method, &request.path, body).map_err(|error| failed(&error))?;
        Ok(Reply { status: reply.status, body: reply.body.to_vec() })
    }

    fn failed(failure: &cluster::Failure) -> Failure {
        Failure::new(failure.to_string())
    }

    fn access(options: &Options) -> Result<Access, Failure> {
        let timeout = u64::try_from(options.timeout_seconds).ok().filter(|seconds| *seconds > 0);
        let timeout = timeout.ok_or_else(|| Failure::new("invalid argument: --timeout takes seconds, from 1"))?;
        let ca = options
            .ca
            .as_ref()
            .map(|path| fs::read(path).map_err(|error| Failure::new(format!("--ca {path}: {error}"))));
        Ok(Access {
            nodes: vec![node(options)?],
            login: login(options)?,
            ca: ca.transpose()?,
            headers: headers(options.headers.as_deref().unwrap_or_default())?,
            timeout: Duration::from_secs(timeout),
        })
    }

    /// https where somebody logs in, unless it is said otherwise.
    fn node(options: &Options) -> Result<Url, Failure> {
        let logs_in = options.user.is_some() && options.password.is_some();
        let scheme = options.scheme.as_deref().unwrap_or(if logs_in { "https" } else { "http" });
        let Options { host, port, .. } = options;
        let bad = |what: &str| Failure::new(format!("invalid argument: {what}"));
        if !matches!(scheme, "http" | "https") {
            return Err(bad(&format!("--scheme {scheme}: it is http or https")));
        }
        if !(1..=65_535).contains(port) {
            return Err(bad(&format!("--port {port}: it is 1 to 65535")));
        }
        // An address of version 6 has brackets in a URL.
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.clone() };
        let url = Url::parse(&format!("{scheme}://{host}:{port}/")).ok();
        let is_plain = |url: &Url| url.path() == "/" && url.username().is_empty() && url.query().is_none();
        url.filter(is_plain).ok_or_else(|| bad("--host: it is a name or an address, and nothing else"))
    }

    fn login(options: &Options) -> Result<Login, Failure> {
        match (options.transport.as_deref(), &options.user, &options.password) {
            (Some("AWS"), _, _) => {
                let region = options.region.clone();
                let region = region.ok_or_else(|| Failure::new("--transport AWS takes a --region"))?;
                Ok(Login::Aws { region })
            }
            (_, Some(user), Some(password)) => {
                Ok(Login::Basic { user: user.clone(), password: Secret::new(password.as_str()) })
            }
            (_, None, None) => Ok(Login::Nobody),
            // The plugin goes on without either, and whoever reads its answer looks in vain.
            _ => Err(Failure::new("-u and -P belong together")),
        }
    }

    /// `k: v,k: v`.
    fn headers(text: &str) -> Result<Vec<(String, Secret)>, Failure> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let pairs = parts.map(|part| {
            let (name, value) = part.split_once(':').ok_or_else(|| {
                Failure::new(format!(
                    "invalid argument: --headers: no colon in \"{}\"",
                    part.chars().take(12).collect::<String>()
                ))
            })?;
            Ok((name.trim().to_owned(), Secret::new(value.trim())))
        });
        pairs.collect()
    }
}
