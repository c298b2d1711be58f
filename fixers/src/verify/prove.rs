//! The loop: plan, write, check, take back what brought a new error, plan again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};
use uncork_lints::finding::Applicability;
use uncork_lints::source::Span;

use super::VerifyError;
use super::diagnostics::{Lines, Outcome, Problem, new_problems};
use crate::change::{Change, ChangeId, Refusal};
use crate::fixpoint::{Answer, Driver, Fixed, Limits, Planner, refusal};
use crate::overlay::Overlay;
use crate::write::{Disk, RunLock, Target, Transaction};

/// Says whether the files on disk are good.
pub trait Checker {
    /// The errors of the packages that these files (absolute) belong to. `baseline`: nothing has been changed, so a
    /// failure that is no compiler error is the project's own.
    ///
    /// # Errors
    /// If it cannot be told.
    fn check(&mut self, changed: &[Utf8PathBuf], baseline: bool) -> Result<Outcome, VerifyError>;

    /// The failing tests of the same packages; clean if none are asked for.
    ///
    /// # Errors
    /// If it cannot be told.
    fn test(&mut self, changed: &[Utf8PathBuf]) -> Result<Outcome, VerifyError>;

    /// A file that checking may change, to be put back when changes are.
    fn lock_file(&self) -> Option<Utf8PathBuf>;
}

/// A change that was taken back.
#[derive(Clone, Debug)]
pub struct BackedOut {
    /// The change.
    pub change: Change,
    /// The compiler's words, or the failing test's name.
    pub words: String,
}

/// How far the result is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Nothing was changed.
    Unchanged,
    /// Not checked, as asked.
    Unchecked,
    /// The compiler has no error.
    Clean,
    /// No new error beside so many that were there before; behind those, the compiler may not have looked.
    SameErrors(usize),
}

/// What is on disk now, and how it came about.
#[derive(Debug)]
pub struct Proof {
    /// The changes made and the text they made.
    pub fixed: Fixed,
    /// The changes taken back.
    pub backed_out: Vec<BackedOut>,
    /// What is known of the result.
    pub verified: Verified,
}

/// Plans, writes and verifies.
pub struct Prover<'a> {
    /// The directory that edits' paths are relative to; absolute.
    pub root: Utf8PathBuf,
    /// What finds the changes.
    pub planner: &'a mut dyn Planner,
    /// Asked once for each change.
    pub gate: &'a mut dyn FnMut(&Change, &Overlay) -> Answer,
    /// Last touches to the edited text (formatting).
    pub finish: &'a mut dyn FnMut(&mut Overlay),
    /// The least certain kind of change to make.
    pub least: Applicability,
    /// Bounds of the fixpoint.
    pub limits: Limits,
    /// `None`: write unverified.
    pub checker: Option<&'a mut dyn Checker>,
    /// The run's lock.
    pub lock: &'a RunLock,
    /// The disk.
    pub disk: &'a mut Disk,
    /// Set when the user asks to stop.
    pub stop: &'a AtomicBool,
}

#[derive(Default)]
struct Memory {
    answers: BTreeMap<ChangeId, Answer>,
    quit: bool,
    /// Files covered, and the errors without any change.
    check: Option<(BTreeSet<Utf8PathBuf>, Outcome)>,
    test: Option<(BTreeSet<Utf8PathBuf>, Outcome)>,
}

impl Prover<'_> {
    /// Runs to the end. On an error every file is as it was.
    ///
    /// # Errors
    /// See [`VerifyError`].
    pub fn run(mut self) -> Result<Proof, VerifyError> {
        let mut memory = Memory::default();
        let mut banned: BTreeMap<ChangeId, String> = BTreeMap::new();
        let mut backed_out: Vec<BackedOut> = Vec::new();
        let mut unread: Vec<Refusal> = Vec::new();
        loop {
            let mut fixed = self.plan(&mut memory, &banned, None)?;
            fixed.refused.extend(unread.iter().cloned());
            if fixed.overlay.changed().next().is_none() {
                return Ok(Proof { fixed, backed_out, verified: Verified::Unchanged });
            }
            let (written, new) = self.trial(&mut memory, &fixed)?;
            if let Some(written) = written {
                written.commit(self.disk)?;
                let verified = match (&self.checker, &memory.check) {
                    (None, _) => Verified::Unchecked,
                    (Some(_), Some((_, before))) if !before.is_clean() => {
                        Verified::SameErrors(before.problems.len())
                    }
                    _ => Verified::Clean,
                };
                return Ok(Proof { fixed, backed_out, verified });
            }
            let mut guilty = attribute(&new, &fixed);
            if guilty.is_empty() {
                let (id, words) = self.bisect(&mut memory, &fixed, &banned, &new)?;
                guilty.insert(id, (words, false));
            }
            for (id, (words, was_unread)) in guilty {
                match fixed.applied.iter().find(|a| a.change.id() == id) {
                    Some(applied) if was_unread => unread.extend(refusal(&applied.change, UNREAD.to_owned())),
                    Some(applied) => {
                        backed_out.push(BackedOut { change: applied.change.clone(), words: words.clone() });
                    }
                    None => {}
                }
                banned.insert(id, words);
            }
        }
    }

    fn plan(
        &mut self,
        memory: &mut Memory,
        banned: &BTreeMap<ChangeId, String>,
        allowed: Option<&BTreeSet<ChangeId>>,
    ) -> Result<Fixed, VerifyError> {
        let ask = &mut *self.gate;
        let mut gate = |change: &Change, overlay: &Overlay| {
            let id = change.id();
            if allowed.is_some_and(|a| !a.contains(&id)) {
                return Answer::Skip;
            }
            if let Some(&answer) = memory.answers.get(&id) {
                return answer;
            }
            if memory.quit {
                return Answer::Skip;
            }
            let answer = ask(change, overlay);
            match answer {
                Answer::Quit => memory.quit = true,
                other => {
                    memory.answers.insert(id, other);
                }
            }
            answer
        };
        let mut driver =
            Driver { planner: self.planner, gate: &mut gate, least: self.least, limits: self.limits };
        let mut fixed = driver.run(self.root.clone(), banned)?;
        fixed.finish(self.finish);
        Ok(fixed)
    }

    /// Writes and checks. Either the files are written, or there are new problems and the files are as they were.
    fn trial<'l>(
        &mut self,
        memory: &mut Memory,
        fixed: &Fixed,
    ) -> Result<(Option<Transaction<'l>>, Vec<Problem>), VerifyError>
    where
        Self: 'l,
    {
        let targets: Vec<Target> = fixed
            .overlay
            .changed()
            .map(|f| Target { path: fixed.overlay.absolute(f.path), old: f.old_bytes(), new: f.new_bytes() })
            .collect();
        let changed: Vec<Utf8PathBuf> = targets.iter().map(|t| t.path.clone()).collect();
        let watched: Vec<Utf8PathBuf> =
            self.checker.as_ref().and_then(|c| c.lock_file()).into_iter().collect();
        loop {
            let mut written = Transaction::write(self.lock, &targets, &watched, self.stop, self.disk)?;
            let Some(checker) = self.checker.as_deref_mut() else { return Ok((Some(written), Vec::new())) };
            let outcome = checker.check(&changed, false)?;
            if !outcome.is_clean() {
                if let Some(before) = known(&memory.check, &changed) {
                    let new = new_problems(before, &outcome);
                    if !new.is_empty() {
                        written.roll_back(self.disk)?;
                        return Ok((None, new));
                    }
                } else {
                    let locked = checker.lock_file().and_then(|p| Some((fs::read(&p).ok()?, p)));
                    written.roll_back(self.disk)?;
                    let before = checker.check(&changed, true)?;
                    let new = new_problems(&before, &outcome);
                    memory.check = Some((changed.iter().cloned().collect(), before));
                    // What cargo itself could not do it may do now: the baseline tells what is to be checked.
                    if new.iter().any(|p| p.about_manifest) {
                        continue;
                    }
                    if !new.is_empty() {
                        return Ok((None, new));
                    }
                    // This very text has been checked. What cargo made of the lock file then comes back with it; if not,
                    // the next build makes it.
                    written = Transaction::write(self.lock, &targets, &watched, self.stop, self.disk)?;
                    if let Some((text, path)) = locked {
                        drop(fs::write(path, text));
                    }
                }
            }
            let tests = checker.test(&changed)?;
            if !tests.is_clean() {
                let Some(before) = known(&memory.test, &changed) else {
                    written.roll_back(self.disk)?;
                    let files = changed.iter().cloned().collect();
                    memory.test = Some((files, checker.test(&changed)?));
                    continue;
                };
                let mut new = new_problems(before, &tests);
                if !new.is_empty() {
                    // A test that fails only now and then is not the change's fault.
                    let again = checker.test(&changed)?;
                    new.retain(|p| again.problems.iter().any(|a| a.key == p.key));
                }
                if !new.is_empty() {
                    written.roll_back(self.disk)?;
                    return Ok((None, new));
                }
            }
            return Ok((Some(written), Vec::new()));
        }
    }

    /// The change that brings a problem when added to those before it, by binary search.
    fn bisect(
        &mut self,
        memory: &mut Memory,
        fixed: &Fixed,
        banned: &BTreeMap<ChangeId, String>,
        problems: &[Problem],
    ) -> Result<(ChangeId, String), VerifyError> {
        let mut ids: Vec<ChangeId> = Vec::new();
        for applied in &fixed.applied {
            let id = applied.change.id();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let mut words = said(problems);
        let (mut good, mut bad) = (0, ids.len());
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            let allowed: BTreeSet<ChangeId> = ids[..middle].iter().cloned().collect();
            let part = self.plan(memory, banned, Some(&allowed))?;
            let new = match part.overlay.changed().next() {
                None => Vec::new(),
                Some(_) => {
                    let (written, new) = self.trial(memory, &part)?;
                    if let Some(written) = written {
                        written.roll_back(self.disk)?;
                    }
                    new
                }
            };
            if new.is_empty() {
                good = middle;
            } else {
                words = said(&new);
                bad = middle;
            }
        }
        match ids.get(bad.saturating_sub(1)) {
            Some(id) => Ok((id.clone(), words)),
            // Files differ though no change was made: formatting alone cannot break a build, so the check itself is
            // not to be trusted.
            None => Err(VerifyError::Baseline(words)),
        }
    }
}

fn known<'m>(
    memory: &'m Option<(BTreeSet<Utf8PathBuf>, Outcome)>,
    changed: &[Utf8PathBuf],
) -> Option<&'m Outcome> {
    let (files, outcome) = memory.as_ref()?;
    changed.iter().all(|f| files.contains(f)).then_some(outcome)
}

fn said(problems: &[Problem]) -> String {
    problems.first().map(|p| p.words.clone()).unwrap_or_default()
}

/// Why a change to a file that is not in the build is not made.
const UNREAD: &str = "the file is not part of this build (another platform, or a feature that is off), so no compiler can judge the change";

/// The changes that made the places the problems name: the primary ones, else the others; the words, and whether the
/// file was not read at all. Problems of cargo itself belong to changes of manifests.
fn attribute(problems: &[Problem], fixed: &Fixed) -> BTreeMap<ChangeId, (String, bool)> {
    let mut out = BTreeMap::new();
    for problem in problems {
        let mut ids = BTreeSet::new();
        if problem.about_manifest {
            let manifest = fixed.applied.iter().filter(|a| !a.change.manifest.is_empty());
            ids.extend(manifest.map(|a| a.change.id()));
        }
        // A span over many lines holds many changes; the places inside it are named as well.
        let (small, large): (Vec<&Lines>, Vec<&Lines>) =
            problem.primary.iter().partition(|l| l.last - l.first < 4);
        for places in [small, problem.secondary.iter().collect(), large] {
            if ids.is_empty() {
                ids.extend(places.into_iter().flat_map(|l| makers(l, fixed)));
            }
        }
        for id in ids {
            out.entry(id).or_insert_with(|| (problem.words.clone(), problem.unread));
        }
    }
    out
}

fn makers(lines: &Lines, fixed: &Fixed) -> Vec<ChangeId> {
    let overlay = &fixed.overlay;
    let named: &Utf8Path = lines.path.strip_prefix(overlay.root()).unwrap_or(&lines.path);
    // The compiler's paths begin at the workspace, which may lie above what is analysed.
    let Some(file) = overlay.changed().find(|f| named.ends_with(f.path) || f.path.ends_with(named)) else {
        return Vec::new();
    };
    let start = |line: u32| -> u32 {
        let lines = file.after.split_inclusive('\n').take(line as usize);
        lines.map(|l| l.len() as u32).sum()
    };
    let span = Span::new(start(lines.first.saturating_sub(1)), start(lines.last).saturating_sub(1));
    overlay.makers(file.path, span).into_iter().cloned().collect()
}
