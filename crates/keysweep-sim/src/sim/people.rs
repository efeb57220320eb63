//! What people and programs of the organization do, at once or over time, and what administrators set.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use wildmatch::WildMatch;

use super::Sim;
use crate::builder::RoleSpec;
use crate::key_use::KeyUse;
use crate::origin::Origin;
use crate::policy::{Policy, PolicyError};
use crate::script::{Again, Happening, Trigger, Watch};
use crate::world::{Analyzer, AnalyzerFinding, Denial};

impl Sim {
    /// Does everything that is due by the clock. Every request does this by itself.
    pub fn settle(&self) {
        self.locked().settle();
    }

    /// Lets something happen now.
    pub fn happen(&self, who: &str, what: Happening) {
        let mut world = self.locked();
        world.settle();
        let now = world.now();
        world.happen(now, who, &what);
    }

    /// Lets something happen at a time.
    pub fn at(&self, at: Timestamp, who: &str, what: Happening) {
        self.locked().schedule(at, who, what, None);
    }

    /// Lets something happen at `first` and then every `every`, until `until` if there is one.
    pub fn every(
        &self,
        every: SignedDuration,
        first: Timestamp,
        until: Option<Timestamp>,
        who: &str,
        what: Happening,
    ) {
        self.locked().schedule(first, who, what, Some(Again { every, until }));
    }

    /// Lets something happen `delay` after the first change that fires `trigger`, whoever makes it.
    pub fn after(&self, trigger: Trigger, delay: SignedDuration, who: &str, what: Happening) {
        self.locked().watches.push(Watch { trigger, delay, who: who.to_owned(), what });
    }

    /// A program uses the key now.
    pub fn use_key(&self, key_id: &str, service: &str, region: &str) {
        let (key_id, service, region) = (key_id.to_owned(), service.to_owned(), region.to_owned());
        self.happen("program", Happening::UseKey { key_id, service, region });
    }

    /// A program uses the key now, with every detail that CloudTrail shows.
    pub fn use_key_with(&self, used: KeyUse) {
        self.happen("program", Happening::Use(used));
    }

    /// Says where somebody of the organization calls from, by the name that scripts and setters give: `owner`,
    /// `administrator`, `terraform`.
    pub fn set_origin(&self, who: &str, origin: Origin) {
        self.locked().origins.insert(who.to_owned(), origin);
    }

    /// Adds an entry of an answer of LookupEvents as it is: fields missing, from the future, of another key, with a
    /// `CloudTrailEvent` that is no JSON. Every answer for this account and Region holds it, whatever was asked.
    pub fn add_event(&self, account: &str, region: &str, entry: serde_json::Value) {
        self.locked().record_raw_event(account, region, entry);
    }

    /// Sets up an analyzer of unused access: its ARN, its type such as `ORGANIZATION_UNUSED_ACCESS`, and its status.
    pub fn set_analyzer(&self, arn: &str, kind: &str, status: &str) {
        let (kind, status) = (kind.to_owned(), status.to_owned());
        let mut world = self.locked();
        let analyzer = Analyzer { kind, status, age_days: 90, findings: Vec::new() };
        world.analyzers.insert(arn.to_owned(), analyzer);
    }

    /// An analyzer finds something, or finds it again, by its ID. Unlike AWS's, it watches nothing by itself.
    pub fn set_analyzer_finding(&self, analyzer: &str, finding: AnalyzerFinding) {
        let mut world = self.locked();
        if let Some(analyzer) = world.analyzers.get_mut(analyzer) {
            analyzer.findings.retain(|before| before.id != finding.id);
            analyzer.findings.push(finding);
        }
    }

    /// Sets the opt-in status of a Region, as [`AccountBuilder::region`](crate::AccountBuilder::region) does.
    pub fn set_region(&self, account: &str, region: &str, status: &str) {
        self.locked().account_or_new(account).regions.insert(region.to_owned(), status.to_owned());
    }

    /// The owner sets the key's status; words AWS does not know yet are taken as they are.
    pub fn set_key_status(&self, key_id: &str, status: &str) {
        self.happen(
            "owner",
            Happening::SetKeyStatus { key_id: key_id.to_owned(), status: status.to_owned() },
        );
    }

    /// The owner deletes the key.
    pub fn delete_key(&self, key_id: &str) {
        self.happen("owner", Happening::DeleteKey { key_id: key_id.to_owned() });
    }

    /// The owner renames a user, given by name or unique id.
    pub fn rename_user(&self, account: &str, user: &str, to: &str) {
        let (account, user, to) = (account.to_owned(), user.to_owned(), to.to_owned());
        self.happen("owner", Happening::RenameUser { account, user, to });
    }

    /// The owner tags a user.
    pub fn tag_user(&self, account: &str, user: &str, key: &str, value: &str) {
        let (account, user) = (account.to_owned(), user.to_owned());
        let (key, value) = (key.to_owned(), value.to_owned());
        self.happen("owner", Happening::TagUser { account, user, key, value });
    }

    /// The owner removes a tag.
    pub fn untag_user(&self, account: &str, user: &str, key: &str) {
        let (account, user, key) = (account.to_owned(), user.to_owned(), key.to_owned());
        self.happen("owner", Happening::UntagUser { account, user, key });
    }

    /// The team rolls a customer managed policy out to every account, as a StackSet does.
    pub fn ship_policy(&self, name: &str) {
        self.ship_policy_of(
            name,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#,
        );
    }

    /// The same with a document of one's own.
    pub fn ship_policy_of(&self, name: &str, document: &str) {
        self.locked().policies.insert(name.to_owned(), document.to_owned());
    }

    /// Somebody attaches a managed policy to a user.
    pub fn attach_policy(&self, account: &str, user: &str, arn: &str) {
        let (account, user, arn) = (account.to_owned(), user.to_owned(), arn.to_owned());
        self.happen("administrator", Happening::AttachPolicy { account, user, arn });
    }

    /// Takes a managed policy off a user; nothing happens where it is not attached.
    pub fn detach_policy(&self, account: &str, user: &str, arn: &str) {
        let (account, user, arn) = (account.to_owned(), user.to_owned(), arn.to_owned());
        self.happen("administrator", Happening::DetachPolicy { account, user, arn });
    }

    /// An administrator moves an account below the OU at `path`.
    pub fn move_account(&self, account: &str, path: &str) {
        let (account, ou) = (account.to_owned(), path.to_owned());
        self.happen("administrator", Happening::MoveAccount { account, ou });
    }

    /// An administrator closes an account; its credentials stop to work.
    pub fn close_account(&self, account: &str) {
        self.set_account_state(account, "CLOSED");
    }

    /// An administrator brings an account into a state; a word unknown to AWS is only shown.
    pub fn set_account_state(&self, account: &str, state: &str) {
        let (account, state) = (account.to_owned(), state.to_owned());
        self.happen("administrator", Happening::SetAccountState { account, state });
    }

    /// Takes an account out of the organization, with all in it.
    pub fn remove_account(&self, account: &str) {
        let mut world = self.locked();
        let actor = crate::world::Actor::script("administrator");
        // A refusal is in the ledger.
        let _refused = world.remove_account(account, &actor);
    }

    /// Adds a role to an account, or replaces the one of that name.
    pub fn set_role(&self, account: &str, role: RoleSpec) {
        let mut world = self.locked();
        let (name, role) = role.build(world.next_number());
        world.account_or_new(account).roles.insert(name, role);
    }

    /// Removes a role, given by name with path. Sessions it issued live on, as at AWS.
    pub fn remove_role(&self, account: &str, role: &str) {
        let (account, role) = (account.to_owned(), role.to_owned());
        self.happen("administrator", Happening::RemoveRole { account, role });
    }

    /// Denies actions like `action` ("iam:*") from above, as a service control policy does; None: in every account.
    pub fn deny(&self, account: Option<&str>, action: &str) {
        let denial = Denial { account: account.map(str::to_owned), action: WildMatch::new(action) };
        self.locked().denials.push(denial);
    }

    /// Takes all denials from above away.
    pub fn clear_denials(&self) {
        self.locked().denials.clear();
    }

    /// Serves these bytes as the credential report of the account, whatever is true, until None takes them away.
    /// Unless there is a report yet, one is ready now.
    pub fn override_report(&self, account: &str, bytes: Option<Bytes>) {
        let mut world = self.locked();
        let now = world.now();
        let report = &mut world.account_or_new(account).report;
        report.made = report.made.or(Some(now));
        report.override_bytes = bytes;
    }

    /// Makes the report of an account ready, as of now.
    pub fn make_report(&self, account: &str) {
        let mut world = self.locked();
        world.settle();
        let now = world.now();
        world.account_or_new(account).report.complete(now);
    }

    /// Makes the reports of all accounts ready, as of now.
    pub fn make_reports(&self) {
        let mut world = self.locked();
        world.settle();
        let now = world.now();
        world.accounts.values_mut().for_each(|account| account.report.complete(now));
    }

    /// Lets every session from AssumeRole expire at once.
    pub fn expire_sessions(&self) {
        let mut world = self.locked();
        let wall = world.wall();
        world
            .sessions
            .values_mut()
            .for_each(|session| session.expires = session.expires.map(|at| at.min(wall)));
    }

    /// IAM's "Revoke active sessions" on every role: a policy that denies everything to sessions made until now.
    pub fn revoke_sessions(&self) {
        let mut world = self.locked();
        for session in world.sessions.values_mut() {
            let mut principal = (*session.principal).clone();
            if let (Some(role), Some(_)) = (&mut principal.role, session.expires) {
                role.revoked = true;
                session.principal = Arc::new(principal);
            }
        }
    }

    /// The number of the account's root access keys, for AccountAccessKeysPresent and the report.
    pub fn set_root_keys(&self, account: &str, keys: u32) {
        self.locked().account_or_new(account).root_keys = keys;
    }

    /// Gives a role a permissions policy; None lets it do everything again.
    ///
    /// # Errors
    /// When the document is no policy.
    pub fn set_role_policy(
        &self,
        account: &str,
        role: &str,
        policy: Option<&str>,
    ) -> Result<(), PolicyError> {
        let policy = policy.map(Policy::parse).transpose()?.map(std::sync::Arc::new);
        let mut world = self.locked();
        if let Some(role) = world.account_or_new(account).roles.get_mut(role) {
            role.policy = policy;
        }
        Ok(())
    }

    /// Says who may assume a role, in place of the external ID and the caller it was built with.
    ///
    /// # Errors
    /// When the document is no policy.
    pub fn set_trust_policy(&self, account: &str, role: &str, policy: &str) -> Result<(), PolicyError> {
        let policy = std::sync::Arc::new(Policy::parse_trust(policy)?);
        let mut world = self.locked();
        if let Some(role) = world.account_or_new(account).roles.get_mut(role) {
            role.trust_policy = Some(policy);
        }
        Ok(())
    }

    /// Gives the hub a permissions policy; None lets it do everything again. To assume a role in its own account it
    /// needs permission too, where AWS would be content with a trust policy that names it.
    ///
    /// # Errors
    /// When the document is no policy.
    pub fn set_hub_policy(&self, policy: Option<&str>) -> Result<(), PolicyError> {
        let policy = policy.map(Policy::parse).transpose()?.map(std::sync::Arc::new);
        self.locked().set_hub_policy(policy);
        Ok(())
    }

    /// Sets a tag of an account.
    pub fn tag_account(&self, account: &str, key: &str, value: &str) {
        self.locked().account_or_new(account).tags.insert(key.to_owned(), value.to_owned());
    }
}
