//! `duplicate-manager`: one generic type in place of structs that are written again, and an alias in place of each.
//!
//! The finding's alignment says which fields and methods correspond; it is taken for a guess and proven anew here: a
//! method moves only if it is, token by token, the model's, up to the names of fields and variables and to types that a
//! parameter can stand for, and if every name in it means the same in all members. What does not move stays where it is,
//! in an `impl` of the alias.

mod bounds;
mod same;
mod sketch;
mod write;

use rustc_hash::FxHashMap;
use uncork_lints::clones::ManagerCluster;
use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::hir::{ExprKind, FieldDecl, Item, ItemKind, PatKind, StructItem};
use uncork_lints::name::Name;
use uncork_lints::program::{BodyIx, DefId, ModIx, Program, Res};
use uncork_lints::source::{Location, Span};
use uncork_lints::ty::{Ty, TyKind};

use self::bounds::Bounds;
use super::Context;
use crate::change::{Change, Plan, Refusal};

pub(super) fn plan(cx: &mut Context<'_>, findings: &[&Finding], plan: &mut Plan) {
    for finding in findings {
        match merge(cx, finding) {
            Ok(change) => plan.changes.push(change),
            Err(refusal) => {
                let cluster = cluster_of(cx, finding);
                let shown = cluster.and_then(|c| sketch::sketch(cx, c, finding, &refusal.reason));
                plan.changes.extend(shown);
                plan.refused.push(refusal);
            }
        }
    }
}

fn cluster_of<'a>(cx: &Context<'a>, finding: &Finding) -> Option<&'a ManagerCluster> {
    cx.analysis
        .clones
        .managers
        .iter()
        .find(|c| c.members.first().is_some_and(|m| cx.analysis.program.name_location(m.def) == finding.at))
}

/// Why the members cannot be made one, and where.
#[derive(Debug)]
struct Blocked {
    reason: &'static str,
    at: Option<Location>,
}

type Step<T = ()> = Result<T, Blocked>;

fn blocked<T>(reason: &'static str, at: Option<Location>) -> Step<T> {
    Err(Blocked { reason, at })
}

/// A type that differs between the members.
#[derive(Debug)]
struct TypeParam {
    /// What it is called in the generic type; a plain type's spelling if it is the same everywhere under its names.
    name: String,
    /// As each member writes it.
    fillings: Vec<String>,
    /// As each member means it.
    types: Vec<Ty>,
    /// Whether all members mean one type.
    one: bool,
}

/// A field of the generic type.
struct SharedField {
    /// What each member calls it.
    names: Vec<Name>,
    /// What the generic type calls it.
    name: String,
}

/// The members as the rewrite looks at them.
struct Members<'c, 'a> {
    cx: &'c Context<'a>,
    program: &'a Program,
    cluster: &'a ManagerCluster,
    /// Index of the member whose text is taken.
    model: usize,
    defs: Vec<DefId>,
    params: FxHashMap<u32, TypeParam>,
    /// Parameters in use, in order of first appearance.
    order: Vec<u32>,
    fields: Vec<SharedField>,
}

fn merge<'a>(cx: &Context<'a>, finding: &Finding) -> Result<Change, Refusal> {
    let refuse = |b: Blocked| cx.refuse(finding, b.reason, b.at);
    let Some(cluster) = cluster_of(cx, finding) else {
        return Err(cx.refuse(finding, "the copies are no longer there", None));
    };
    let members = Members::new(cx, cluster).map_err(refuse)?;
    let moved = members.same_methods().map_err(refuse)?;
    let bounds = members.bounds(&moved).map_err(refuse)?;
    let written = members.write(&moved, &bounds).map_err(refuse)?;
    let names: Vec<String> = members.defs.iter().map(|&d| cx.analysis.program.display(d)).collect();
    let title = format!(
        "write `{}` once for {} and {} more",
        written.name,
        names.first().map_or("", String::as_str),
        names.len() - 1
    );
    let mut change = cx.change(finding, title, Applicability::Unsafe);
    change.caveat = Some(
        "the old names become aliases of one generic type: their type names and what `Debug` prints change, and \
         comments inside the copies go"
            .to_owned(),
    );
    change.edits = written.edits;
    Ok(change)
}

fn struct_item(item: &Item) -> Option<&StructItem> {
    match &item.kind {
        ItemKind::Struct(s) => Some(s),
        _ => None,
    }
}

fn fields(program: &Program, def: DefId) -> &[FieldDecl] {
    struct_item(program.item(def)).map_or(&[], |s| &s.fields)
}

impl<'c, 'a> Members<'c, 'a> {
    /// The members, of whose parts nothing is known yet.
    fn of(cx: &'c Context<'a>, cluster: &'a ManagerCluster) -> Members<'c, 'a> {
        Members {
            cx,
            program: &cx.analysis.program,
            cluster,
            model: cluster.model,
            defs: cluster.members.iter().map(|m| m.def).collect(),
            params: FxHashMap::default(),
            order: Vec::new(),
            fields: Vec::new(),
        }
    }

    fn new(cx: &'c Context<'a>, cluster: &'a ManagerCluster) -> Step<Members<'c, 'a>> {
        let mut members = Members::of(cx, cluster);
        members.structs()?;
        members.parameters()?;
        members.shared_fields()?;
        Ok(members)
    }

    fn place(&self, member: usize) -> Option<Location> {
        Some(self.program.name_location(self.defs[member]))
    }

    fn model_def(&self) -> DefId {
        self.defs[self.model]
    }

    /// The members must be plain structs of one crate that differ only in types.
    fn structs(&self) -> Step {
        let model = self.program.item(self.model_def());
        let krate = |d: DefId| self.program.module(self.program.def(d).module).krate;
        for (i, &def) in self.defs.iter().enumerate() {
            let item = self.program.item(def);
            let at = self.place(i);
            let Some(it) = struct_item(item) else { return blocked("a copy is no plain struct", at) };
            if it.tuple || !it.generics.params.is_empty() || item.from_macro {
                return blocked("a copy is generic already, a tuple, or made by a macro", at);
            }
            if krate(def) != krate(self.model_def()) {
                return blocked("the copies lie in several crates", at);
            }
            if self.in_block(self.program.def(def).module) {
                return blocked("a copy is declared inside a function", at);
            }
            let (mut ours, mut theirs) = (item.attrs.derives.to_vec(), model.attrs.derives.to_vec());
            ours.sort();
            theirs.sort();
            if ours != theirs || !item.attrs.others.is_empty() || item.attrs.cfg_other {
                return blocked("the copies carry different attributes", at);
            }
            if !self.cluster.members[i].own_fields.is_empty() {
                return blocked("a copy has a field of its own", at);
            }
        }
        if self.cluster.fields.iter().any(|f| f.field.iter().any(Option::is_none)) {
            return blocked("a copy lacks a field that the others have", self.place(0));
        }
        Ok(())
    }

    fn in_block(&self, module: ModIx) -> bool {
        self.program.module(module).block
    }

    /// Names what differs by type. Other differences matter only where code is to be moved.
    fn parameters(&mut self) -> Step {
        for (number, param) in self.cluster.params.iter().enumerate() {
            let types: Option<Vec<Ty>> =
                param.texts.iter().zip(&self.defs).map(|(text, &def)| self.named_type(text, def)).collect();
            let Some(types) = types else { continue };
            let one = types.iter().all(|&t| t == types[0]);
            let name = match types[self.model].kind() {
                TyKind::Int(name) | TyKind::Float(name) if one => name.to_string(),
                TyKind::Bool if one => "bool".into(),
                TyKind::Char if one => "char".into(),
                _ if one && types[0].is_ext("std::string::String") => "String".into(),
                _ if one => continue,
                _ => String::new(),
            };
            let fillings = param.texts.clone();
            self.params.insert(number as u32, TypeParam { name, fillings, types, one });
        }
        Ok(())
    }

    /// What a plain type name means where a member is declared.
    fn named_type(&self, text: &str, def: DefId) -> Option<Ty> {
        if text.is_empty() || !text.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let name = Name::new(text);
        let module = self.program.module(self.program.def(def).module);
        let res = module.names.get(&name).and_then(|n| n.types);
        match res {
            Some(Res::Def(found)) => match self.program.decls.aliases.get(&found) {
                Some(&ty) => Some(ty),
                None => {
                    let item = self.program.item(found);
                    let plain = match &item.kind {
                        ItemKind::Struct(s) => s.generics.params.is_empty(),
                        ItemKind::Enum(e) => e.generics.params.is_empty(),
                        _ => false,
                    };
                    plain.then(|| Ty::adt(found, []))
                }
            },
            Some(Res::Ext(path)) => Some(Ty::ext(path.as_str(), [])),
            Some(Res::Prim(ty)) => Some(ty),
            Some(_) => None,
            None => match text {
                "bool" => Some(Ty::BOOL),
                "char" => Some(Ty::CHAR),
                "String" => Some(Ty::ext("std::string::String", [])),
                "f32" | "f64" => Some(Ty::new(TyKind::Float(name))),
                "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128"
                | "isize" => Some(Ty::new(TyKind::Int(name))),
                _ => None,
            },
        }
    }

    /// The generic type's fields, their parameters, and what they are called.
    fn shared_fields(&mut self) -> Step {
        let mut renamed = 0;
        let cluster = self.cluster;
        for aligned in &cluster.fields {
            for hole in &aligned.holes {
                let Some(param) = self.params.get(&hole.param) else {
                    let span = hole.at[self.model];
                    let file = self.program.def(self.model_def()).file;
                    return blocked(
                        "a field differs in more than the name of a type",
                        span.map(|span| Location { file, span }).or(self.place(self.model)),
                    );
                };
                if !param.one && !self.order.contains(&hole.param) {
                    self.order.push(hole.param);
                }
            }
            let names: Vec<Name> = aligned
                .field
                .iter()
                .zip(&self.defs)
                .filter_map(|(at, &def)| Some(fields(self.program, def).get((*at)?)?.name))
                .collect();
            renamed += usize::from(names.iter().any(|&n| n != names[0]));
            let name = names.get(self.model).map(Name::to_string).unwrap_or_default();
            self.fields.push(SharedField { names, name });
        }
        let taken = |name: &str| self.fields.iter().any(|f| f.names.iter().any(|n| n.as_str() == name));
        if renamed == 1 && !taken("entries") {
            for field in self.fields.iter_mut().filter(|f| f.names.iter().any(|&n| n != f.names[0])) {
                field.name = "entries".into();
            }
        }
        if self.order.is_empty() {
            return blocked(
                "the copies do not differ in a type that a parameter could stand for",
                self.place(0),
            );
        }
        let module = self.program.def(self.model_def()).file;
        let text = self.cx.text(module);
        let letters = ["T", "U", "V", "W"];
        let mut free = letters.iter().filter(|l| !super::imports::mentions_word(text, l));
        for number in self.order.clone() {
            let Some(letter) = free.next() else {
                return blocked("the copies differ in too many types", self.place(0));
            };
            if let Some(param) = self.params.get_mut(&number) {
                param.name = (*letter).to_owned();
            }
        }
        // Two members with the same types would become one type with two names.
        for i in 0..self.defs.len() {
            for j in i + 1..self.defs.len() {
                if self.order.iter().all(|n| self.params[n].types[i] == self.params[n].types[j]) {
                    return blocked("two copies differ in nothing but their names", self.place(j));
                }
            }
        }
        self.derives()
    }

    /// A derived trait must hold for whatever fills the parameters.
    fn derives(&self) -> Step {
        let derives = &self.program.item(self.model_def()).attrs.derives;
        for number in &self.order {
            for (i, ty) in self.params[number].types.iter().enumerate() {
                let holds = match ty.kind() {
                    TyKind::Adt(def, _) => {
                        let theirs = &self.program.item(*def).attrs.derives;
                        derives.iter().all(|d| theirs.contains(d))
                    }
                    _ => derives.is_empty(),
                };
                if !holds {
                    return blocked("the copies derive a trait that what they hold may lack", self.place(i));
                }
            }
        }
        Ok(())
    }

    /// A type of the model as member `i` has it.
    fn as_in(&self, ty: Ty, i: usize) -> Ty {
        for number in &self.order {
            let param = &self.params[number];
            if param.types[self.model] == ty {
                return param.types[i];
            }
        }
        if matches!(ty.kind(), TyKind::Adt(d, _) if *d == self.model_def()) {
            return Ty::adt(self.defs[i], []);
        }
        ty.map_parts(&mut |t| self.as_in(t, i))
    }

    fn member_of(&self, ty: Ty) -> Option<usize> {
        match ty.peel_refs().kind() {
            TyKind::Adt(def, _) => self.defs.iter().position(|d| d == def),
            _ => None,
        }
    }

    /// Where a body names a field of a member: the spans, the member, the field, and whether it is `S { field }`.
    fn field_names(&self, body: BodyIx) -> Step<Vec<FieldMention>> {
        let hir = self.program.body(body);
        let types = &self.cx.analysis.types[body.0 as usize];
        let mut out = Vec::new();
        for (index, expr) in hir.exprs.iter().enumerate() {
            let id = uncork_lints::hir::ExprId(index as u32);
            match &expr.kind {
                ExprKind::Field { base, name, name_span } => {
                    if let Some(member) = self.member_of(types.expr(*base)) {
                        out.push(FieldMention { span: *name_span, member, name: *name, shorthand: false });
                    } else if self.any_field(*name) && self.receiver_unknown(types.expr(*base)) {
                        return blocked(
                            "a field of one of these names is used on something whose type is not known",
                            Some(self.program.at(body, expr.span)),
                        );
                    }
                }
                ExprKind::Struct { fields, base, .. } => {
                    let Some(member) = self.member_of(types.expr(id)) else { continue };
                    if base.is_some() {
                        return blocked(
                            "a copy is made from another with `..`",
                            Some(self.program.at(body, expr.span)),
                        );
                    }
                    out.extend(fields.iter().map(|f| FieldMention {
                        span: f.name_span,
                        member,
                        name: f.name,
                        shorthand: f.shorthand,
                    }));
                }
                _ => {}
            }
        }
        for (index, pat) in hir.pats.iter().enumerate() {
            let ty = types.pat(uncork_lints::hir::PatId(index as u32));
            if matches!(pat.kind, PatKind::Struct { .. }) && self.member_of(ty).is_some() {
                return blocked("a copy is taken apart by a pattern", Some(self.program.at(body, pat.span)));
            }
        }
        Ok(out)
    }

    /// Whether a field of some member is called so and is to be renamed.
    fn any_field(&self, name: Name) -> bool {
        self.fields.iter().any(|f| f.names.iter().any(|&n| n == name && n.as_str() != f.name))
    }

    fn receiver_unknown(&self, ty: Ty) -> bool {
        ty.peel_refs().is_unknown()
    }

    /// What a member's field is called in the generic type.
    fn new_field(&self, member: usize, name: Name) -> Option<&str> {
        self.fields.iter().find(|f| f.names.get(member) == Some(&name)).map(|f| f.name.as_str())
    }
}

/// A field of a member, named in some body.
#[derive(Clone, Copy, Debug)]
struct FieldMention {
    span: Span,
    member: usize,
    name: Name,
    shorthand: bool,
}

/// A method that moves: one function for each member.
struct Moved {
    functions: Vec<DefId>,
    /// Replacements in the model's text: types, fields, the type's own name, variables.
    replacements: Vec<(Span, String)>,
}
