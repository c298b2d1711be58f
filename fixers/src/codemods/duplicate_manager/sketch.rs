//! What the copies have in common, for a person to finish, where it cannot be made one type by itself: the model's text
//! with a parameter for each type that differs, and beside whatever else differs what the others have there.

use uncork_lints::clones::{HoleKind, ManagerCluster};
use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::name::Name;
use uncork_lints::program::{DefId, DefKind};
use uncork_lints::source::Span;
use uncork_lints::ty::Ty;

use super::super::imports::words;
use super::write::Opened;
use super::{Bounds, Context, Members, Moved, SharedField, Step, TypeParam, blocked, fields, struct_item};
use crate::change::Change;

/// Longest text of another member that is put beside the model's.
const MAX_BESIDE: usize = 60;

/// A change that is never made, only shown. `reason`: why it is not.
pub(super) fn sketch<'a>(
    cx: &Context<'a>,
    cluster: &'a ManagerCluster,
    finding: &Finding,
    reason: &str,
) -> Option<Change> {
    let members = Members::as_they_are(cx, cluster).ok()?;
    let moved = members.aligned();
    if moved.is_empty() {
        return None;
    }
    let name = members.generic_name().ok()?;
    let mut edits = Vec::new();
    let generic = members.generic(&name, &moved, &Bounds::default(), &Opened::default());
    for (i, &def) in members.defs.iter().enumerate() {
        let item = members.program.item(def);
        let file = members.program.def(def).file;
        let text = match cluster.members[i].own_fields.is_empty() {
            true => members.alias(i, &name).ok()?,
            false => members.holder(i, &name),
        };
        let text = match i == members.model {
            true => format!("{generic}\n\n{}{text}", members.indent(file, item.span.lo)),
            false => text,
        };
        edits.push(cx.edit(file, item.span, text));
    }
    members.without_moved(&moved, &mut edits);
    let title = format!(
        "a sketch of `{name}` for {} and {} more, to be finished by hand",
        members.program.display(members.defs[0]),
        members.defs.len() - 1
    );
    let mut change = cx.change(finding, title, Applicability::Display);
    change.caveat = Some(format!("it is not made by itself: {reason}"));
    change.edits = edits;
    Some(change)
}

impl<'c, 'a> Members<'c, 'a> {
    /// The members without any proof that they can be one.
    fn as_they_are(cx: &'c Context<'a>, cluster: &'a ManagerCluster) -> Step<Members<'c, 'a>> {
        let program = &cx.analysis.program;
        let mut members = Members::of(cx, cluster);
        let plain = |def: &DefId| {
            let item = program.item(*def);
            struct_item(item).is_some_and(|s| s.generics.params.is_empty() && !s.tuple) && !item.from_macro
        };
        if !members.defs.iter().all(plain) {
            return blocked("a copy is no plain struct", None);
        }
        let text = cx.text(program.def(members.model_def()).file);
        let mut letters =
            ["T", "U", "V", "W"].into_iter().filter(|l| !super::super::imports::mentions_word(text, l));
        let declared: Vec<u32> =
            cluster.fields.iter().flat_map(|f| f.holes.iter()).map(|h| h.param).collect();
        for (number, param) in cluster.params.iter().enumerate() {
            let number = number as u32;
            let one = param.texts.iter().all(|t| *t == param.texts[0]);
            let letter = (param.kind == HoleKind::Type && !one && declared.contains(&number))
                .then(|| letters.next())
                .flatten();
            let name = match letter {
                Some(letter) => letter.to_owned(),
                None => beside(&param.texts, members.model),
            };
            if letter.is_some() {
                members.order.push(number);
            }
            let types = vec![Ty::UNKNOWN; members.defs.len()];
            members.params.insert(number, TypeParam { name, fillings: param.texts.clone(), types, one });
        }
        if members.order.is_empty() {
            return blocked("no type differs", None);
        }
        members.fields = cluster
            .fields
            .iter()
            .map(|aligned| {
                let name = |i: usize| -> Option<Name> {
                    Some(fields(program, members.defs[i]).get(aligned.field[i]?)?.name)
                };
                let own = name(members.model).map(|n| n.to_string()).unwrap_or_default();
                SharedField { names: (0..members.defs.len()).filter_map(name).collect(), name: own }
            })
            .collect();
        Ok(members)
    }

    /// The methods that correspond, with what differs in them.
    fn aligned(&self) -> Vec<Moved> {
        let inherent = |&f: &DefId| {
            let parent = self.program.def(f).parent;
            parent.is_some_and(|p| {
                self.program.def(p).kind == DefKind::Impl && !self.program.decls.impl_trait.contains_key(&p)
            })
        };
        let rows = self.cluster.methods.iter().filter(|m| m.functions.iter().all(inherent));
        let mut out: Vec<Moved> = rows
            .map(|method| {
                let model = method.functions[self.model];
                let (file, whole) = (self.program.def(model).file, self.program.item(model).span);
                let mut replacements: Vec<(Span, String)> = Vec::new();
                for hole in &method.holes {
                    if let (Some(span), Some(param)) = (hole.at[self.model], self.params.get(&hole.param)) {
                        replacements.push((span, param.name.clone()));
                    }
                }
                let own = self.program.def(self.model_def()).name;
                let name = own.as_str();
                for at in words(self.cx.slice(file, whole), name) {
                    let lo = whole.lo + at as u32;
                    replacements.push((Span::new(lo, lo + name.len() as u32), "Self".into()));
                }
                Moved { functions: method.functions.clone(), replacements }
            })
            .collect();
        out.sort_by_key(|m| self.program.item(m.functions[self.model]).span.lo);
        out
    }

    /// A member with fields of its own holds the shared part beside them.
    fn holder(&self, i: usize, generic: &str) -> String {
        let def = self.defs[i];
        let item = self.program.item(def);
        let file = self.program.def(def).file;
        let indent = self.indent(file, item.span.lo);
        let head = self.cx.slice(file, Span::new(item.span.lo, item.name_span.hi));
        let fillings: Vec<&str> = self.order.iter().map(|n| self.params[n].fillings[i].as_str()).collect();
        let mut out = format!("{head} {{\n{indent}    shared: {generic}<{}>,\n", fillings.join(", "));
        for &at in &self.cluster.members[i].own_fields {
            if let Some(field) = fields(self.program, def).get(at) {
                out.push_str(&format!("{indent}    {},\n", self.cx.slice(file, field.span)));
            }
        }
        out + &indent + "}"
    }
}

/// The model's text, and the others' in a comment.
fn beside(texts: &[String], model: usize) -> String {
    let own = &texts[model];
    let mut others: Vec<String> = Vec::new();
    for text in texts {
        let short: String = text.replace("/*", "").replace("*/", "").chars().take(MAX_BESIDE).collect();
        let short = if short.is_empty() { "nothing".to_owned() } else { short };
        if text != own && !others.contains(&short) {
            others.push(short);
        }
    }
    match others.is_empty() {
        true => own.clone(),
        false => format!("{own} /* elsewhere {} */", others.join(", ")),
    }
}
