//! People with the page open.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// How often the page refreshes itself: `EVERY` in `page.js`.
const REFRESH: Duration = Duration::from_secs(60);

/// What people look at.
pub(super) const VIEWS: [View; 10] = [
    View { name: "overview", path: "/", is_list: false },
    View { name: "keys of one owner", path: "/keys?owner=owner-00007@example.com", is_list: true },
    View { name: "keys by state", path: "/keys?state=flagged&sort=idle", is_list: true },
    View { name: "search", path: "/keys?q=svc-00003", is_list: true },
    View { name: "keys of one account", path: "/keys?account=100000000007", is_list: true },
    View { name: "all keys by priority", path: "/keys", is_list: true },
    View { name: "keys by OU", path: "/keys?group=ou", is_list: false },
    View { name: "keys by owner", path: "/keys?group=owner", is_list: false },
    View { name: "accounts", path: "/accounts", is_list: false },
    View { name: "calendar", path: "/calendar", is_list: false },
];

/// A view of the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    /// Whether it is a list of keys, for which there is a gate; the others read all of them, to group or to count.
    pub(super) is_list: bool,
}

/// The body of an answer.
pub(super) fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).context("send a request")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("read an answer")?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { bail!("{path}: no answer") };
    if !head.starts_with("HTTP/1.0 200 ") {
        bail!("{path}: {}", head.lines().next().unwrap_or_default());
    }
    Ok(body.to_owned())
}

/// People who have the page open until they are dropped.
pub(super) struct People {
    gone: Arc<AtomicBool>,
    visits: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    each: Vec<JoinHandle<()>>,
}

impl People {
    /// So many people, who opened one of the views at different moments.
    pub(super) fn come(address: SocketAddr, count: u32) -> Self {
        let (gone, visits, failed) = <(Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let each = (0..count).map(|number| {
            let (gone, visits, failed) = (Arc::clone(&gone), Arc::clone(&visits), Arc::clone(&failed));
            let views = VIEWS.iter().cycle().skip(usize::try_from(number).unwrap_or(0));
            thread::spawn(move || {
                thread::park_timeout(REFRESH * number / count.max(1));
                for View { path, .. } in views {
                    if gone.load(Ordering::Acquire) {
                        return;
                    }
                    let counter = if get(address, path).is_ok() { &visits } else { &failed };
                    counter.fetch_add(1, Ordering::AcqRel);
                    thread::park_timeout(REFRESH);
                }
            })
        });
        let each = each.collect();
        Self { gone, visits, failed, each }
    }

    /// Everybody leaves. Gives how often a view was answered, and how often not.
    pub(super) fn leave(self) -> (u64, u64) {
        self.gone.store(true, Ordering::Release);
        for person in self.each {
            person.thread().unpark();
            // Whoever panicked has counted nothing.
            let _ = person.join();
        }
        (self.visits.load(Ordering::Acquire), self.failed.load(Ordering::Acquire))
    }
}
