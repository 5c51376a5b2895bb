//! A real S3 implementation for tests: moto's server, started on a free port.
//!
//! `tests/run` installs it; by hand: `python3 -m venv target/test-env && target/test-env/bin/pip install 'moto[server]'`.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_s3::Config;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use tokio::runtime::{self, Runtime};

/// A server of its own, with nothing in it.
pub(crate) struct Moto {
    server: Child,
    pub(crate) endpoint: String,
    pub(crate) runtime: Runtime,
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.server.kill().expect("it runs");
        self.server.wait().expect("it was killed");
    }
}

impl Moto {
    pub(crate) fn start() -> Self {
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
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        Self { server, endpoint: format!("http://127.0.0.1:{port}"), runtime }
    }
}

/// With credentials of its own: those of the machine are none of a test's business.
pub(crate) fn config(endpoint: &str) -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .force_path_style(true)
}
