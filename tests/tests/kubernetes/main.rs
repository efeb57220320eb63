//! The Helm chart and the Kustomize base, as Helm renders them and as Kubernetes would take them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod charts;
mod configuration;
mod credentials;
#[path = "../../../xtask/src/chart/folder.rs"]
mod folder;
mod ingress;
mod kustomize;
mod maintenance;
mod monitoring;
mod network;
mod notes;
mod pods;
#[path = "../promtool/tool.rs"]
mod tool;
mod values;
mod wiring;
