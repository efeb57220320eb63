//! Serves the demo organization on a loopback port until Ctrl-C, and says how to talk to it:
//! `cargo run -p keysweep-sim --example serve`.

use std::io::Write as _;
use std::sync::Arc;

use keysweep_sim::seed;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let demo = seed::demo(1, Arc::new(wall_clock));
    let server = demo.sim.serve().await?;
    let (id, secret, token) = demo.sim.hub_credentials();
    let mut out = std::io::stdout().lock();
    writeln!(out, "export AWS_ENDPOINT_URL={}", server.endpoint())?;
    writeln!(
        out,
        "export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1"
    )?;
    if let Some(token) = token {
        writeln!(out, "export AWS_SESSION_TOKEN={token}")?;
    }
    writeln!(out, "# roles: {} and {}", seed::SCAN_ROLE, seed::ENFORCE_ROLE)?;
    writeln!(out, "# external id: {}", seed::EXTERNAL_ID)?;
    writeln!(out, "# try: aws organizations list-accounts")?;
    out.flush()?;
    drop(out);
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "an example is its own clock")]
fn wall_clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
