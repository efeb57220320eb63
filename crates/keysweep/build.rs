//! Names the build for `keysweep_build_info` and `keysweep --version`.

use std::process::Command;

/// The compiler is asked for its version. The revision is handed in by whoever packages keysweep: asking the
/// repository would build the crate again after every commit.
fn main() {
    println!("cargo::rerun-if-env-changed=KEYSWEEP_REVISION");
    let revision = std::env::var("KEYSWEEP_REVISION").ok().filter(|text| !text.is_empty());
    println!("cargo::rustc-env=KEYSWEEP_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer = Command::new(rustc).arg("--version").output().ok();
    let text = answer.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    // "rustc 1.95.0 (59807616e 2026-04-14)"
    let version = text.split_whitespace().nth(1).unwrap_or("unknown");
    println!("cargo::rustc-env=KEYSWEEP_RUST_VERSION={version}");
}
