//! The judgement of one change, at the moment its call comes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use keysweep_sim::watch::Call;
use keysweep_sim::{Change, Sim, Who};

use super::seen::Read;
use super::wire::user_of;
use super::{
    Applied, DEACTIVATE, DELETE, END_QUARANTINE, Held, Inner, Oracle, QUARANTINE, REACTIVATE, WOKEN, is_undo,
};
use crate::history::organization::{QUARANTINE_POLICY, is_tagged};
use crate::history::rules::{Mode, Rules};

/// A re-check comes right before its change; slow answers and limiters lie in between.
const FRESH: SignedDuration = SignedDuration::from_mins(5);

/// CloudTrail shows an event five minutes later, and is looked at minutes before the call.
const LAG: SignedDuration = SignedDuration::from_mins(12);

/// Regions that are enabled in every account.
const REGIONS: usize = 17;

/// What was read so lately may be the re-check of an order.
const BESIDE: SignedDuration = SignedDuration::from_secs(10);

/// Clocks of this size apart are not told apart.
pub(super) const CLOSE: SignedDuration = SignedDuration::from_mins(10);

/// AWS refuses signatures that are further off.
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The attempt and half a minute: AWS refuses a change that arrives later than this after it was sent, as reckoned to the
/// second.
const DEADLINE: SignedDuration = SignedDuration::from_secs(42);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A change, with what there is to know about it.
pub(super) struct Case<'a> {
    pub(super) account: &'a str,
    pub(super) user: &'a str,
    pub(super) key: &'a str,
    pub(super) action: &'static str,
    pub(super) now: Timestamp,
    wall: Timestamp,
    pub(super) ordered: bool,
}

/// A promise, and how it was broken.
pub(super) type Verdict = Result<(), (&'static str, String)>;

impl Oracle {
    pub(super) fn judge(&self, call: &Call<'_>, action: &'static str) {
        let (account, user) = user_of(call);
        let of_user = matches!(action, QUARANTINE | END_QUARANTINE);
        let key_in_quarantine =
            of_user.then(|| self.locked().key_in_quarantine(&self.sim, &account, &user, action)).flatten();
        let key = call.param("AccessKeyId").or(key_in_quarantine.as_deref()).unwrap_or_default();
        let (off, wall, now) = (self.time.off(), self.time.wall(), self.time.now());
        let mut inner = self.locked();
        let ordered = inner.ordered.as_ref().is_some_and(|(k, a)| k == key && *a == action);
        let case = Case { account: &account, user: &user, key, action, now, wall, ordered };
        let verdict = inner.intended(&case).and_then(|()| match action {
            REACTIVATE => inner.judge_undo(&case).and_then(|()| inner.linked_undo(&case)),
            END_QUARANTINE => {
                inner.tried_to_end(key);
                inner.linked_undo(&case)
            }
            _ => inner.judge_change(&case, off),
        });
        if let Err((promise, what)) = verdict {
            inner.broken(promise, format!("{action} of {key} of {user} in {account}: {what}"));
        }
        inner.answered.insert((key.to_owned(), action), false);
        inner.open.insert(call.number, (key.to_owned(), action, now));
        inner.in_flight.insert(call.number, (key.to_owned(), action, now));
        inner.sent_at.insert((key.to_owned(), action), now);
        inner.tally.add(&format!("sent {action}"));
    }
}

impl Inner {
    /// P4 and P5: as many intents on disk as calls sent, this one included.
    fn intended(&mut self, case: &Case<'_>) -> Verdict {
        let what = (case.key.to_owned(), case.action);
        let intents = self.intents.get(&what).copied().unwrap_or_default();
        let sent = self.sent.entry(what).or_default();
        *sent += 1;
        match intents {
            0 => Err(("P4", "no intent is on disk".into())),
            n if n < *sent => Err(("P5", format!("call {sent} with {n} intents on disk"))),
            _ => Ok(()),
        }
    }

    fn judge_undo(&self, case: &Case<'_>) -> Verdict {
        if !case.ordered {
            return Err(("P6", "nobody ordered it".into()));
        }
        fresh(self.seen.keys.get(&case.of_user()), case, "its keys were not listed")?;
        fresh(self.seen.users.get(&case.of_user()), case, "its user was not read")?;
        Ok(())
    }

    fn judge_change(&self, case: &Case<'_>, off: SignedDuration) -> Verdict {
        let by_rules = |rules: &Rules| self.permitted(case, rules);
        let permitted = by_rules(&self.rules);
        let mut old = self.before.iter().filter(|(_, until)| case.now <= *until).map(|(rules, _)| rules);
        if let (Err(broken), true) = (&permitted, old.all(|old| by_rules(old).is_err())) {
            return Err(broken.clone());
        }
        self.unrestrained(case, off)?;
        self.capped(case)?;
        if case.action == QUARANTINE {
            self.stops_only_stale_keys(case)?;
        }
        if case.action == DELETE {
            self.bundled(case.account, case.key, case.wall).map_err(|what| ("P14", what))?;
        }
        self.evident(case)
    }

    /// What mode, notice, approval and thresholds say.
    fn permitted(&self, case: &Case<'_>, rules: &Rules) -> Verdict {
        let deactivates = matches!(case.action, DEACTIVATE | QUARANTINE);
        let needed = if case.action == DELETE { Mode::Delete } else { Mode::Deactivate };
        if !case.ordered && rules.mode_of(case.account) < needed {
            let mode = rules.mode_of(case.account);
            return Err(("P1", format!("the mode is {mode:?}")));
        }
        let near = [case.wall - SignedDuration::from_mins(2), case.wall];
        if rules.exempts_accounts && is_tagged(case.account) {
            return Err(("P9", "its account bears the tag that exempts".into()));
        }
        if !case.ordered && !near.into_iter().any(|at| rules.in_window(at)) {
            return Err(("P2", "the window is closed".into()));
        }
        self.consented(case, rules)?;
        if deactivates && !case.ordered {
            let notice = self.noticed.get(case.key).ok_or(("P2", "no notice is on record".to_owned()))?;
            let since = case.now.duration_since(notice.at);
            if since + CLOSE < Rules::days(rules.notice) {
                return Err(("P2", format!("the notice is {since:#} old")));
            }
        }
        if case.action == DELETE {
            let watched = self.watched.get(case.key).map(|watched| watched.sum).unwrap_or_default();
            if watched + SignedDuration::from_mins(30) < SignedDuration::from_hours(rules.grace_hours) {
                return Err(("P3", format!("it was watched for {watched:#} of {} hours", rules.grace_hours)));
            }
        }
        if deactivates || !case.ordered {
            self.stale(case, rules)?;
        }
        if case.action == DEACTIVATE && !case.ordered {
            self.quarantined(case, rules)?;
        }
        if case.action == DELETE
            && !case.ordered
            && !rules.adopt_inactive
            && !self.deactivated.contains(case.key)
        {
            return Err(("lifecycle", "it was never keysweep that deactivated it".into()));
        }
        Ok(())
    }

    /// A user with one key that works was in quarantine for as long as the rules ask; one with two may have had none,
    /// since it would stop both.
    fn quarantined(&self, case: &Case<'_>, rules: &Rules) -> Verdict {
        let Some(days) = rules.quarantine else { return Ok(()) };
        let listed = fresh(self.seen.keys.get(&case.of_user()), case, "its keys were not listed")?;
        if listed.iter().filter(|key| key.status == "Active").count() > 1 {
            return Ok(());
        }
        let span = self.time_in_quarantine(case.key, case.now);
        let span = span.ok_or(("P2", "its user was not in quarantine".to_owned()))?;
        if span + CLOSE < Rules::days(days) {
            return Err(("P2", format!("its user was in quarantine for {span:#} only")));
        }
        Ok(())
    }

    /// P6: a quarantine stops every key of the user, so that each that works was announced to be deactivated.
    fn stops_only_stale_keys(&self, case: &Case<'_>) -> Verdict {
        if self.rules.quarantine.is_none() && self.before.iter().all(|(rules, _)| rules.quarantine.is_none())
        {
            return Err(("P2", "the rules ask for no quarantine".into()));
        }
        let listed = fresh(self.seen.keys.get(&case.of_user()), case, "its keys were not listed")?;
        let others = listed.iter().filter(|key| key.status == "Active" && key.key != case.key);
        for other in others {
            if !self.noticed.contains_key(&other.key) {
                return Err(("P6", format!("it stops {}, which is not to be deactivated", other.key)));
            }
        }
        Ok(())
    }

    /// P13: whoever owns the key was told, and nobody in their place. Where no address may be used, the account is told.
    fn told_first(&self, case: &Case<'_>, owner: Option<&str>) -> Verdict {
        let told = self.told.get(case.key).ok_or(("P13", "nobody was told".to_owned()))?.as_deref();
        // As the simulator makes it up.
        let of_account = format!("aws+{}@example.com", case.account);
        match (owner, told) {
            (Some(owner), Some(told)) if told == owner => Ok(()),
            (None, Some(told)) if told == of_account => Ok(()),
            (owner, told) => Err(("P13", format!("{told:?} was told, and it belongs to {owner:?}"))),
        }
    }

    /// By what keysweep was shown, the key is idle for as long as the rules ask.
    fn stale(&self, case: &Case<'_>, rules: &Rules) -> Verdict {
        let listed = fresh(self.seen.keys.get(&case.of_user()), case, "its keys were not listed")?;
        let created = listed.iter().find(|key| key.key == case.key).and_then(|key| key.created);
        let used = fresh(self.seen.last_uses.get(case.key), case, "its last use was not read")?;
        let idle_since = created.max(*used).ok_or(("P2", "nothing says how old it is".to_owned()))?;
        let idle = case.now.duration_since(idle_since);
        if idle + CLOSE < rules.threshold(case.user, used.is_some()) {
            return Err(("P2", format!("it is idle for {idle:#} only")));
        }
        Ok(())
    }

    /// P7, P8, P10: pause, holds, the clock.
    fn unrestrained(&self, case: &Case<'_>, off: SignedDuration) -> Verdict {
        if self.paused {
            return Err(("P8", "keysweep is paused".into()));
        }
        if let Some(failed) = self.failed.get(case.account)
            && case.now.duration_since(*failed) < DAY - CLOSE
            && !case.ordered
        {
            return Err(("P8", format!("a change in its account failed at {failed}")));
        }
        if !case.ordered && off.abs() > MAX_SKEW + SignedDuration::from_secs(30) {
            return Err(("P8", format!("the clock is off by {off:#}")));
        }
        let now = case.now + SignedDuration::from_mins(1);
        // What people did is known once a listing has shown it.
        let shown = self.seen.active.get(case.key);
        let knowable = |held: &Held| held.why != WOKEN || shown.is_some_and(|shown| *shown > held.since);
        let holds = |held: &&Held| knowable(held) && held.until.is_none_or(|until| now < until);
        match self.held.get(case.key).and_then(|held| held.iter().find(holds)) {
            Some(held) => Err((held.promise, held.why.into())),
            None => Ok(()),
        }
    }

    /// P8: caps over rolling 24 hours.
    fn capped(&self, case: &Case<'_>) -> Verdict {
        let since = case.now - (DAY - SignedDuration::from_mins(10));
        let lately = || self.applied.iter().filter(move |change| change.at > since);
        let same = lately().filter(|change| change.action == case.action).count();
        let rules = &self.rules;
        let cap = if case.action == DELETE { rules.deletions_per_day } else { rules.deactivations_per_day };
        if same >= cap {
            return Err(("P8", format!("it would be number {} of {cap} in 24 hours", same + 1)));
        }
        let here = lately().filter(|change| change.account == case.account).count();
        if here >= rules.changes_per_account_per_day {
            let cap = rules.changes_per_account_per_day;
            return Err(("P8", format!("it would be number {} of {cap} in its account", here + 1)));
        }
        Ok(())
    }

    /// P2, P6, P9: everything was read again, right before, and allows it.
    fn evident(&self, case: &Case<'_>) -> Verdict {
        let user = fresh(self.seen.users.get(&case.of_user()), case, "its user was not read")?;
        let listed = fresh(self.seen.keys.get(&case.of_user()), case, "its keys were not listed")?;
        let used = fresh(self.seen.last_uses.get(case.key), case, "its last use was not read")?;
        // The policies are read after the user. What began between those reads and the call nobody could know.
        let read_at = self.seen.users.get(&case.of_user()).map(|read| read.at);
        if self.incidents.get(&user.user_id).is_some_and(|since| Some(*since) <= read_at) {
            return Err(("P2", "its user is under AWS's quarantine".into()));
        }
        if self.rules.exempt_ou.is_some() {
            let parents = self.seen.parents.get(case.account);
            fresh(parents, case, "its account's OUs were not read")?;
            let seen_at = parents.map(|read| read.at);
            if self.placed.get(case.account).is_some_and(|(since, exempt)| *exempt && Some(*since) <= seen_at)
            {
                return Err(("P9", "its account is in an OU that is exempt".into()));
            }
        }
        if user.exempt {
            return Err(("P9", "its user bears the tag that exempts".into()));
        }
        if self.rules.owners && !case.ordered {
            self.told_first(case, user.owner.as_deref())?;
            if self.rules.mail {
                self.heard_first(case, &self.rules)?;
            }
        }
        let wanted = if case.action == DELETE { "Inactive" } else { "Active" };
        match listed.iter().find(|key| key.key == case.key) {
            None => return Err(("P6", "its user was not shown to have it".into())),
            Some(key) if key.status != wanted => return Err(("P2", format!("it was shown {}", key.status))),
            Some(_) => {}
        }
        let created = listed.iter().find(|key| key.key == case.key).and_then(|key| key.created);
        if let Some((user_id, then)) = self.named.get(case.key)
            && (*user_id != user.user_id || *then != created)
        {
            return Err(("P6", "it is not the key that was flagged".into()));
        }
        if self.rules.cloudtrail && !self.rules.ignores_gaps {
            let looks = self.seen.looks.iter().filter(|((key, _), _)| key == case.key);
            let looked = looks.filter(|(_, read)| fresh(Some(read), case, "").is_ok()).count();
            if looked < REGIONS {
                return Err(("P2", format!("CloudTrail was read in {looked} of {REGIONS} Regions")));
            }
        }
        // CloudTrail is minutes late, and was looked at before.
        let logged = self.logged.get(case.key).into_iter().flatten();
        // What is as old as the rules ask is no use that matters.
        let recent = self.rules.threshold(case.user, true) - CLOSE;
        let logged = logged
            .filter(|at| case.now.duration_since(**at) > LAG && case.now.duration_since(**at) < recent)
            .max();
        let later = |at: &&Timestamp| used.is_none_or(|used| at.as_second() > used.as_second());
        // What is in a Region that could not be read need not be known.
        if let Some(at) = logged.filter(later)
            && self.rules.cloudtrail
            && !self.rules.ignores_gaps
        {
            return Err(("P2", format!("CloudTrail shows a use at {at}")));
        }
        if let (DELETE, Some(used), Some(at)) = (case.action, used, self.deactivated_at.get(case.key))
            && *used > *at + CLOSE
        {
            return Err(("P3", format!("it was used at {used}, after its deactivation")));
        }
        Ok(())
    }

    /// The key that a call changes, or whose user.
    pub(super) fn changed_key(&self, call: u64) -> Option<String> {
        self.open.get(&call).map(|(key, ..)| key.clone())
    }

    /// A call came to its end.
    pub(super) fn ended(
        &mut self,
        call: &Call<'_>,
        key: &str,
        action: &'static str,
        clear: bool,
        done: bool,
        now: Timestamp,
    ) {
        if clear {
            self.open.remove(&call.number);
        }
        if done {
            self.done(call.account, key, action, now);
        }
    }

    /// A change is in force at AWS.
    pub(super) fn done(&mut self, account: &str, key: &str, action: &'static str, at: Timestamp) {
        self.tally.add(&format!("change {action}"));
        if action == END_QUARANTINE {
            return;
        }
        if action == QUARANTINE {
            self.applied.push(Applied { at, account: account.into(), action });
            return;
        }
        if action == REACTIVATE {
            let until = at + Rules::days(self.rules.hold_after_reactivation);
            let held = Held { since: at, until: Some(until), promise: "P7", why: WOKEN };
            self.held.entry(key.into()).or_default().push(held);
            self.noticed.remove(key);
        } else {
            self.applied.push(Applied { at, account: account.into(), action });
            self.deactivated.insert(key.into());
        }
    }

    /// P5: what took effect although it was late. P8: what was sent after a pause was acknowledged, or took effect though
    /// its deadline had not begun before.
    pub(super) fn after_pause(&mut self, sim: &Sim) {
        let changes = sim.changes_after(self.ledger_read);
        self.ledger_read += u64::try_from(changes.len()).unwrap_or_default();
        for change in changes {
            let ours = !matches!(change.who, Who::Script(_)) && change.applied;
            let key = change.key_id.clone().unwrap_or_default();
            let action = match (change.action.as_str(), change.new.as_deref()) {
                ("iam:UpdateAccessKey", Some("Active")) => REACTIVATE,
                ("iam:UpdateAccessKey", _) => DEACTIVATE,
                _ => DELETE,
            };
            let Some(sent) = self.sent_at.get(&(key, action)).copied().filter(|_| ours) else { continue };
            if change.at > sent + DEADLINE {
                self.broken("P5", format!("{change:?} took effect, and was sent at {sent}"));
            }
            // A call that was sent before may be on its way until its deadline.
            let paused = self.paused_since.filter(|since| {
                change.at > *since + SignedDuration::from_secs(1)
                    && (sent > *since || change.at > *since + DEADLINE)
            });
            if let Some(since) = paused.filter(|_| !is_undo(action)) {
                self.broken("P8", format!("{change:?} took effect after the pause of {since}"));
            }
        }
    }

    /// Settles calls whose end nobody saw, by the truth.
    pub(super) fn settle(&mut self, sim: &Sim, now: Timestamp) {
        // What may still be on its way is settled later.
        let (over, on_their_way) = std::mem::take(&mut self.open)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, (_, _, sent))| now > *sent + DEADLINE);
        self.open = on_their_way;
        for (_, (key, action, sent)) in over {
            if action == END_QUARANTINE {
                continue;
            }
            if action == QUARANTINE {
                let truth = sim.key(&key);
                let has_policy = truth.is_some_and(|truth| {
                    let attached = sim.attached(&truth.account, &truth.user_name);
                    attached.iter().any(|arn| arn.ends_with(QUARANTINE_POLICY))
                });
                if has_policy {
                    self.tally.add("unclear and applied");
                    self.done("", &key, action, sent);
                }
                continue;
            }
            // What took effect did so soon after it was sent, whenever it is looked at.
            let Some(truth) = sim.key(&key) else {
                if action == DELETE {
                    self.tally.add("unclear and applied");
                    self.done("", &key, action, sent);
                }
                continue;
            };
            // What an owner did after the deadline is the owner's.
            let of_key = |change: &&Change| change.key_id.as_ref() == Some(&key) && change.applied;
            let altered = |change: &&Change| of_key(change) && change.old != change.new;
            let by_owner =
                sim.changes().iter().rev().find(altered).is_some_and(|change| {
                    matches!(change.who, Who::Script(_)) && change.at > sent + DEADLINE
                });
            match (action, truth.status.as_str()) {
                (DEACTIVATE, "Inactive") if by_owner => self.tally.add("unclear, and an owner did it"),
                (DEACTIVATE, "Inactive") | (REACTIVATE, "Active") => {
                    self.tally.add("unclear and applied");
                    self.done(&truth.account, &key, action, sent);
                }
                (DEACTIVATE, _) => {
                    self.tally.add("unclear and not applied");
                    let held = Held {
                        since: sent,
                        until: Some(sent + DAY - CLOSE),
                        promise: "P5",
                        why: "its fate was unclear",
                    };
                    self.held.entry(key).or_default().push(held);
                }
                _ => self.tally.add("unclear and not applied"),
            }
        }
    }
}

impl Case<'_> {
    pub(super) fn of_user(&self) -> (String, String) {
        (self.account.into(), self.user.into())
    }
}

/// What the last attempt to read something showed, if it came right before. While an operator's order is carried out a
/// sweep may be reading the same, and fail.
pub(super) fn fresh<'a, T>(
    read: Option<&'a Read<T>>,
    case: &Case<'_>,
    else_: &str,
) -> Result<&'a T, (&'static str, String)> {
    let within = |at: Timestamp, span: SignedDuration| case.now.duration_since(at) <= span;
    let last = read.filter(|read| within(read.at, FRESH)).and_then(|read| read.shown.as_ref());
    let before = read.and_then(|read| read.before.as_ref());
    let before = before.filter(|(at, _)| case.ordered && within(*at, BESIDE)).map(|(_, shown)| shown);
    last.or(before).ok_or_else(|| ("P2", format!("{else_} right before")))
}
