//! `http.socket`, for users of the machine other than the daemon's.

use std::os::unix::fs::PermissionsExt as _;

use keysweep::socket;
use keysweep_api::{Pause, ShowBreaker};
use tokio::net::UnixStream;

use crate::http::browser::FORM;
use crate::http::stage::{Stage, exchange, post_as, request};

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_for_every_user_is_served_beside_the_private_one() {
    let stage = Stage::new();
    let path = stage.at("operators.sock");
    // What a daemon that was killed leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let running = stage.daemon("127.0.0.1", &format!("http.socket = {path:?}\n")).await;
    let private = socket::path(stage.company().data_dir.path());
    assert_eq!((mode(&path), mode(&private)), (0o666, 0o600));
    // The kernel says that the daemon's own user asks.
    socket::ask(&path, &Pause { reason: "release day".into() }).await.unwrap().unwrap().unwrap();
    let pauses = running.daemon.engine().store().read(|state| state.control().pauses.clone());
    assert_eq!(pauses[0].by, socket::own_actor());
    assert!(socket::ask(&path, &ShowBreaker {}).await.unwrap().unwrap().is_ok());
    let over = async |text: &str| exchange(UnixStream::connect(&path).await.unwrap(), text.as_bytes()).await;
    over(&request("GET", "/-/healthy", &[])).await.is(200, "keysweep works");
    let form = post_as("/pause", &[("content-type", FORM)], "reason=x&csrf=x");
    assert_eq!(over(&form).await.status(), 303, "forms are for sessions");
    running.stop().await;
    assert!(!path.exists() && !private.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_in_use_or_no_socket_is_left_alone() {
    let stage = Stage::new();
    let path = stage.at("operators.sock");
    std::fs::write(&path, "notes").unwrap();
    let error = socket::bind_shared(&path).await.unwrap_err();
    assert!(error.to_string().contains("in the way and no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "notes");
    std::fs::remove_file(&path).unwrap();
    let _live = socket::bind_shared(&path).await.unwrap();
    let error = socket::bind_shared(&path).await.unwrap_err();
    assert!(error.to_string().contains("another daemon listens"), "{error}");
}
