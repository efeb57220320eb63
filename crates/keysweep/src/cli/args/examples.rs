//! Help text below the options: exit codes and examples.

pub(super) const SCAN_EXAMPLES: &str = "\
Exit codes:
  0  success
  1  failure
  2  usage or configuration error
  3  findings that match --fail-on
  4  incomplete coverage: an account failed, no account was scanned, an account named by --account was
     skipped, facts about a key are unknown, or the clock differs from AWS's by more than five minutes;
     takes precedence over 3

Examples:
  keysweep scan                                    all findings as a table
  keysweep scan --here                             only the account of your credentials, without roles
  keysweep scan --account 111122223333             one account
  keysweep scan --format csv > findings.csv        for a spreadsheet
  keysweep scan --fail-on unused,never_used        for a pipeline";

pub(super) const DOCTOR_EXAMPLES: &str = "\
doctor reads what it has access to, and assumes the roles. It checks the permissions of the role
that changes keys with iam:SimulatePrincipalPolicy, if the role that scans may call it. No policy
printed by `keysweep iam` grants this. Without it, the result is \"cannot tell\", which is not a gap.

Exit codes:
  0  no gap found
  1  failure
  2  usage or configuration error
  4  something is missing or could not be checked

Examples:
  keysweep doctor                                  all accounts
  keysweep doctor --account 111122223333           one account
  keysweep doctor --format json                    all accounts of each problem";

pub(super) const KEYS_EXAMPLES: &str = "\
Examples:
  keysweep keys list --state flagged
  keysweep keys show AKIAIOSFODNN7EXAMPLE
  keysweep keys hold AKIAIOSFODNN7EXAMPLE --for 30d --reason \"migration until May\"
  keysweep keys reactivate AKIAIOSFODNN7EXAMPLE
      undo: works immediately, even while other changes are blocked
  keysweep keys delete AKIAIOSFODNN7EXAMPLE --confirm AKIAIOSFODNN7EXAMPLE --reason \"owner left\"";

pub(super) const APPROVALS_EXAMPLES: &str = "\
Examples:
  keysweep approvals list
  keysweep approvals claim 120-1f2e3d4c
  keysweep approvals approve 120-1f2e3d4c --reason \"ticket 4711\"
  keysweep approvals deny 120-1f2e3d4c 121-0a1b2c3d --reason \"used by the yearly audit\"
  keysweep approvals approve --account 111122223333 --all 12 --reason \"account is being closed\"
      approves the listed requests of an account, if there are exactly 12";

pub(super) const EXEMPTIONS_EXAMPLES: &str = "\
Examples:
  keysweep exemptions list
  keysweep exemptions add AKIAIOSFODNN7EXAMPLE --until 90d --reason \"yearly audit\"
  keysweep exemptions add AKIAIOSFODNN7EXAMPLE --whole-user --until 2027-03-01 --reason \"ticket 4711\"
      exempts every key that the user has and will have
  keysweep exemptions end 120 --reason \"migrated\"";

pub(super) const NOTICES_EXAMPLES: &str = "\
Examples:
  keysweep notices list --status undeliverable
  keysweep notices preview --kind deactivation_ahead
  keysweep notices preview --kind deactivated --key AKIAIOSFODNN7EXAMPLE
  keysweep notices send --test email
  keysweep notices send --test security@example.com
  keysweep notices retry 4711 --reason \"the mail server works again\"";

pub(super) const IAM_EXAMPLES: &str = "\
Examples:
  keysweep iam hub > hub.json
  keysweep iam scan > scan.json
  keysweep iam scan --trust arn:aws:iam::111122223333:role/keysweep-hub > scan-trust.json
  aws iam create-role --path /keysweep/ --role-name KeysweepScan \\
      --assume-role-policy-document file://scan-trust.json
  aws iam put-role-policy --role-name KeysweepScan --policy-name keysweep \\
      --policy-document file://scan.json";

pub(super) const BACKUP_EXAMPLES: &str = "\
A backup is a JSON Lines file: a header, every line of the journal, and a line with the checksum
(`head -n -1 FILE | sha256sum`). To schedule backups, configure [backup].

Examples:
  keysweep state backup /mnt/backup               a new file in a directory
  keysweep state backup before-upgrade.jsonl";

pub(super) const RESTORE_EXAMPLES: &str = "\
keysweep checks everything before it changes anything. The backup does not contain what happened
after it: holds, denials, changes. Therefore, keysweep starts paused, grace periods and notices
start over, and no change within a cap is possible for a day. Undo works immediately.

Examples:
  keysweep state restore keysweep-20261122T031500Z.jsonl
  keysweep state restore keysweep-20261122T031500Z.jsonl --force
  keysweep plan                                   review,
  keysweep resume --reason \"restored\"             then resume";

pub(super) const TOKEN_EXAMPLES: &str = "\
Examples:
  keysweep token new --name dana --role operator
      prints the token and its configuration for keysweep.toml
  keysweep token new --name dashboard > token
      writes the token to a file and shows the rest
  curl --header \"Authorization: Bearer $(cat token)\" https://HOST:9853/";

pub(super) const BREAKER_EXAMPLES: &str = "\
Examples:
  keysweep breaker show
      shows why it is open, and the keys that a reset accepts
  keysweep breaker reset --confirm 34-9f2c01ab --reason \"yearly clean-up\"
      accepts exactly those 34 keys and closes it";

pub(super) const EVIDENCE_EXAMPLES: &str = "\
A bundle is one line of JSON. Its SHA-256 is in the journal before the key is deleted. It contains
the facts with their sources, the lookup in CloudTrail, the policy, the history, and what it does
not show. keysweep writes one before each deletion, and on request.

Exit codes of verify:
  0  verified
  1  not verified: altered, not in the journal, not signed with this key, or unreadable
  2  usage or configuration error

Examples:
  keysweep evidence AKIAIOSFODNN7EXAMPLE > bundle.json
  keysweep evidence AKIAIOSFODNN7EXAMPLE --format html > bundle.html
  keysweep evidence AKIAIOSFODNN7EXAMPLE --gather  read everything now, and write a new bundle
  keysweep evidence verify bundle.json             against the journal; a daemon may run
  keysweep evidence verify bundle.json --public-key signing.pub";
