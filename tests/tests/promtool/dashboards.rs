//! The dashboards, held to the rules of Grafana's dashboard-linter, which are written anew here: it is a Go program that
//! is in no registry.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::files::{DASHBOARDS, dashboard};
use super::promql::{Expression, Selector};
use super::rules::known;
use super::tool::promtool;

/// What every selector of a target must have.
const TARGET: [(&str, &str); 2] = [("job", "$job"), ("instance", "$instance")];
/// Families whose names end like those of counters.
const COUNTERS: [&str; 4] = ["_total", "_bucket", "_sum", "_count"];
/// Functions that a counter may be seen through.
const OF_COUNTERS: [&str; 3] = ["rate", "irate", "increase"];

/// An expression, with where it is.
pub(crate) struct Target {
    pub(crate) place: String,
    /// As it is written.
    pub(crate) expr: String,
}

impl Target {
    /// With values for the variables, as Grafana would send it.
    pub(crate) fn filled_in(&self) -> String {
        self.expr
            .replace("$__rate_interval", "15s")
            .replace("$__range", "1h")
            .replace("$job", "keysweep")
            .replace("$instance", ".+")
            .replace("$account", ".+")
    }
}

/// Every expression of a dashboard.
pub(crate) fn targets(dashboard: &Value) -> Vec<Target> {
    let mut targets = Vec::new();
    for panel in panels(dashboard) {
        for target in list(&panel["targets"]) {
            let place = format!("{}: {}", text(&dashboard["title"]), text(&panel["title"]));
            targets.push(Target { place, expr: text(&target["expr"]).to_owned() });
        }
    }
    targets
}

/// Panels that show something: rows do not.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(&dashboard["panels"]).iter().filter(|panel| panel["type"] != "row")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Everything that is wrong with a dashboard.
fn complaints(dashboard: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    if text(&dashboard["title"]).is_empty() || text(&dashboard["uid"]).is_empty() {
        complaints.push("no title or no uid".to_owned());
    }
    if dashboard["editable"] != json!(false) {
        complaints.push("editable".to_owned());
    }
    complaints.extend(of_variables(dashboard));
    let mut ids = BTreeSet::new();
    for panel in list(&dashboard["panels"]) {
        let title = text(&panel["title"]);
        if !ids.insert(panel["id"].as_u64()) {
            complaints.push(format!("{title}: its id is another's"));
        }
    }
    for panel in panels(dashboard) {
        let title = text(&panel["title"]);
        complaints.extend(of_panel(panel).into_iter().map(|what| format!("{title}: {what}")));
    }
    complaints
}

fn of_variables(dashboard: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let variables: BTreeMap<&str, &Value> = list(&dashboard["templating"]["list"])
        .iter()
        .map(|variable| (text(&variable["name"]), variable))
        .collect();
    let wanted = |name: &str, path: &str, value: Value| {
        let found = variables.get(name).and_then(|variable| variable.pointer(path));
        (found != Some(&value)).then(|| format!("variable {name}: {path} is not {value}"))
    };
    complaints.extend(wanted("datasource", "/type", json!("datasource")));
    complaints.extend(wanted("datasource", "/query", json!("prometheus")));
    complaints.extend(wanted("datasource", "/label", json!("Data source")));
    for (name, label) in [("job", "Job"), ("instance", "Instance")] {
        complaints.extend(wanted(name, "/type", json!("query")));
        complaints.extend(wanted(name, "/label", json!(label)));
        complaints.extend(wanted(name, "/multi", json!(true)));
        complaints.extend(wanted(name, "/allValue", json!(".+")));
    }
    for (name, variable) in variables.iter().filter(|(_, variable)| variable["type"] == "query") {
        complaints.extend(wanted(name, "/datasource/uid", json!("${datasource}")));
        // When the time range changes: what vanished is not offered any more.
        complaints.extend(wanted(name, "/refresh", json!(2)));
        let query = text(&variable["query"]["query"]);
        let inside = query.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or_default();
        let selector = inside.rsplit_once(", ").filter(|(_, label)| !label.contains('"'));
        let selector = selector.map_or(inside, |(selector, _)| selector);
        let expression = Expression::parse(&selector.replace("$job", "keysweep"));
        if expression.selectors.is_empty() {
            complaints.push(format!("variable {name}: it asks for nothing"));
        }
        complaints.extend(known().complaints(&expression));
    }
    complaints
}

fn of_panel(panel: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut needed = |there: bool, what: &str| {
        if !there {
            complaints.push(what.to_owned());
        }
    };
    needed(!text(&panel["title"]).is_empty(), "no title");
    needed(text(&panel["description"]).ends_with('.'), "no description");
    let unit = text(&panel["fieldConfig"]["defaults"]["unit"]);
    needed(!unit.is_empty(), "no unit");
    // With any other unit Grafana writes 200000015838, the ID of an account, as "200 Bil", in links too.
    needed(panel["type"] != "table" || unit == "string", "a table that takes texts for numbers");
    needed(panel["datasource"]["uid"] == "${datasource}", "another data source");
    let targets = list(&panel["targets"]);
    needed(!targets.is_empty(), "no target");
    let names: BTreeSet<&str> = targets.iter().map(|target| text(&target["refId"])).collect();
    needed(names.len() == targets.len(), "two targets of one name");
    for target in targets {
        needed(target["datasource"]["uid"] == "${datasource}", "a target with another data source");
        complaints_of_expression(text(&target["expr"]), &mut needed);
    }
    complaints
}

fn complaints_of_expression(expr: &str, needed: &mut impl FnMut(bool, &str)) {
    let expression = Expression::parse(expr);
    needed(!expression.selectors.is_empty(), "a target without an expression");
    let has = |selector: &Selector, label: &str, value: &str| {
        let matchers = &selector.matchers;
        matchers.iter().any(|m| m.label == label && m.operator == "=~" && m.value == value)
    };
    for selector in &expression.selectors {
        for (label, value) in TARGET {
            needed(has(selector, label, value), &format!("{} is of any {label}", selector.name));
        }
    }
    for (function, range) in &expression.ranges {
        let fits = match function.as_str() {
            // A sum over all that is shown.
            "increase" => ["$__rate_interval", "$__range"].contains(&range.as_str()),
            _ => range == "$__rate_interval",
        };
        needed(fits, &format!("{function} over {range}"));
    }
    let counters = expression.selectors.iter().filter(|s| COUNTERS.iter().any(|end| s.name.ends_with(end)));
    let seen_through =
        expression.ranges.iter().filter(|(function, _)| OF_COUNTERS.contains(&function.as_str()));
    needed(counters.count() <= seen_through.count(), "a counter as it is");
    for complaint in known().complaints(&expression) {
        needed(false, &complaint);
    }
}

#[test]
fn dashboards_keep_the_rules_and_ask_only_for_what_the_program_exposes() {
    for name in DASHBOARDS {
        assert_eq!(complaints(&dashboard(name)), [""; 0], "{name}");
    }
}

#[test]
fn a_dashboard_that_breaks_a_rule_is_told_of_it() {
    let sound = dashboard(DASHBOARDS[0]);
    let at = |title: &str| {
        let panels = list(&sound["panels"]);
        panels.iter().position(|panel| panel["title"] == title).unwrap()
    };
    let (plain, counter, table) = (at("Root keys"), at("Deleted"), at("Accounts with root keys"));
    let expr = |panel: usize| format!("/panels/{panel}/targets/0/expr");
    let selector = "job=~\"$job\", instance=~\"$instance\"";
    let breaks: [(String, Value, &str); 14] = [
        ("/editable".into(), json!(true), "editable"),
        ("/uid".into(), json!(""), "no uid"),
        ("/templating/list/0/query".into(), json!("loki"), "variable datasource"),
        ("/templating/list/1/refresh".into(), json!(1), "variable job: /refresh"),
        (
            "/templating/list/2/query/query".into(),
            json!("label_values(keysweep_x, instance)"),
            "no keysweep_x",
        ),
        (format!("/panels/{plain}/id"), json!(1), "another's"),
        (format!("/panels/{plain}/title"), json!(""), "no title"),
        (format!("/panels/{plain}/description"), json!(""), "no description"),
        (format!("/panels/{plain}/fieldConfig/defaults/unit"), json!(""), "no unit"),
        (format!("/panels/{table}/fieldConfig/defaults/unit"), json!("short"), "texts for numbers"),
        (format!("/panels/{plain}/targets/0/datasource/uid"), json!("x"), "another data source"),
        (expr(plain), json!("sum(keysweep_root_keys{instance=~\"$instance\"})"), "any job"),
        (expr(counter), json!(format!("sum(keysweep_scans_total{{{selector}}})")), "a counter as it is"),
        (expr(counter), json!(format!("rate(keysweep_scans_total{{{selector}}}[5m])")), "rate over 5m"),
    ];
    for (place, value, complaint) in breaks {
        let mut broken = sound.clone();
        *broken.pointer_mut(&place).unwrap_or_else(|| panic!("no {place}")) = value;
        let told = complaints(&broken);
        assert!(told.iter().any(|told| told.contains(complaint)), "{place}: {told:?}");
    }
}

#[test]
fn promtool_understands_the_expressions_of_every_dashboard() {
    let mut rules = Vec::new();
    for target in DASHBOARDS.iter().flat_map(|name| targets(&dashboard(name))) {
        let record = format!("dashboard:{}", rules.len());
        rules.push(json!({ "record": record, "expr": target.filled_in() }));
    }
    assert!(rules.len() > 50);
    // JSON is YAML.
    let file = json!({ "groups": [{ "name": "dashboards", "rules": rules }] });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yml"), file.to_string()).unwrap();
    let (content, said) = promtool(folder.path(), &["check", "rules", "--lint=none", "rules.yml"], "");
    assert!(content, "{said}");
}
