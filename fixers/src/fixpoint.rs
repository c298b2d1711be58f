//! Plan, resolve, apply in memory, look again, until nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use rustc_hash::FxHashMap;
use thiserror::Error;
use uncork_lints::finding::Applicability;

use crate::change::{Change, ChangeId, Mark, Plan, Refusal};
use crate::edit::{Edit, TextEdits};
use crate::overlay::{Overlay, OverlayError, line_edits};
use crate::resolve::resolve;

/// Looks at the text as edited so far and says what to do next.
pub trait Planner {
    /// Analyses the overlay's text (files it has not edited are as on disk).
    ///
    /// # Errors
    /// A sentence, if the analysis cannot be made.
    fn plan(&mut self, overlay: &mut Overlay) -> Result<Plan, String>;
}

impl<F: FnMut(&mut Overlay) -> Result<Plan, String>> Planner for F {
    fn plan(&mut self, overlay: &mut Overlay) -> Result<Plan, String> {
        self(overlay)
    }
}

/// Whether to make a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Make it.
    Apply,
    /// Leave it out.
    Skip,
    /// Leave out this and all that follow.
    Quit,
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How often to plan at most.
    pub rounds: usize,
    /// How many bytes the touched files may grow to, in percent of what they were.
    pub growth_percent: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { rounds: 12, growth_percent: 200 }
    }
}

/// Small files may more than double: so much is always free, in bytes.
const FREE_GROWTH: usize = 16 * 1024;

/// Why it ended before nothing was left to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Each round brought new changes.
    Rounds,
    /// The text grew too much; the round that made it so is left out.
    Growth,
    /// It was told to quit.
    Quit,
}

/// A change that was made, and in which round (from 0).
#[derive(Clone, Debug)]
pub struct Applied {
    /// The change; its spans are places of the text of its round.
    pub change: Change,
    /// The round.
    pub round: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Fixed {
    /// The edited text.
    pub overlay: Overlay,
    /// The changes made, in order.
    pub applied: Vec<Applied>,
    /// Findings that stay, each with the reason.
    pub refused: Vec<Refusal>,
    /// Changes that are only to be read.
    pub display: Vec<Change>,
    /// Set if something may be left to do.
    pub stopped: Option<Stopped>,
}

impl Fixed {
    /// Gives the text its last touches (formatting); the places of refused findings follow them.
    pub fn finish(&mut self, touch: &mut dyn FnMut(&mut Overlay)) {
        let mut before = self.overlay.clone();
        touch(&mut self.overlay);
        for refused in &mut self.refused {
            for place in std::iter::once(&mut refused.at).chain(refused.blocking.as_mut()) {
                let (old, new) = (before.read(&place.path), self.overlay.read(&place.path));
                if let (Ok(old), Ok(new)) = (old, new)
                    && old != new
                    && let Ok(edits) = TextEdits::new(line_edits(&old, &new))
                {
                    place.span = edits.follow(place.span);
                }
            }
        }
    }
}

/// Why no result could be had at all.
#[derive(Debug, Error)]
pub enum FixpointError {
    /// The analysis failed.
    #[error("{0}")]
    Plan(String),
    /// A file could not be edited.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
}

/// Runs a planner to its fixpoint.
pub struct Driver<'a> {
    /// What finds the changes.
    pub planner: &'a mut dyn Planner,
    /// Asked before each change, with the text it would be made in.
    pub gate: &'a mut dyn FnMut(&Change, &Overlay) -> Answer,
    /// The least certain kind of change to make.
    pub least: Applicability,
    /// Bounds.
    pub limits: Limits,
}

impl Driver<'_> {
    /// Plans on the files under `root` until nothing changes. Changes in `banned` are left out. A change whose result shows a new finding is not made: its place is planned again without it.
    ///
    /// # Errors
    /// If the first analysis fails, or a later one cannot read what it made.
    pub fn run(
        &mut self,
        root: impl Into<Utf8PathBuf>,
        banned: &BTreeMap<ChangeId, String>,
    ) -> Result<Fixed, FixpointError> {
        let root = root.into();
        let mut traded: BTreeMap<ChangeId, String> = BTreeMap::new();
        loop {
            let (fixed, new) = self.once(root.clone(), banned, &traded)?;
            let before = traded.len();
            for (id, message) in new {
                traded.entry(id).or_insert(format!("the result would have a new problem: {message}"));
            }
            if traded.len() == before {
                return Ok(fixed);
            }
        }
    }

    fn once(
        &mut self,
        root: Utf8PathBuf,
        banned: &BTreeMap<ChangeId, String>,
        traded: &BTreeMap<ChangeId, String>,
    ) -> Result<(Fixed, Vec<(ChangeId, String)>), FixpointError> {
        let mut overlay = Overlay::new(root);
        let mut applied: Vec<Applied> = Vec::new();
        let mut stopped = None;
        let mut skipped: BTreeSet<ChangeId> = BTreeSet::new();
        let mut first: Option<Vec<Mark>> = None;
        for round in 0.. {
            let plan = self.planner.plan(&mut overlay).map_err(FixpointError::Plan)?;
            let before = first.get_or_insert_with(|| plan.marks.clone());
            let mut refused = plan.refused;
            let display = plan.changes.iter().filter(|c| c.applicability < self.least).cloned().collect();
            let unbanned = plan.changes.into_iter().filter(|c| !banned.contains_key(&c.id())).collect();
            let candidates = self.candidates(unbanned, traded, &mut overlay, &mut refused);
            let end = |overlay: Overlay, applied, refused, stopped| {
                let traded = new_problems(before, &plan.marks, &overlay);
                Ok((Fixed { overlay, applied, refused, display, stopped }, traded))
            };
            if stopped.is_some() {
                let stopped = stopped.filter(|&s| s != Stopped::Rounds || !candidates.is_empty());
                return end(overlay, applied, refused, stopped);
            }
            let mut accepted = Vec::new();
            let resolved = resolve(candidates, self.least);
            for (change, why) in &resolved.broken {
                refused.extend(refusal(change, why.clone()));
            }
            for change in resolved.accepted {
                if stopped == Some(Stopped::Quit) || skipped.contains(&change.id()) {
                    continue;
                }
                match (self.gate)(&change, &overlay) {
                    Answer::Apply => accepted.push(change),
                    Answer::Skip => {
                        skipped.insert(change.id());
                    }
                    Answer::Quit => stopped = Some(Stopped::Quit),
                }
            }
            let (next, made) = make(&overlay, accepted, &mut refused)?;
            if made.is_empty() {
                return end(overlay, applied, refused, stopped);
            }
            let (was, is) = next.sizes();
            if is > was.saturating_mul(self.limits.growth_percent) / 100 + FREE_GROWTH {
                return end(overlay, applied, refused, Some(Stopped::Growth));
            }
            overlay = next;
            applied.extend(made.into_iter().map(|change| Applied { change, round }));
            if round + 1 >= self.limits.rounds {
                stopped = Some(Stopped::Rounds);
            }
        }
        Err(FixpointError::Plan("the rounds did not end".into()))
    }

    /// Leaves out what makes new problems or would touch what must not be touched, with a reason each.
    fn candidates(
        &self,
        changes: Vec<Change>,
        traded: &BTreeMap<ChangeId, String>,
        overlay: &mut Overlay,
        refused: &mut Vec<Refusal>,
    ) -> Vec<Change> {
        let mut out = Vec::with_capacity(changes.len());
        for change in changes {
            if change.applicability < self.least {
                continue;
            }
            if let Some(reason) = traded.get(&change.id()) {
                refused.extend(refusal(&change, reason.clone()));
                continue;
            }
            let barred = change.edits.iter().find_map(|e| overlay.protected(&e.path).map(|why| (e, why)));
            match barred {
                Some((edit, why)) => {
                    refused.extend(refusal(&change, format!("{} is left alone: {why}", edit.path)))
                }
                None => out.push(change),
            }
        }
        out
    }
}

pub(crate) fn refusal(change: &Change, reason: String) -> Option<Refusal> {
    let edit = change.edits.first()?;
    Some(Refusal {
        rule: change.rule.clone(),
        fingerprint: change.fingerprints.first().cloned().unwrap_or_default(),
        at: crate::change::Place::new(edit.path.clone(), edit.span),
        reason,
        blocking: None,
    })
}

/// Makes the changes that can be made; one whose manifest edit or place does not fit is refused alone.
fn make(
    overlay: &Overlay,
    accepted: Vec<Change>,
    refused: &mut Vec<Refusal>,
) -> Result<(Overlay, Vec<Change>), FixpointError> {
    let mut next = overlay.clone();
    let mut made = Vec::with_capacity(accepted.len());
    for change in accepted {
        let mut trial = next.clone();
        let failed = change
            .manifest
            .iter()
            .find_map(|edit| edit.apply(&mut trial, &change.id()).err().map(|e| e.to_string()))
            .or_else(|| {
                // Tried alone on the text of this round, so that a bad place costs only its own change.
                let alone = [(change.id(), change.edits.as_slice())];
                overlay.clone().apply(&alone).err().map(|e| e.to_string())
            });
        match failed {
            Some(why) => refused.extend(refusal(&change, why)),
            None => {
                next = trial;
                made.push(change);
            }
        }
    }
    let edits: Vec<(ChangeId, &[Edit])> = made.iter().map(|c| (c.id(), c.edits.as_slice())).collect();
    next.apply(&edits)?;
    Ok((next, made))
}

/// Findings that were not there before and stand where a change was made. Counted by rule and file first: a finding
/// that merely has a new name is not a new problem.
fn new_problems(before: &[Mark], after: &[Mark], overlay: &Overlay) -> Vec<(ChangeId, String)> {
    let kind = |m: &'_ Mark| -> (String, Option<Utf8PathBuf>) {
        (m.rule.clone(), m.places.first().map(|p| p.path.clone()))
    };
    let mut counts: FxHashMap<(String, Option<Utf8PathBuf>), i64> = FxHashMap::default();
    for mark in before {
        *counts.entry(kind(mark)).or_default() -= 1;
    }
    for mark in after {
        *counts.entry(kind(mark)).or_default() += 1;
    }
    let known: BTreeSet<&str> = before.iter().map(|m| m.identity.as_str()).collect();
    let mut out = Vec::new();
    for mark in after {
        if known.contains(mark.identity.as_str()) || counts.get(&kind(mark)).is_none_or(|&n| n <= 0) {
            continue;
        }
        for place in &mark.places {
            let makers = overlay.makers(&place.path, place.span);
            out.extend(makers.into_iter().map(|id| (id.clone(), format!("{}: {}", mark.rule, mark.message))));
        }
    }
    out
}

#[cfg(test)]
mod tests;
