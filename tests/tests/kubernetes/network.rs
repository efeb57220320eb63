//! Who may talk to whom, and whose credentials are found.

use std::collections::BTreeSet;

use serde_json::Value;

use super::charts::{Chart, chart};

/// Addresses and ports that may be reached, as `address:port`.
fn reached(chart: &Chart) -> BTreeSet<String> {
    let rules = chart.one("NetworkPolicy")["spec"]["egress"].as_array().unwrap();
    let mut reached = BTreeSet::new();
    for rule in rules {
        for peer in rule["to"].as_array().expect("no rule without peers") {
            let range = peer["ipBlock"]["cidr"].as_str().unwrap_or("pods");
            for port in rule["ports"].as_array().expect("no rule without ports") {
                reached.insert(format!("{range}:{}", port["port"]));
            }
        }
    }
    reached
}

/// Whether the SDK may ask the node for its own credentials.
fn asks_the_node(chart: &Chart) -> bool {
    let variables = chart.container()["env"].as_array().unwrap();
    !variables.iter().any(|v| v["name"] == "AWS_EC2_METADATA_DISABLED" && v["value"] == "true")
}

#[test]
fn credentials_come_from_where_they_should_and_from_nowhere_else() {
    const AGENT: [&str; 2] = ["169.254.170.23/32:80", "fd00:ec2::23/128:80"];
    const NODE: [&str; 2] = ["169.254.169.254/32:80", "fd00:ec2::254/128:80"];
    for (name, agent, node) in [("default", true, false), ("irsa", false, false), ("everything", false, true)]
    {
        let reached = reached(chart(name));
        for (addresses, may) in [(AGENT, agent), (NODE, node)] {
            assert!(addresses.iter().all(|address| reached.contains(*address) == may), "{name}: {reached:?}");
        }
        assert_eq!(asks_the_node(chart(name)), node, "{name}");
    }
    assert!(asks_the_node(chart("trial")), "what others hand in is theirs");
}

#[test]
fn the_mail_server_is_reached_if_there_is_one() {
    assert!(reached(chart("everything")).contains("10.4.0.25/32:2525"));
    // By default on the port that comes with the encryption.
    assert!(reached(chart("irsa")).contains("0.0.0.0/0:587"));
    let ports = reached(chart("default")).into_iter().map(|to| to.rsplit_once(':').unwrap().1.to_owned());
    assert_eq!(ports.collect::<BTreeSet<_>>(), ["443", "53", "80"].map(str::to_owned).into());
}

#[test]
fn the_role_is_named_by_the_service_account_alone() {
    let account = chart("irsa").one("ServiceAccount");
    let role = &chart("irsa").given["aws"]["roleArn"];
    assert_eq!(account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"], *role);
    for name in ["default", "irsa", "everything", "moved"] {
        let account = chart(name).one("ServiceAccount");
        assert_eq!(account["automountServiceAccountToken"], false, "{name}");
        assert_eq!(chart(name).pod()["spec"]["serviceAccountName"], account["metadata"]["name"], "{name}");
    }
    assert_eq!(chart("trial").all("ServiceAccount").count(), 0);
    assert_eq!(chart("trial").pod()["spec"]["serviceAccountName"], "default");
}

#[test]
fn only_who_is_chosen_reaches_the_port_and_only_it() {
    let ingress = |name: &str| chart(name).one("NetworkPolicy")["spec"]["ingress"].clone();
    for name in ["default", "irsa", "everything"] {
        for rule in ingress(name).as_array().unwrap() {
            let peers = rule["from"].as_array().expect("no rule for everybody");
            assert!(!peers.is_empty() && peers.iter().all(|peer| peer != &Value::Object(Default::default())));
        }
        let port = &chart(name).container()["ports"][0]["containerPort"];
        assert_eq!(ingress(name)[0]["ports"][0]["port"], *port, "{name}");
    }
    assert_eq!(ingress("moved"), Value::Array(Vec::new()), "no peers means nobody, not everybody");
    for name in ["default", "moved"] {
        let types = &chart(name).one("NetworkPolicy")["spec"]["policyTypes"];
        assert_eq!(*types, serde_json::json!(["Ingress", "Egress"]));
    }
}
