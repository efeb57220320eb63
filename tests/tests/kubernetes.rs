//! The Helm chart and the Kustomize base, as Helm renders them and as Kubernetes would take them.

mod charts;
mod configuration;
mod credentials;
#[path = "../../xtask/src/chart/folder.rs"]
mod folder;
mod ingress;
mod kustomize;
mod maintenance;
mod monitoring;
mod network;
mod notes;
mod pods;
mod values;
mod wiring;
