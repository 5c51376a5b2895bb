//! A place on loopback where connections are taken and each is handed to somebody, for the proxies of the tests.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

type Serve = Arc<dyn Fn(TcpStream) + Send + Sync>;

/// Its address stays the same, whether somebody listens there or not.
pub(crate) struct Front {
    address: SocketAddr,
    serve: Serve,
    listening: Option<Listening>,
}

struct Listening {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Front {
    /// On a free port. Each connection is served by a thread of its own.
    pub(crate) fn new(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut front = Self { address, serve: Arc::new(serve), listening: None };
        front.listen(listener);
        front
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on connections are refused.
    pub(crate) fn close(&mut self) {
        let Some(Listening { stop, thread }) = self.listening.take() else { return };
        stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        thread.join().expect("it only accepts");
    }

    /// Connections are taken again.
    pub(crate) fn open(&mut self) {
        if self.listening.is_none() {
            self.listen(TcpListener::bind(self.address).expect("nobody took the port meanwhile"));
        }
    }

    fn listen(&mut self, listener: TcpListener) {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, serve) = (Arc::clone(&stop), Arc::clone(&self.serve));
        let thread = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(client));
            }
        });
        self.listening = Some(Listening { stop, thread });
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.close();
    }
}
