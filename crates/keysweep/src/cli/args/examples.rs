//! What stands below the options: exit codes and examples.

pub(super) const SCAN_EXAMPLES: &str = "\
Exit codes:
  0  done
  1  failed
  2  usage or configuration
  3  findings that --fail-on names
  4  incomplete coverage: accounts failed, or keys have unknown facts; goes before 3

Examples:
  keysweep scan                                    a table of every finding
  keysweep scan --account 111122223333             one account
  keysweep scan --format csv > findings.csv        for a spreadsheet
  keysweep scan --fail-on unused,never_used        for a pipeline";

pub(super) const DOCTOR_EXAMPLES: &str = "\
What may be read is read, and roles are assumed. What the role that changes keys may do is asked by
iam:SimulatePrincipalPolicy, if the role that scans may call it; no policy of `keysweep iam` has it,
and without it the answer is \"cannot tell\", which is no gap.

Exit codes:
  0  nothing is missing, as far as can be told
  1  failed
  2  usage or configuration
  4  something is missing, or could not be asked

Examples:
  keysweep doctor                                  everything
  keysweep doctor --account 111122223333           one account
  keysweep doctor --format json                    every account of every problem";

pub(super) const KEYS_EXAMPLES: &str = "\
Examples:
  keysweep keys list --state flagged
  keysweep keys show AKIAIOSFODNN7EXAMPLE
  keysweep keys hold AKIAIOSFODNN7EXAMPLE --for 30d --reason \"migration until May\"
  keysweep keys reactivate AKIAIOSFODNN7EXAMPLE
      the undo: works at once, whatever stops the rest
  keysweep keys delete AKIAIOSFODNN7EXAMPLE --confirm AKIAIOSFODNN7EXAMPLE --reason \"owner left\"";

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
A backup is JSON lines: one that describes it, every line of the journal, and one with its checksum
(`head -n -1 FILE | sha256sum`). The daemon makes backups by itself where [backup] says so.

Examples:
  keysweep state backup /mnt/backup               a file of its own in a directory
  keysweep state backup before-upgrade.jsonl";

pub(super) const RESTORE_EXAMPLES: &str = "\
Everything is checked before anything is touched. What came after the backup is forgotten: holds,
denials, changes. So keysweep starts paused, grace starts over, notices are due again, and no cap is
free for a day. Undo works at once.

Examples:
  keysweep state restore keysweep-20261122T031500Z.jsonl
  keysweep state restore keysweep-20261122T031500Z.jsonl --force
  keysweep plan                                   then look,
  keysweep resume --reason \"restored\"             and go on";

pub(super) const TOKEN_EXAMPLES: &str = "\
Examples:
  keysweep token new --name dana --role operator
      the token, and what to put into keysweep.toml
  keysweep token new --name dashboard > token
      the token goes into the file, the rest is shown
  curl --header \"Authorization: Bearer $(cat token)\" https://HOST:9853/";

pub(super) const BREAKER_EXAMPLES: &str = "\
Examples:
  keysweep breaker reset
      shows why it is open, and which keys a reset accepts
  keysweep breaker reset --confirm 34 --reason \"yearly clean-up\"
      accepts those 34 keys and goes on";
