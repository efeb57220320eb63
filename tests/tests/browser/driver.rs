//! A browser, driven by `tests/page/drive.mjs`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use keysweep_tests::conformance::target_dir;
use keysweep_tests::node::ensure_packages;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::browser::stage::Running;

/// More than the driver itself waits for anything.
const PATIENCE: Duration = Duration::from_secs(90);

/// A browser that runs until it is dropped. Anything wrong in it fails the test: see the head of the script.
pub(crate) struct Browser {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// A file that a link led to.
pub(crate) struct Download {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Where the scripts are.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("page")
}

/// Where their packages are.
pub(crate) async fn packages() -> PathBuf {
    let installed =
        tokio::task::spawn_blocking(|| ensure_packages(&target_dir()?, "page-node", &scripts())).await;
    installed.unwrap().unwrap_or_else(|why| panic!("{why}"))
}

/// The browser: the variable CHROMIUM, or Debian's.
pub(crate) fn chromium() -> PathBuf {
    let path = std::env::var_os("CHROMIUM").map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from);
    assert!(
        path.is_file(),
        "these tests need Chromium (Debian: chromium) at {} or where CHROMIUM says",
        path.display()
    );
    path
}

impl Browser {
    /// A browser on the page of a daemon, in a window of 1,280 px.
    pub(crate) async fn on(running: &Running) -> Self {
        Self::at(&running.origin, running.port, &running.secrets, &running.guests).await
    }

    /// A browser on a page at this origin, which this port of loopback serves.
    pub(crate) async fn at(origin: &str, port: u16, secrets: &[String], guests: &[String]) -> Self {
        let mut command = Command::new("node");
        // A proxy of the environment would stand between the browser and loopback.
        for proxy in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command.env("CHROMIUM", chromium()).arg(scripts().join("drive.mjs")).arg(packages().await);
        command.arg(origin).arg(port.to_string()).arg(json!(secrets).to_string());
        command.arg(json!(guests).to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = command.spawn().expect("node starts");
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut browser = Self { _child: child, input, output };
        browser.answer("start").await;
        browser.act(json!({ "act": "open" })).await;
        browser
    }

    /// A browser whose person has logged in.
    pub(crate) async fn as_(running: &Running, token: &str) -> Self {
        let mut browser = Self::on(running).await;
        browser.log_in(token).await;
        browser
    }

    /// Logs in by the form, and arrives at the overview.
    pub(crate) async fn log_in(&mut self, token: &str) {
        self.goto("/login").await;
        self.fill("Token", token).await;
        assert_eq!(self.press("Log in").await, "/");
    }

    /// Follows the link with this text, and gives the path where that led.
    pub(crate) async fn follow(&mut self, link: &str) -> String {
        self.text_of(json!({ "act": "follow", "link": link })).await
    }

    /// Waits for links with this text, follows the first, and gives the path where that led.
    pub(crate) async fn follow_first(&mut self, link: &str) -> String {
        self.text_of(json!({ "act": "follow_first", "link": link })).await
    }

    /// Lets a minute pass for the scripts of the page.
    pub(crate) async fn minute(&mut self) {
        self.act(json!({ "act": "later", "seconds": 61 })).await;
    }

    /// Waits until the page says this of itself.
    pub(crate) async fn says(&mut self, text: &str) {
        self.act(json!({ "act": "says", "text": text })).await;
    }

    /// Waits until a part of the page has this text.
    pub(crate) async fn shows(&mut self, within: &str, text: &str) {
        self.act(json!({ "act": "shows", "within": within, "text": text })).await;
    }

    /// Goes back in the history, and gives the path where that led.
    pub(crate) async fn back(&mut self) -> String {
        self.text_of(json!({ "act": "back" })).await
    }

    /// Types into a field that has no label.
    pub(crate) async fn type_into(&mut self, selector: &str, text: &str) {
        self.act(json!({ "act": "type", "selector": selector, "text": text })).await;
    }

    /// Has the driver do something.
    pub(crate) async fn act(&mut self, what: Value) -> Value {
        self.input.write_all(format!("{what}\n").as_bytes()).await.unwrap();
        self.answer(&what.to_string()).await
    }

    async fn answer(&mut self, what: &str) -> Value {
        let line = timeout(PATIENCE, self.output.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{what}: no answer within {PATIENCE:?}")).unwrap();
        let line = line.unwrap_or_else(|| panic!("{what}: the browser ended; see its errors above"));
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{what}: {line}"));
        assert!(answer["error"].is_null() && answer["wrong"] == json!([]), "{what}: {answer:#}");
        answer["value"].take()
    }

    async fn text_of(&mut self, what: Value) -> String {
        self.act(what).await.as_str().unwrap_or_default().to_owned()
    }

    /// Goes to a path of the page, or to an URL, and gives the path where that led.
    pub(crate) async fn goto(&mut self, path: &str) -> String {
        self.text_of(json!({ "act": "goto", "path": path })).await
    }

    /// Presses the button of this name, and gives the path where that led.
    pub(crate) async fn press(&mut self, button: &str) -> String {
        self.text_of(json!({ "act": "press", "button": button })).await
    }

    /// Presses the button of this name in a part of the page.
    pub(crate) async fn press_in(&mut self, within: &str, button: &str) -> String {
        self.text_of(json!({ "act": "press", "within": within, "button": button })).await
    }

    /// Fills in the field with this label, if there is only one.
    pub(crate) async fn fill(&mut self, label: &str, text: &str) {
        self.act(json!({ "act": "fill", "label": label, "text": text })).await;
    }

    /// Fills in the field with this label in a part of the page.
    pub(crate) async fn fill_in(&mut self, within: &str, label: &str, text: &str) {
        self.act(json!({ "act": "fill", "within": within, "label": label, "text": text })).await;
    }

    /// Chooses the option with this label in a part of the page.
    pub(crate) async fn check(&mut self, within: &str, label: &str) {
        self.act(json!({ "act": "check", "within": within, "label": label })).await;
    }

    /// Opens the details in a part of the page.
    pub(crate) async fn open_details(&mut self, within: &str) {
        self.act(json!({ "act": "open_details", "within": within })).await;
    }

    /// The text of a part of the page, as a person sees it.
    pub(crate) async fn text(&mut self, within: &str) -> String {
        self.text_of(json!({ "act": "text", "within": within })).await
    }

    /// What the page says of the last decision.
    pub(crate) async fn said(&mut self) -> String {
        self.text("#said").await
    }

    /// How many elements there are of a kind.
    pub(crate) async fn count(&mut self, selector: &str) -> u64 {
        self.act(json!({ "act": "count", "selector": selector })).await.as_u64().unwrap()
    }

    /// The file that a link leads to.
    pub(crate) async fn download(&mut self, link: &str) -> Download {
        let file = self.act(json!({ "act": "download", "link": link })).await;
        let text = |name: &str| file[name].as_str().unwrap().to_owned();
        Download { name: text("name"), text: text("text") }
    }

    /// The value of the cookie with this name.
    pub(crate) async fn cookie(&mut self, name: &str) -> Option<String> {
        let cookies = self.act(json!({ "act": "cookies" })).await;
        let found = cookies.as_array().unwrap().iter().find(|cookie| cookie["name"] == name).cloned();
        Some(found?["value"].as_str().unwrap().to_owned())
    }
}
