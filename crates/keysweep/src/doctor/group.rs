//! Equal problems in many accounts, made one.

use std::collections::BTreeMap;

use keysweep_core::ids::AccountId;

use super::document::{CheckName, Problem, StatementSeen, Verdict};

/// A problem on its way into the document.
#[derive(Debug, Clone)]
pub(super) struct Raised {
    pub(super) problem: Problem,
    /// What to look at first if every account that was examined has it.
    pub(super) everywhere: Option<String>,
}

impl Raised {
    /// Of no account.
    pub(super) fn once(problem: Problem) -> Self {
        Self { problem, everywhere: None }
    }

    /// Of this account.
    pub(super) fn of(account: AccountId, problem: Problem) -> Self {
        let accounts = vec![account.to_string()];
        Self { problem: Problem { accounts, ..problem }, everywhere: None }
    }
}

/// The worst first.
type Key = (std::cmp::Reverse<Verdict>, CheckName, String, Vec<String>, Option<StatementSeen>, String);

/// Groups what differs only in the account and in the words of the answer, of which those of the first account stay.
pub(super) fn grouped(raised: Vec<Raised>, examined: usize) -> Vec<Problem> {
    let mut groups: BTreeMap<Key, Raised> = BTreeMap::new();
    for one in raised {
        let Problem { check, verdict, what, actions, statement, remedy, .. } = one.problem.clone();
        let key = (std::cmp::Reverse(verdict), check, what, actions, statement, remedy);
        match groups.get_mut(&key) {
            Some(group) => join(&mut group.problem, one.problem),
            None => {
                groups.insert(key, one);
            }
        }
    }
    let finished = |Raised { mut problem, everywhere }| {
        problem.accounts.sort();
        if let Some(hint) = everywhere.filter(|_| examined > 1 && problem.accounts.len() == examined) {
            problem.remedy = format!("{hint}; {}", problem.remedy);
        }
        problem
    };
    groups.into_values().map(finished).collect()
}

fn join(group: &mut Problem, one: Problem) {
    // Accounts come in any order: what is shown must not depend on it.
    if one.accounts.first() < group.accounts.iter().min() {
        group.reason = one.reason;
    }
    group.accounts.extend(one.accounts);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_raised(account: u64, what: &str, reason: &str) -> Raised {
        let problem = Problem {
            check: CheckName::ScanRole,
            verdict: Verdict::Gap,
            what: what.into(),
            actions: vec!["iam:GetUser".into()],
            statement: None,
            reason: Some(reason.into()),
            remedy: "do something".into(),
            accounts: Vec::new(),
        };
        let raised = Raised::of(format!("{account:012}").parse().unwrap(), problem);
        Raised { everywhere: Some("look at the hub".into()), ..raised }
    }

    #[test]
    fn the_same_in_many_accounts_is_one_problem_whatever_the_order() {
        let raised: Vec<Raised> = [3, 1, 2].map(|n| mk_raised(n, "no role", &format!("said {n}"))).into();
        let problems = grouped(raised, 4);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].accounts, ["000000000001", "000000000002", "000000000003"]);
        assert_eq!(problems[0].reason.as_deref(), Some("said 1"));
        assert_eq!(problems[0].remedy, "do something");
    }

    #[test]
    fn what_is_so_everywhere_says_where_to_look_first() {
        let raised = vec![mk_raised(1, "no role", ""), mk_raised(2, "no role", "")];
        assert_eq!(grouped(raised, 2)[0].remedy, "look at the hub; do something");
        assert_eq!(grouped(vec![mk_raised(1, "no role", "")], 1)[0].remedy, "do something");
    }

    #[test]
    fn the_worst_comes_first() {
        let mut note = mk_raised(1, "a", "");
        note.problem.verdict = Verdict::Note;
        let problems = grouped(vec![note, mk_raised(1, "b", "")], 9);
        assert_eq!(problems.iter().map(|one| one.verdict).collect::<Vec<_>>(), [Verdict::Gap, Verdict::Note]);
    }
}
