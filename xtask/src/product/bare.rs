//! The AWS SDK alone: what a call costs before keysweep does anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use aws_config::{BehaviorVersion, Region};
use aws_smithy_http_client::{Builder, tls};
use clap::Args;
use tokio::task::JoinSet;

/// What is called.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Calls in all
    #[arg(long)]
    pub(super) calls: u64,
    /// Calls at the same time
    #[arg(long)]
    pub(super) concurrency: u64,
}

/// Calls `sts:GetCallerIdentity` with one client; endpoint and credentials come from the environment.
pub(super) fn call(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start tokio")?;
    runtime.block_on(async {
        let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .http_client(Builder::new().tls_provider(ring).build_https());
        let client = aws_sdk_sts::Client::new(&loader.load().await);
        let left = Arc::new(AtomicU64::new(options.calls));
        let mut tasks = JoinSet::new();
        for _ in 0..options.concurrency {
            let (client, left) = (client.clone(), Arc::clone(&left));
            tasks.spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                    client.get_caller_identity().send().await.context("call STS")?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.context("join")??;
        }
        Ok(())
    })
}
