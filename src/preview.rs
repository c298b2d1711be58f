//! Fixes as a report carries them: each finding's own change against the files as they are, why a finding has none, and
//! what all changes together would make of the files.

use std::collections::{BTreeMap, BTreeSet};

use uncork_fixers::change::{Change, Plan, Refusal};
use uncork_fixers::fixpoint::{Answer, Applied, Driver, Limits, Stopped};
use uncork_fixers::overlay::Overlay;
use uncork_fixers::preview;
use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::run::Outcome;
use uncork_lints::source::Location;
use uncork_reports::{AppliedFix, FilePatch, Fix, FixResult, Refused, Replacement};

use crate::error::Error;
use crate::progress::Progress;
use crate::{check, fix};

/// What was planned on the files as they are.
#[derive(Debug, Default)]
pub(crate) struct First {
    pub(crate) changes: Vec<Change>,
    pub(crate) refused: Vec<Refusal>,
}

impl First {
    pub(crate) fn of(plan: &Plan) -> First {
        First { changes: plan.changes.clone(), refused: plan.refused.clone() }
    }
}

/// For a report.
#[derive(Debug, Default)]
pub(crate) struct Preview {
    pub(crate) fixes: Vec<Fix>,
    pub(crate) refusals: Vec<Refused>,
    pub(crate) result: FixResult,
}

/// Runs the fixes of a finished check to their fixpoint, in memory.
pub(crate) fn compute(
    analysed: &check::Plan,
    outcome: &Outcome,
    progress: &Progress,
) -> Result<Preview, Error> {
    let mut first = None;
    let mut left = Vec::new();
    let mut planner = |overlay: &mut Overlay| -> Result<Plan, String> {
        let plan = fix::plan(analysed, Some(outcome), &[], overlay, progress, &mut left);
        let plan = plan.map_err(|e| e.to_string())?;
        first.get_or_insert_with(|| First::of(&plan));
        Ok(plan)
    };
    let mut driver = Driver {
        planner: &mut planner,
        gate: &mut |_, _| Answer::Apply,
        least: Applicability::Unsafe,
        limits: Limits::default(),
    };
    let fixed = driver
        .run(outcome.root.clone(), &BTreeMap::new())
        .map_err(|e| Error::Fix(uncork_fixers::verify::VerifyError::from(e).into()))?;
    let first = first.unwrap_or_default();
    Ok(gather(outcome, first, &fixed.refused, &fixed.applied, fixed.stopped, &fixed.overlay))
}

/// Puts together what the first round planned and what became of it.
pub(crate) fn gather(
    outcome: &Outcome,
    first: First,
    refused: &[Refusal],
    applied: &[Applied],
    stopped: Option<Stopped>,
    overlay: &Overlay,
) -> Preview {
    // A change that the fixpoint would not make (it makes a new problem, or its place must not be touched) is none.
    let planned: BTreeSet<&str> = first.refused.iter().map(|r| r.fingerprint.as_str()).collect();
    let turned_down: BTreeMap<&str, &Refusal> = refused
        .iter()
        .filter(|r| !planned.contains(r.fingerprint.as_str()))
        .map(|r| (r.fingerprint.as_str(), r))
        .collect();
    let mut disk = Overlay::new(outcome.root.clone());
    let mut out = Preview::default();
    for change in &first.changes {
        let down = change.fingerprints.iter().find_map(|f| turned_down.get(f.as_str()));
        let made = match down {
            Some(refusal) => Err(refusal.reason.clone()),
            None => preview::patches(&mut disk, change),
        };
        for fingerprint in &change.fingerprints {
            match &made {
                Ok(patches) => out.fixes.push(Fix {
                    fingerprint: fingerprint.clone(),
                    description: change.title.clone(),
                    applicability: change.applicability,
                    caveat: change.caveat.clone(),
                    files: patches.iter().map(patch).collect(),
                }),
                Err(reason) => out.refusals.push(Refused {
                    fingerprint: fingerprint.clone(),
                    reason: reason.clone(),
                    blocking: None,
                }),
            }
        }
    }
    out.refusals.extend(first.refused.into_iter().map(|r| Refused {
        blocking: r.blocking.and_then(|b| {
            let file = outcome.analysis.sources.iter().find(|(_, f)| f.path == b.path)?.0;
            Some(Location { file, span: b.span })
        }),
        fingerprint: r.fingerprint,
        reason: r.reason,
    }));
    out.result = FixResult {
        applied: applied
            .iter()
            .map(|a| AppliedFix {
                rule: a.change.rule.clone(),
                description: a.change.title.clone(),
                applicability: a.change.applicability,
                caveat: a.change.caveat.clone(),
                fingerprints: a.change.fingerprints.clone(),
            })
            .collect(),
        files: preview::all_patches(overlay).iter().map(patch).collect(),
        stopped: stopped.map(|s| match s {
            Stopped::Rounds => "rounds",
            Stopped::Growth => "growth",
            Stopped::Quit => "quit",
        }),
    };
    out
}

fn patch(patch: &preview::FilePatch) -> FilePatch {
    FilePatch {
        path: patch.path.clone(),
        original: patch.before.clone(),
        replacements: patch
            .edits
            .iter()
            .map(|e| Replacement { span: e.span, text: e.text.clone() })
            .collect(),
    }
}

/// What a finding's fix may be: that of its change, or none where it was refused.
pub(crate) fn settle(findings: &mut [Finding], preview: &Preview) {
    let planned: BTreeMap<&str, Applicability> =
        preview.fixes.iter().rev().map(|f| (f.fingerprint.as_str(), f.applicability)).collect();
    for finding in findings {
        finding.fix = planned.get(finding.fingerprint.as_str()).copied();
    }
}
