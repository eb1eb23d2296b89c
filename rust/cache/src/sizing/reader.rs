//! Reads what the kernel says of memory.
//!
//! Everything is below a root, so that a test can make up a machine. Files may be missing, and may say anything: what
//! cannot be read or makes no sense is as if it were not there.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// No file that is read here is longer; of one that is, the rest is not looked at.
const LONGEST: u64 = 64 << 10;
/// Version 1 writes "no limit" as the largest multiple of a page below 2⁶³; no machine has so much.
const NO_LIMIT: u64 = 1 << 60;
/// Bytes of a page, in which `statm` counts, on most machines. `status` says the same in kilobytes, and is preferred.
const PAGE: u64 = 4096;

/// What the machine says at one moment. What is not known is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Readings {
    /// The smallest limit of the process's control group and those above it, in bytes.
    pub limit: Option<u64>,
    /// What the group with that limit uses, in bytes, without what the kernel can take back at once (inactive files).
    pub used: Option<u64>,
    /// `MemAvailable` of the machine, in bytes.
    pub available: Option<u64>,
    /// Memory the process has resident, in bytes.
    pub resident: Option<u64>,
    /// Per cent of the last ten seconds in which some task waited for memory (PSI, `some avg10`).
    pub pressure: Option<f64>,
}

/// Reads the machine's memory from `/proc` and `/sys` below a root.
#[derive(Debug, Clone)]
pub struct SystemReader {
    root: PathBuf,
}

impl Default for SystemReader {
    fn default() -> Self {
        Self::new(Path::new("/"))
    }
}

/// The files of one version of control groups.
struct Names {
    /// Limits; the smallest counts.
    limits: &'static [&'static str],
    usage: &'static str,
    inactive: &'static str,
}

const SECOND: Names = Names {
    limits: &["memory.max", "memory.high"],
    usage: "memory.current",
    inactive: "inactive_file ",
};
const FIRST: Names = Names {
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    inactive: "total_inactive_file ",
};

impl SystemReader {
    /// Reads below `root`, which is `/` but in a test.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Reads all of it anew.
    pub fn read(&self) -> Readings {
        let groups = self.text("proc/self/cgroup");
        let mounts = self.text("proc/self/mountinfo");
        let second = groups.as_deref().and_then(second_group);
        let found = second.and_then(|group| self.walk(mounts.as_deref(), group, None, &SECOND));
        let found = found.or_else(|| {
            let group = groups.as_deref().and_then(first_group)?;
            self.walk(mounts.as_deref(), group, Some("memory"), &FIRST)
        });
        let own = second.and_then(|group| self.group_pressure(mounts.as_deref(), group));
        Readings {
            limit: found.map(|(limit, _)| limit),
            used: found.and_then(|(_, used)| used),
            available: self
                .text("proc/meminfo")
                .and_then(|text| kilobytes(&text, "MemAvailable:")),
            resident: self.resident(),
            pressure: own.or_else(|| pressure(&self.text("proc/pressure/memory")?)),
        }
    }

    fn resident(&self) -> Option<u64> {
        let exact = self
            .text("proc/self/status")
            .and_then(|text| kilobytes(&text, "VmRSS:"));
        exact.or_else(|| {
            let text = self.text("proc/self/statm")?;
            let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
            pages.checked_mul(PAGE)
        })
    }

    /// The smallest limit from a group up to the top of its tree, and what is used below it.
    fn walk(
        &self,
        mounts: Option<&str>,
        group: &str,
        controller: Option<&str>,
        names: &Names,
    ) -> Option<(u64, Option<u64>)> {
        let (top, mut at) = self.folders(mounts, group, controller)?;
        let mut smallest: Option<(u64, Option<u64>)> = None;
        loop {
            let limits = names.limits.iter().filter_map(|name| number(&at.join(name)));
            if let Some(limit) = limits.min().filter(|limit| *limit < NO_LIMIT)
                && smallest.is_none_or(|(least, _)| limit < least)
            {
                smallest = Some((limit, Self::usage(&at, names)));
            }
            if at == top || !at.pop() {
                return smallest;
            }
        }
    }

    fn usage(folder: &Path, names: &Names) -> Option<u64> {
        let used = number(&folder.join(names.usage))?;
        let stat = text_at(&folder.join("memory.stat")).unwrap_or_default();
        let inactive = stat
            .lines()
            .find_map(|line| line.strip_prefix(names.inactive)?.trim().parse().ok())
            .unwrap_or(0);
        Some(used.saturating_sub(inactive))
    }

    fn group_pressure(&self, mounts: Option<&str>, group: &str) -> Option<f64> {
        let (top, at) = self.folders(mounts, group, None)?;
        // The topmost group has no file of its own on all kernels, and says what /proc/pressure says.
        let text = text_at(&at.join("memory.pressure")).filter(|_| at != top)?;
        pressure(&text)
    }

    /// The folders of the top of a group's tree and of the group; the top alone where the group is not to be seen, as
    /// in a container whose own group is the top of what it sees.
    fn folders(&self, mounts: Option<&str>, group: &str, controller: Option<&str>) -> Option<(PathBuf, PathBuf)> {
        let (mounted, shown) = mounts.and_then(|mounts| mount(mounts, controller)).unwrap_or((
            if controller.is_some() {
                "/sys/fs/cgroup/memory"
            } else {
                "/sys/fs/cgroup"
            },
            "/",
        ));
        let top = self.root.join(mounted.trim_start_matches('/'));
        if !top.is_dir() {
            return None;
        }
        let inside = group.strip_prefix(shown.trim_end_matches('/')).unwrap_or("");
        let safe = inside.split('/').all(|part| part != "..");
        let at = top.join(inside.trim_start_matches('/'));
        let at = if safe && at.is_dir() { at } else { top.clone() };
        Some((top, at))
    }

    fn text(&self, path: &str) -> Option<String> {
        text_at(&self.root.join(path))
    }
}

fn number(path: &Path) -> Option<u64> {
    text_at(path)?.trim().parse().ok()
}

fn text_at(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
    // A path in mountinfo may be any bytes; the rest of the text still counts.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The group of a process in the one tree of version 2 (cgroups(7): the line that begins with `0::`).
fn second_group(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

/// The group of a process in version 1's tree of memory.
fn first_group(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, group) = rest.split_once(':')?;
        controllers.split(',').any(|one| one == "memory").then_some(group)
    })
}

/// Where a tree is mounted and which of its groups is shown there (proc(5), mountinfo).
fn mount<'a>(text: &'a str, controller: Option<&str>) -> Option<(&'a str, &'a str)> {
    text.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let kind = after.next()?;
        let right = match controller {
            None => kind == "cgroup2",
            Some(name) => kind == "cgroup" && after.nth(1)?.split(',').any(|option| option == name),
        };
        let mut before = before.split(' ').skip(3);
        let shown = before.next()?;
        Some((before.next()?, shown)).filter(|_| right)
    })
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let count: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    count.checked_mul(1024)
}

/// The `some avg10` of a PSI file (the kernel's accounting/psi.rst).
fn pressure(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let value = line.split(' ').find_map(|field| field.strip_prefix("avg10="))?;
    value.parse().ok().filter(|value| (0.0..=100.0).contains(value))
}
