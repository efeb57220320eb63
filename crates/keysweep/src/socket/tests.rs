use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use keysweep_core::state::Actor;

use super::*;
use crate::operator::{Reply, Request};

/// Says who asked for what. A pause is answered only once the test lets it.
struct Echo {
    asked: Semaphore,
    may_answer: Semaphore,
    answered: Semaphore,
}

impl Echo {
    fn mk() -> Arc<Self> {
        let none = || Semaphore::new(0);
        Arc::new(Self { asked: none(), may_answer: none(), answered: none() })
    }
}

impl Answer for Echo {
    async fn answer(&self, actor: &Actor, request: Request) -> Reply {
        self.asked.add_permits(1);
        if matches!(request, Request::Pause { .. }) {
            self.may_answer.acquire().await.unwrap().forget();
        }
        self.answered.add_permits(1);
        Reply::Done { message: format!("{actor}: {request:?}") }
    }
}

struct Server {
    dir: TempDir,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Starts a server and waits until it listens.
    async fn mk(echo: &Arc<Echo>) -> Self {
        Self::mk_in(tempfile::tempdir().unwrap(), echo).await
    }

    async fn mk_in(dir: TempDir, echo: &Arc<Echo>) -> Self {
        let stop = CancellationToken::new();
        let (socket, engine, stopped) = (path(dir.path()), Arc::clone(echo), stop.clone());
        let serving = TaskTracker::new().spawn(async move { serve(&socket, engine, stopped).await });
        while UnixStream::connect(path(dir.path())).await.is_err() {
            tokio::task::yield_now().await;
        }
        Self { dir, stop, serving }
    }

    fn path(&self) -> PathBuf {
        path(self.dir.path())
    }

    async fn stop(self) -> TempDir {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        self.dir
    }
}

fn mk_pause() -> Request {
    Request::Pause { reason: "incident".into() }
}

#[tokio::test]
async fn a_request_is_answered_under_the_name_of_the_peer() {
    let server = Server::mk(&Echo::mk()).await;
    let reply = ask(&server.path(), &Request::KeysShow { key: "AKIAIOSFODNN7EXAMPLE".into() }).await.unwrap();
    let message = format!("{}: KeysShow {{ key: \"AKIAIOSFODNN7EXAMPLE\" }}", own_actor());
    assert_eq!(reply, Some(Reply::Done { message }));
    server.stop().await;
}

#[tokio::test]
async fn the_socket_is_for_its_owner_alone() {
    let server = Server::mk(&Echo::mk()).await;
    let mode = std::fs::metadata(server.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.stop().await;
}

#[tokio::test]
async fn where_no_daemon_listens_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(ask(&path(dir.path()), &Request::Plan).await.unwrap(), None);
    // A daemon that was killed leaves its socket behind.
    drop(UnixListener::bind(path(dir.path())).unwrap());
    assert_eq!(ask(&path(dir.path()), &Request::Plan).await.unwrap(), None);
}

#[tokio::test]
async fn the_socket_of_a_dead_daemon_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(path(dir.path())).unwrap());
    let server = Server::mk_in(dir, &Echo::mk()).await;
    assert!(ask(&server.path(), &Request::Plan).await.unwrap().is_some());
    server.stop().await;
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let server = Server::mk(&Echo::mk()).await;
    let second = serve(&server.path(), Echo::mk(), CancellationToken::new()).await;
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    assert!(ask(&server.path(), &Request::Plan).await.unwrap().is_some());
    server.stop().await;
}

#[tokio::test]
async fn a_file_in_the_way_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(path(dir.path()), "mine").unwrap();
    let served = serve(&path(dir.path()), Echo::mk(), CancellationToken::new()).await;
    assert_eq!(served.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(path(dir.path())).unwrap(), "mine");
}

#[tokio::test]
async fn a_stop_waits_for_the_answer_and_removes_the_socket() {
    let echo = Echo::mk();
    let server = Server::mk(&echo).await;
    let socket = server.path();
    let asking = TaskTracker::new().spawn(async move { ask(&socket, &mk_pause()).await });
    echo.asked.acquire().await.unwrap().forget();
    server.stop.cancel();
    echo.may_answer.add_permits(1);
    assert!(matches!(asking.await.unwrap(), Ok(Some(Reply::Done { .. }))));
    let dir = server.stop().await;
    assert!(!path(dir.path()).exists());
}

#[tokio::test]
async fn what_was_begun_is_finished_though_its_asker_hangs_up() {
    let echo = Echo::mk();
    let server = Server::mk(&echo).await;
    let mut stream = UnixStream::connect(server.path()).await.unwrap();
    let body = serde_json::to_string(&mk_pause()).unwrap();
    let request = format!("POST {ROUTE} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    echo.asked.acquire().await.unwrap().forget();
    drop(stream);
    // Time for the server to see that nobody is there any more.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    echo.may_answer.add_permits(1);
    server.stop().await;
    assert_eq!(echo.answered.available_permits(), 1);
}

#[tokio::test]
async fn what_is_no_request_is_refused_with_the_reason() {
    let server = Server::mk(&Echo::mk()).await;
    let cases = [
        ("POST", "/request", r#"{"request":"explode"}"#.to_owned(), "400"),
        ("POST", "/request", "x".repeat(100_000), "413"),
        ("POST", "/elsewhere", String::new(), "404"),
        ("GET", "/request", String::new(), "405"),
    ];
    for (method, route, body, status) in cases {
        let mut stream = UnixStream::connect(server.path()).await.unwrap();
        let length = body.len();
        let request =
            format!("{method} {route} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_answer_of_another_version_is_an_error_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(path(dir.path())).unwrap();
    let old = TaskTracker::new().spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        let answer =
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 17\r\n\r\n{\"reply\":\"strange\"";
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let error = ask(&path(dir.path()), &Request::Plan).await.unwrap_err();
    assert!(matches!(error, SocketError::Decode { .. }), "{error}");
    old.await.unwrap();
}

#[test]
fn only_the_owner_of_data_dir_and_root_are_asked() {
    use super::client::is_trusted;
    for (peer, own, owner, trusted) in [
        (1000, 1000, Some(1000), true),
        (0, 1000, Some(1000), true),
        (998, 0, Some(998), true),
        (1001, 0, Some(998), false),
        (1001, 998, Some(998), false),
        (1001, 998, None, false),
        (998, 998, None, true),
    ] {
        assert_eq!(is_trusted(peer, own, owner), trusted, "{peer} {own} {owner:?}");
    }
}
