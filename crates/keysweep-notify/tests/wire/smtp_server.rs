//! A mail server that does what a test wants.

use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What the server does instead of being well.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    Say(&'static str),
    /// Closes the connection without a word.
    Drop,
    /// Never answers.
    Hang,
}

/// How the server behaves.
#[derive(Clone)]
pub(crate) struct Behaviour {
    pub(crate) greeting: Act,
    /// Lines of the response to `EHLO`, after the first.
    pub(crate) extensions: Vec<&'static str>,
    /// TLS from the first byte.
    pub(crate) implicit_tls: bool,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// What follows the response to `STARTTLS` at once, in plain text.
    pub(crate) injected: &'static str,
    /// The first whose text begins the command decides. `.` is the end of the letter.
    pub(crate) acts: Vec<(&'static str, Act)>,
}

impl Behaviour {
    pub(crate) fn well() -> Self {
        Self {
            greeting: Act::Say("220 test ESMTP"),
            extensions: vec!["8BITMIME"],
            implicit_tls: false,
            tls: None,
            injected: "",
            acts: Vec::new(),
        }
    }

    pub(crate) fn doing(command: &'static str, act: Act) -> Self {
        Self { acts: vec![(command, act)], ..Self::well() }
    }
}

/// The server. It stops when it is dropped.
pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl SmtpServer {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, behaviour, heard.clone()));
        Self { port, heard, _tasks: tasks }
    }

    /// Every line that clients sent, with `tls ` before those that came under TLS.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn heard_any(&self, text: &str) -> bool {
        self.heard().iter().any(|line| line.contains(text))
    }
}

async fn serve(listener: TcpListener, behaviour: Behaviour, heard: Arc<Mutex<Vec<String>>>) {
    while let Ok((tcp, _)) = listener.accept().await {
        // One after another: the clients of a test come one after another too.
        let conversation = Conversation { behaviour: behaviour.clone(), heard: heard.clone(), tls: false };
        conversation.run(tcp).await;
    }
}

struct Conversation {
    behaviour: Behaviour,
    heard: Arc<Mutex<Vec<String>>>,
    tls: bool,
}

impl Conversation {
    async fn run(mut self, tcp: tokio::net::TcpStream) {
        if self.behaviour.implicit_tls {
            self.tls = true;
            let acceptor = TlsAcceptor::from(self.behaviour.tls.clone().unwrap());
            if let Ok(stream) = acceptor.accept(tcp).await {
                self.talk(BufReader::new(stream), true).await;
            }
            return;
        }
        let Some(stream) = self.talk(BufReader::new(tcp), true).await else { return };
        self.tls = true;
        let acceptor = TlsAcceptor::from(self.behaviour.tls.clone().unwrap());
        if let Ok(stream) = acceptor.accept(stream.into_inner()).await {
            self.talk(BufReader::new(stream), false).await;
        }
    }

    /// Until the end, or until the client starts TLS: then the stream comes back.
    async fn talk<S>(&self, mut stream: BufReader<S>, greet: bool) -> Option<BufReader<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if greet {
            act(&mut stream, self.behaviour.greeting).await?;
        }
        let mut data = false;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            self.heard.lock().unwrap().push(format!("{}{line}", if self.tls { "tls " } else { "" }));
            if data && line != "." {
                continue;
            }
            data = false;
            if let Some((_, chosen)) = self.behaviour.acts.iter().find(|(begin, _)| line.starts_with(begin)) {
                act(&mut stream, *chosen).await?;
                continue;
            }
            let response = match line.split(' ').next().unwrap_or_default() {
                "EHLO" => self.extensions(),
                "STARTTLS" => format!("220 go\r\n{}", self.behaviour.injected),
                "AUTH" => "235 welcome\r\n".to_owned(),
                "DATA" => "354 go\r\n".to_owned(),
                "." => "250 2.0.0 Ok: queued as 4F2A\r\n".to_owned(),
                _ => "250 ok\r\n".to_owned(),
            };
            data = line == "DATA";
            stream.write_all(response.as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
            if line == "STARTTLS" {
                return Some(stream);
            }
        }
    }

    fn extensions(&self) -> String {
        let offers_tls = self.behaviour.tls.is_some() && !self.tls;
        let starttls = if offers_tls { Some("STARTTLS") } else { None };
        let lines =
            ["test greets"].into_iter().chain(starttls).chain(self.behaviour.extensions.iter().copied());
        let lines: Vec<&str> = lines.collect();
        let (last, first) = lines.split_last().unwrap();
        let first: String = first.iter().map(|line| format!("250-{line}\r\n")).collect();
        format!("{first}250 {last}\r\n")
    }
}

/// `None` ends the conversation.
async fn act<S: AsyncWrite + Unpin>(stream: &mut S, act: Act) -> Option<()> {
    match act {
        Act::Say(text) => {
            stream.write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
            stream.flush().await.ok()
        }
        Act::Drop => None,
        Act::Hang => std::future::pending().await,
    }
}
