//! Who else could write to data_dir.
//!
//! What is in it decides what keysweep changes, and is the audit log: nobody but the user that keysweep runs as, and
//! root, may write there.
//!
//! A group may write only where nobody shares it by accident: it is a group of the process, and its number is that of the
//! user (the private group that most distributions make for each user), or it is the primary group and the directory
//! has the setgid bit, or data_dir belongs to root and has that bit, so that root gave it to this group. Kubernetes needs
//! this: with `fsGroup` the volume belongs to root, and the kubelet makes everything in it writable by that group and
//! sets the setgid bit. Volumes that `fsGroup` does not reach, such as those of the local-path provisioner, are writable
//! by everyone; that is accepted of a mount point that belongs to root while keysweep runs as another user, which could
//! not write there otherwise. Nothing is known of access lists (ACLs) beyond what shows in the bits of the group.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid, getgroups};

use crate::error::OpenError;

/// What is wrong with the owner or the permissions of a file, and the command that mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong, such as `is writable by everyone`.
    pub problem: String,
    /// The command.
    pub command: String,
}

/// Who asks.
#[derive(Debug, Clone, Default)]
struct Me {
    user: u32,
    group: u32,
    /// Supplementary groups.
    groups: Vec<u32>,
    /// The group to which root gave data_dir.
    given: Option<u32>,
}

/// Looks at data_dir and at what is in it that keysweep opens by name: who could write there besides this user and root.
///
/// # Errors
/// If something cannot be looked at.
pub fn exposed(data_dir: &Path) -> io::Result<Option<Exposed>> {
    let groups = getgroups()?.into_iter().map(|group| group.as_raw()).collect();
    let mut me = Me { user: geteuid().as_raw(), group: getegid().as_raw(), groups, given: None };
    let found = fs::metadata(data_dir)?;
    let (mode, gid) = (found.mode(), found.gid());
    me.given = (found.uid() == 0 && mode & SETGID != 0 && me.is_in(gid)).then_some(gid);
    let volume = found.uid() == 0 && me.user != 0 && is_mount_point(data_dir, &found);
    let judged = me.judge(data_dir, &found, if volume { mode & !0o022 } else { mode });
    if judged.is_some() {
        return Ok(judged);
    }
    for name in ["lock", crate::reserve::NAME] {
        if let Some(exposed) = me.file(&data_dir.join(name))? {
            return Ok(Some(exposed));
        }
    }
    for name in [crate::journal::DIR, crate::projection::DIR] {
        let dir = data_dir.join(name);
        match me.directory(&dir) {
            // What is in the place of a directory is told of by whoever opens it.
            Ok(None) if !dir.is_dir() => continue,
            Ok(None) => {}
            Ok(Some(exposed)) => return Ok(Some(exposed)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        }
        for entry in fs::read_dir(&dir)? {
            if let Some(exposed) = me.file(&entry?.path())? {
                return Ok(Some(exposed));
            }
        }
    }
    Ok(None)
}

/// Refuses a data_dir that others could write to.
pub(crate) fn check(data_dir: &Path) -> Result<(), OpenError> {
    match exposed(data_dir) {
        Ok(None) => Ok(()),
        Ok(Some(exposed)) => Err(OpenError::Exposed(exposed)),
        Err(source) => Err(OpenError::Inspect { path: data_dir.into(), source }),
    }
}

fn is_mount_point(path: &Path, found: &Metadata) -> bool {
    // A symbolic link is followed as the directory was.
    let parent = fs::canonicalize(path).ok().and_then(|path| fs::metadata(path.parent()?).ok());
    parent.is_some_and(|parent| parent.dev() != found.dev())
}

impl Me {
    fn is_in(&self, group: u32) -> bool {
        group == self.group || self.groups.contains(&group)
    }

    /// Whether nobody shares this group by accident.
    fn is_private(&self, group: u32, mode: u32) -> bool {
        let own = self.is_in(group) && group == self.user;
        own || (group == self.group && mode & SETGID != 0) || self.given == Some(group)
    }

    /// A directory; a symbolic link to it counts as what it leads to.
    fn directory(&self, path: &Path) -> io::Result<Option<Exposed>> {
        let found = fs::metadata(path)?;
        Ok(self.judge(path, &found, found.mode()))
    }

    /// A file in a directory that was looked at; fine where there is none.
    fn file(&self, path: &Path) -> io::Result<Option<Exposed>> {
        let found = match fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if found.is_symlink() {
            let command = format!("ls -l {}", quoted(path));
            let problem =
                "is a symbolic link, and keysweep would write to the file it leads to; replace it: see"
                    .into();
            return Ok(Some(Exposed { path: path.into(), problem, command }));
        }
        // Its directory says whether the group is private: files have no setgid bit.
        Ok(self.judge(path, &found, found.mode() | SETGID))
    }

    fn judge(&self, path: &Path, found: &Metadata, mode: u32) -> Option<Exposed> {
        let expose = |problem: String, command: String| Some(Exposed { path: path.into(), problem, command });
        if found.uid() != self.user && found.uid() != 0 {
            let problem = format!(
                "belongs to user ID {}, and keysweep runs as user ID {}; run",
                found.uid(),
                self.user
            );
            return expose(problem, format!("chown -R {} {}", self.user, quoted(path)));
        }
        if mode & 0o002 != 0 {
            return expose("is writable by everyone; run".into(), format!("chmod go-w {}", quoted(path)));
        }
        if mode & 0o020 != 0 && !self.is_private(found.gid(), mode) {
            let problem = format!("is writable by group ID {}; run", found.gid());
            return expose(problem, format!("chmod g-w {}", quoted(path)));
        }
        None
    }
}

/// New files in a directory with this bit get its group.
const SETGID: u32 = 0o2000;

/// Quotes for a POSIX shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,=@:".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mk_dir(mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
        dir
    }

    /// What somebody of this user and group ID finds in a directory that belongs to the user of this process.
    fn judged(dir: &tempfile::TempDir, me: &Me) -> Option<String> {
        me.directory(dir.path()).unwrap().map(|exposed| exposed.problem)
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_exposed() {
        let found = fs::metadata(mk_dir(0o700).path()).unwrap();
        let (user, group) = (found.uid(), found.gid());
        let me = Me { user, group, ..Me::default() };
        for (mode, exposed) in
            [(0o700, false), (0o755, false), (0o777, true), (0o1777, true), (0o702, true), (0o2770, false)]
        {
            assert_eq!(judged(&mk_dir(mode), &me).is_some(), exposed, "{mode:o}");
        }
        // The group of somebody else, and a shared group of our own without the setgid bit.
        let stranger = Me { user, group: group + 1, ..Me::default() };
        assert!(judged(&mk_dir(0o770), &stranger).is_some());
        assert!(judged(&mk_dir(0o2770), &stranger).is_some());
        let member = Me { groups: vec![group], ..stranger };
        assert!(
            judged(&mk_dir(0o2770), &member).is_some() || user == group,
            "shared on purpose, with others"
        );
        // As a volume with fsGroup, where the primary group is another, or the user.
        assert!(judged(&mk_dir(0o2770), &Me { given: Some(group), ..member.clone() }).is_none());
        let pod = Me { user: 65532, group: 65532, ..Me::default() };
        assert!(pod.is_private(65532, 0o770) && !pod.is_private(100, 0o2770));
        // The owner of the directory is another user; root always may.
        let other = judged(&mk_dir(0o700), &Me { user: user + 1, group, ..Me::default() });
        assert_eq!(other.is_some(), user != 0);
    }

    #[test]
    fn a_link_in_place_of_a_file_is_exposed() {
        let dir = mk_dir(0o700);
        let target = dir.path().join("precious");
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, dir.path().join("lock")).unwrap();
        assert!(exposed(dir.path()).unwrap().unwrap().problem.contains("symbolic link"));
        crate::lock::Lock::take(dir.path()).unwrap_err();
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn the_command_is_quoted_and_names_the_file() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("it's here");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
        let error = crate::lock::Lock::take(&dir).unwrap_err().to_string();
        assert!(!dir.join("lock").exists());
        let command = error.split('`').nth(1).unwrap();
        let done = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
        assert!(done.success());
        crate::lock::Lock::take(&dir).unwrap();
    }
}
