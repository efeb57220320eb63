//! The account at the mail server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::authentication::Credentials;
use secrecy::{ExposeSecret as _, SecretString};

pub(super) struct Login {
    user: String,
    password: SecretString,
}

impl Login {
    /// A password from a file ends with its line.
    pub(super) fn new(user: String, password: &SecretString) -> Self {
        let password = password.expose_secret().trim_end_matches(['\r', '\n']).into();
        Self { user, password }
    }

    pub(super) fn credentials(&self) -> Credentials {
        Credentials::new(self.user.clone(), self.password.expose_secret().to_owned())
    }

    /// A text of the server without the password, in each form in which it was sent.
    pub(super) fn hide_in(&self, text: String) -> String {
        let password = self.password.expose_secret();
        let plain = STANDARD.encode(format!("\0{}\0{password}", self.user));
        let forms = [plain, STANDARD.encode(password), password.to_owned()];
        let forms = forms.iter().filter(|form| !form.is_empty());
        forms.fold(text, |text, form| text.replace(form.as_str(), "(hidden)"))
    }
}
