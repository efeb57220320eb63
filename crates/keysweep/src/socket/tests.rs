use std::os::unix::fs::PermissionsExt;

use axum::Router;
use axum::routing::get;
use keysweep_api::{Decide, Decision, ShowBreaker, ShowPlan};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::*;

/// What is answered to `ShowBreaker`.
const CLOSED: &str = r#"{"open":null,"count":0,"confirm":null,"keys":[]}"#;

/// Serves one document, and nothing else.
async fn mk_server(dir: &TempDir, document: &'static str) -> JoinHandle<std::io::Result<()>> {
    let listener = bind(&path(dir.path())).await.unwrap();
    let router = Router::new().route("/api/v1/breaker", get(async move || document));
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await })
}

#[tokio::test]
async fn who_listens_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let server = mk_server(&dir, CLOSED).await;
    let answered = ask(&path(dir.path()), &ShowBreaker {}).await.unwrap().unwrap().unwrap();
    assert_eq!(serde_json::to_string(&answered).unwrap(), CLOSED);
    server.abort();
}

#[tokio::test]
async fn the_socket_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let _listener = bind(&path(dir.path())).await.unwrap();
    let mode = std::fs::metadata(path(dir.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn where_no_daemon_listens_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    assert!(ask(&path(dir.path()), &ShowPlan {}).await.unwrap().is_none());
    // A daemon that was killed leaves its socket behind.
    drop(UnixListener::bind(path(dir.path())).unwrap());
    assert!(ask(&path(dir.path()), &ShowPlan {}).await.unwrap().is_none());
}

#[tokio::test]
async fn the_socket_of_a_dead_daemon_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(path(dir.path())).unwrap());
    let server = mk_server(&dir, CLOSED).await;
    assert!(ask(&path(dir.path()), &ShowBreaker {}).await.unwrap().is_some());
    server.abort();
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_the_first_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = mk_server(&dir, CLOSED).await;
    assert_eq!(bind(&path(dir.path())).await.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    assert!(ask(&path(dir.path()), &ShowBreaker {}).await.unwrap().is_some());
    server.abort();
}

#[tokio::test]
async fn a_file_in_the_way_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(path(dir.path()), "mine").unwrap();
    assert_eq!(bind(&path(dir.path())).await.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(path(dir.path())).unwrap(), "mine");
}

#[tokio::test]
async fn an_answer_of_another_version_is_an_error_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = mk_server(&dir, r#"{"strange":1}"#).await;
    let error = ask(&path(dir.path()), &ShowBreaker {}).await.unwrap_err();
    assert!(matches!(error, SocketError::Call(ClientError::Decode { .. })), "{error}");
    // It has no such operation.
    let key = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
    let decide = Decide { key, decision: Decision::Forget {}, reason: "old".into() };
    let error = ask(&path(dir.path()), &decide).await.unwrap_err();
    assert!(matches!(error, SocketError::Call(ClientError::NotUnderstood { .. })), "{error}");
    server.abort();
}
