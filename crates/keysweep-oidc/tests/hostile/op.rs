//! The provider: correct, until a test changes something.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use rustls::ServerConfig;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::jwt::{Key, Sign, encode, token};
use super::server::{Reply, Request, Server};

pub(crate) const CLIENT: &str = "keysweep";
pub(crate) const SECRET: &str = "s3cr+t of the client";
pub(crate) const ACCESS_TOKEN: &str = "access-token-1";

/// What the provider remembers of an authorization.
struct Grant {
    challenge: String,
    nonce: String,
    redirect_url: String,
}

/// Everything that a test can change.
pub(crate) struct State {
    pub(crate) now: Timestamp,
    pub(crate) discovery: Value,
    /// The first signs.
    pub(crate) keys: Vec<Key>,
    /// What the key set endpoint returns instead of `keys`.
    pub(crate) jwks: Option<Value>,
    pub(crate) sign: Sign,
    /// Added to the header of ID tokens; null removes.
    pub(crate) header: Value,
    /// Added to the claims of ID tokens; null removes.
    pub(crate) claims: Value,
    pub(crate) userinfo: Value,
    /// Added to the response of the token endpoint; null removes.
    pub(crate) response: Value,
    pub(crate) checks_pkce: bool,
    /// What a path returns instead.
    pub(crate) replies: BTreeMap<&'static str, Reply>,
    pub(crate) requests: Vec<Request>,
    grants: BTreeMap<String, Grant>,
    authorizations: usize,
}

/// The provider. It stops when it is dropped.
pub(crate) struct Op {
    pub(crate) issuer: String,
    state: Arc<Mutex<State>>,
    _server: Server,
}

impl Op {
    pub(crate) async fn start(now: Timestamp, tls: Option<Arc<ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let state = Arc::new(Mutex::new(State {
            now,
            discovery: Value::Null,
            keys: vec![Key::generate("key-1")],
            jwks: None,
            sign: Sign::Key,
            header: json!({}),
            claims: json!({}),
            userinfo: json!({ "sub": "anna" }),
            response: json!({}),
            checks_pkce: true,
            replies: BTreeMap::new(),
            requests: Vec::new(),
            grants: BTreeMap::new(),
            authorizations: 0,
        }));
        let shared = state.clone();
        let server = Server::start(tls, move |port| {
            let issuer = format!("{scheme}://127.0.0.1:{port}/op");
            shared.lock().unwrap().discovery = json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "userinfo_endpoint": format!("{issuer}/userinfo"),
                "jwks_uri": format!("{issuer}/jwks"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            });
            Arc::new(move |request| shared.lock().unwrap().answer(request))
        });
        let server = server.await;
        Self { issuer: format!("{scheme}://127.0.0.1:{}/op", server.port), state, _server: server }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How often a path was requested.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.state().requests.iter().filter(|request| request.path == path).count()
    }

    /// What a person does who logs in: the parameters that the browser takes to the redirect URL, code and state.
    pub(crate) fn authorize(&self, url: &str) -> (String, String) {
        let (endpoint, query) = url.split_once('?').unwrap();
        assert_eq!(endpoint, format!("{}/authorize", self.issuer));
        let asked: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT);
        assert_eq!(asked["code_challenge_method"], "S256");
        let mut state = self.state();
        state.authorizations += 1;
        let code = format!("code-{}", state.authorizations);
        let grant = Grant {
            challenge: asked["code_challenge"].clone(),
            nonce: asked["nonce"].clone(),
            redirect_url: asked["redirect_uri"].clone(),
        };
        state.grants.insert(code.clone(), grant);
        (code, asked["state"].clone())
    }
}

impl State {
    fn answer(&mut self, request: Request) -> Reply {
        self.requests.push(request.clone());
        if let Some(reply) = self.replies.get(&*request.path) {
            return reply.clone();
        }
        match (&*request.method, &*request.path) {
            ("GET", "/op/.well-known/openid-configuration") => Reply::Json(200, self.discovery.to_string()),
            ("GET", "/op/jwks") => {
                let keys = self.keys.iter().map(Key::jwk).collect::<Vec<_>>();
                Reply::Json(200, self.jwks.clone().unwrap_or_else(|| json!({ "keys": keys })).to_string())
            }
            ("POST", "/op/token") => self.token(&request.form),
            ("GET", "/op/userinfo")
                if request.headers.get("authorization") == Some(&format!("Bearer {ACCESS_TOKEN}")) =>
            {
                Reply::Json(200, self.userinfo.to_string())
            }
            _ => Reply::Json(404, json!({ "error": "unknown" }).to_string()),
        }
    }

    fn token(&mut self, form: &BTreeMap<String, String>) -> Reply {
        let refused = |why: &str| {
            let error = json!({ "error": "invalid_grant", "error_description": why });
            Reply::Json(400, error.to_string())
        };
        // A code works once.
        let Some(grant) = self.grants.remove(&form["code"]) else { return refused("unknown code") };
        let challenge = form.get("code_verifier").map(|verifier| encode(Sha256::digest(verifier)));
        if self.checks_pkce && challenge.as_ref() != Some(&grant.challenge) {
            return refused("wrong code_verifier");
        }
        if form["redirect_uri"] != grant.redirect_url || form["grant_type"] != "authorization_code" {
            return refused("another redirect_uri or grant_type");
        }
        let now = self.now.as_second();
        let claims = json!({
            "iss": self.discovery["issuer"],
            "sub": "anna",
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": grant.nonce,
            "preferred_username": "anna@example.com",
            "groups": ["security"],
        });
        let claims = merged(claims, &self.claims);
        let token = token(&self.keys[0], &self.sign, &self.header, &claims);
        let response = json!({ "access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": token });
        Reply::Json(200, merged(response, &self.response).to_string())
    }
}

/// With the members of `changes`; those that are null are removed.
fn merged(mut value: Value, changes: &Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        value[name] = change.clone();
    }
    value.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    value
}
