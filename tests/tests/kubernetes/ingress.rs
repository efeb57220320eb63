//! How people reach the page through an ingress controller.

use serde_json::{Value, json};

use super::charts::{Chart, chart, charts};

/// keysweep.toml.
fn configured(chart: &Chart) -> &str {
    chart.all("ConfigMap").find_map(|map| map["data"]["keysweep.toml"].as_str()).unwrap()
}

#[test]
fn an_ingress_leads_to_the_port_of_the_service() {
    let with_one: Vec<&str> =
        charts().filter(|(_, chart)| chart.all("Ingress").next().is_some()).map(|(name, _)| name).collect();
    assert_eq!(with_one, ["backend-tls", "everything"]);
    for name in with_one {
        let chart = chart(name);
        let (ingress, service) = (chart.one("Ingress"), chart.one("Service"));
        let rule = &ingress["spec"]["rules"][0];
        assert_eq!(rule["host"], "keysweep.example.org", "{name}");
        let path = &rule["http"]["paths"][0];
        assert_eq!((&path["path"], &path["pathType"]), (&json!("/"), &json!("Prefix")), "{name}");
        let backend = &path["backend"]["service"];
        assert_eq!(backend["name"], service["metadata"]["name"], "{name}");
        assert_eq!(backend["port"]["name"], service["spec"]["ports"][0]["name"], "{name}");
        assert_eq!(ingress["spec"]["tls"][0]["hosts"], json!(["keysweep.example.org"]), "{name}");
    }
    let ingress = chart("everything").one("Ingress");
    assert_eq!(ingress["spec"]["ingressClassName"], "nginx");
    assert_eq!(ingress["spec"]["tls"][0]["secretName"], "keysweep-tls");
    assert_eq!(ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"], "letsencrypt");
    assert_eq!(ingress["metadata"]["labels"]["example.org/kind"], "page");
    let own = &chart("backend-tls").one("Ingress")["spec"]["tls"][0]["secretName"];
    assert!(own.is_null(), "the controller has a certificate");
}

#[test]
fn the_configuration_knows_the_host_and_the_proxies_of_the_ingress() {
    let public_url = "public_url = \"https://keysweep.example.org\"\n";
    let toml = configured(chart("everything"));
    assert!(chart("everything").given["config"]["http"]["public_url"].is_null(), "it comes from the host");
    assert!(toml.contains(public_url), "{toml}");
    assert!(toml.contains("trusted_proxies = [\"10.42.0.0/16\", \"fd00:42::/56\"]\n"), "{toml}");
    let toml = configured(chart("backend-tls"));
    assert!(toml.contains(public_url) && !toml.contains("trusted_proxies"), "{toml}");
    let toml = configured(chart("default"));
    assert!(!toml.contains("http"), "{toml}");
}

#[test]
fn the_controller_reaches_the_port_if_there_is_an_ingress() {
    for (name, namespace) in [("everything", "ingress-nginx"), ("backend-tls", "traefik")] {
        let chart = chart(name);
        let rules = chart.one("NetworkPolicy")["spec"]["ingress"].as_array().unwrap();
        let admits = |rule: &&Value| {
            let labels = &rule["from"][0]["namespaceSelector"]["matchLabels"];
            labels["kubernetes.io/metadata.name"] == namespace
        };
        let rule = rules.iter().find(admits).unwrap_or_else(|| panic!("{name}: {rules:?}"));
        let port = &chart.container()["ports"][0]["containerPort"];
        assert_eq!(rule["ports"], json!([{ "port": port, "protocol": "TCP" }]), "{name}");
    }
}

#[test]
fn with_tls_everything_that_asks_speaks_it() {
    for (name, chart) in charts() {
        let tls = name == "backend-tls";
        let scheme = if tls { "https" } else { "http" };
        assert_eq!(chart.container()["ports"][0]["name"], scheme, "{name}");
        assert_eq!(chart.one("Service")["spec"]["ports"][0]["name"], scheme, "{name}");
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let asked = &chart.container()[probe]["httpGet"]["scheme"];
            assert_eq!(asked.as_str(), tls.then_some("HTTPS"), "{name}: {probe}");
        }
        for (kind, endpoints) in [("PodMonitor", "podMetricsEndpoints"), ("ServiceMonitor", "endpoints")] {
            for monitor in chart.all(kind) {
                let endpoint = &monitor["spec"][endpoints][0];
                assert_eq!(endpoint["scheme"], scheme, "{name}");
                assert_eq!(endpoint["tlsConfig"].is_object(), tls, "{name}");
            }
        }
    }
    // The certificate is for that name, and Prometheus asks by an address.
    let endpoint = &chart("backend-tls").one("PodMonitor")["spec"]["podMetricsEndpoints"][0];
    let ca = json!({ "secret": { "name": "keysweep-tls", "key": "ca.crt" } });
    assert_eq!(endpoint["tlsConfig"], json!({ "serverName": "keysweep.example.org", "ca": ca }));
}

#[test]
fn the_notes_name_the_page_and_the_redirect_url() {
    for name in ["everything", "backend-tls"] {
        let notes = &chart(name).notes;
        assert!(notes.contains("The page is at https://keysweep.example.org/\n"), "{notes}");
        assert!(notes.contains("provider: https://keysweep.example.org/login/callback\n"), "{notes}");
    }
    assert!(!chart("default").notes.contains("The page is at"));
}
