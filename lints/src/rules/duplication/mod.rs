//! Code that is written again and again. All three rules read [`crate::clones`].

pub mod duplicate_handler;
pub mod duplicate_manager;
pub mod duplicate_method;

use crate::Analysis;
use crate::clones::{FunctionCluster, HoleKind, Param};
use crate::finding::{Confidence, Facts, Related};
use crate::program::DefId;

/// From this share of agreeing code on, a cluster is certain.
const CERTAIN: f64 = 0.9;

fn confidence(similarity: f64) -> Confidence {
    if similarity >= CERTAIN { Confidence::High } else { Confidence::Medium }
}

/// Whole percent, rounded down: only equal is 100.
fn percent(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 100.0) as u32
}

/// `a`, `b` and `c`; of many the first two and how many more. Members of one name are counted: `a` and the 2 `b`.
fn enumerate(names: &[String]) -> String {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for name in names {
        match groups.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => *count += 1,
            None => groups.push((name, 1)),
        }
    }
    let shown = |&(name, count): &(&str, usize)| match count {
        1 => format!("`{name}`"),
        n => format!("the {n} `{name}`"),
    };
    match &groups[..] {
        [] => String::new(),
        [one] => shown(one),
        [one, two] => format!("{} and {}", shown(one), shown(two)),
        [one, two, three] => format!("{}, {} and {}", shown(one), shown(two), shown(three)),
        [one, two, rest @ ..] => {
            let more: usize = rest.iter().map(|(_, count)| count).sum();
            format!("{}, {} and {more} more", shown(one), shown(two))
        }
    }
}

/// How the filling of a parameter is shown at most, in characters.
const SHOWN: usize = 40;

fn shown(text: &str) -> String {
    if text.is_empty() {
        return "nothing".into();
    }
    let mut out: String = text.chars().take(SHOWN).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    format!("`{out}`")
}

fn kind_name(kind: HoleKind) -> &'static str {
    match kind {
        HoleKind::Type => "type",
        HoleKind::Ident => "name",
        HoleKind::Literal => "literal",
        HoleKind::Expr => "expression",
        HoleKind::Statement => "statement",
    }
}

/// What a copy has where the model has something else, types first, a few of them.
fn differences(params: &[Param], model: usize, member: usize) -> String {
    const MOST: usize = 3;
    let mut parts: Vec<(HoleKind, String)> = params
        .iter()
        .filter_map(|p| {
            let (ours, theirs) = (p.texts.get(model)?, p.texts.get(member)?);
            (ours != theirs).then(|| (p.kind, format!("{} for {}", shown(theirs), shown(ours))))
        })
        .collect();
    parts.sort_by_key(|(kind, _)| *kind);
    let more = parts.len().saturating_sub(MOST);
    let mut text = parts.iter().take(MOST).map(|(_, t)| t.as_str()).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// The parameters as facts: kind, then what each member has there.
fn hole_facts(params: &[Param]) -> Facts {
    params
        .iter()
        .map(|p| {
            (
                format!("hole {}", kind_name(p.kind)),
                p.texts.iter().map(|t| shown(t)).collect::<Vec<_>>().join(" | "),
            )
        })
        .collect()
}

/// The members but the first as related places.
fn copies(analysis: &Analysis, members: &[DefId], model: usize, params: &[Param]) -> Vec<Related> {
    members
        .iter()
        .enumerate()
        .skip(1)
        .map(|(i, &def)| {
            let name = analysis.program.display(def);
            let differs = differences(params, model, i);
            let label = match (i == model, differs.is_empty()) {
                (false, false) => format!("`{name}` is a copy with {differs}"),
                _ => format!("`{name}` is a copy"),
            };
            Related { at: analysis.program.name_location(def), label }
        })
        .collect()
}

/// The facts of a cluster of functions.
fn function_facts(names: &[String], cluster: &FunctionCluster) -> Facts {
    let mut facts: Facts = vec![
        ("members".into(), names.join(", ")),
        ("similarity".into(), format!("{:.2}", cluster.similarity)),
        ("lines".into(), cluster.lines.to_string()),
    ];
    facts.extend(hole_facts(&cluster.params));
    facts
}

#[cfg(test)]
mod tests {
    use super::enumerate;

    #[test]
    fn members_of_one_name_are_counted() {
        let said = |names: &[&str]| enumerate(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert_eq!(said(&["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(said(&["a", "b", "c", "d"]), "`a`, `b` and 2 more");
        assert_eq!(said(&["a", "a", "a"]), "the 3 `a`");
        assert_eq!(said(&["a", "b", "b"]), "`a` and the 2 `b`");
        assert_eq!(said(&["a", "b", "c", "c", "b", "d"]), "`a`, the 2 `b` and 3 more");
    }
}
