//! Types of one field around a locked map: a newtype is told where it is used, a generic wrapper by what it is given.

use rustc_hash::FxHashMap;

use super::shared_map_lock::{field_decls, is_corked, is_map, owner_name};
use crate::Analysis;
use crate::finding::Finding;
use crate::hir::ItemKind;
use crate::name::{Name, well_known};
use crate::places::{PlaceKey, UseKind, record, shape};
use crate::program::{DefId, DefKind, Program};
use crate::source::Location;
use crate::ty::{Subst, Ty};

/// A field or static whose type is a newtype.
pub(super) struct User {
    pub(super) at: Location,
    pub(super) name: String,
}

/// The newtypes around locked maps, each with the fields and statics that use it outside tests, by path and line.
pub(super) struct Wrappers {
    users: FxHashMap<DefId, Vec<User>>,
}

impl Wrappers {
    /// Goes over all declarations.
    pub(super) fn of(program: &Program) -> Wrappers {
        let mut wrappers = Wrappers { users: FxHashMap::default() };
        for (index, def) in program.defs.iter().enumerate() {
            let id = DefId(index as u32);
            if def.in_test {
                continue;
            }
            match def.kind {
                DefKind::Struct | DefKind::Union | DefKind::Variant(_) => {
                    for field in field_decls(program, id).iter().filter(|f| !f.cfg_test) {
                        let Some(ty) = program.decls.field(id, field.name) else { continue };
                        let at = Location { file: def.file, span: field.name_span };
                        wrappers.note(program, ty, id, at, || {
                            format!("{}.{}", owner_name(program, id), field.name)
                        });
                    }
                }
                DefKind::Static => {
                    let Some(&ty) = program.decls.statics.get(&id) else { continue };
                    let at = program.name_location(id);
                    wrappers.note(program, ty, id, at, || def.name.to_string());
                }
                _ => {}
            }
        }
        for users in wrappers.users.values_mut() {
            users.sort_by_key(|u| (u.at.file, u.at.span.lo));
        }
        wrappers
    }

    fn note(&mut self, program: &Program, ty: Ty, owner: DefId, at: Location, name: impl Fn() -> String) {
        let Some((def, _)) = record(program, ty) else { return };
        let ItemKind::Struct(item) = &program.item(def).kind else { return };
        let [only] = &item.fields[..] else { return };
        let newtype = only.name == well_known::ZERO;
        let declared = program.decls.field(def, only.name).and_then(|ty| shape(&program.knowledge, ty));
        if newtype && def != owner && declared.is_some_and(|s| is_corked(&s)) {
            self.users.entry(def).or_default().push(User { at, name: name() });
        }
    }

    /// Who uses a newtype around a locked map.
    pub(super) fn users(&self, def: DefId) -> &[User] {
        self.users.get(&def).map_or(&[], Vec::as_slice)
    }

    /// What a generic wrapper of one field holds for the arguments given: `Shared<HashMap<K, V>>` with
    /// `struct Shared<T>(Arc<RwLock<T>>)`. The wrapper's own declaration does not say that it is a map.
    pub(super) fn opened(&self, program: &Program, ty: Ty) -> Ty {
        let Some((held, _, open)) = held(program, ty) else { return ty };
        let corked = shape(&program.knowledge, held).is_some_and(|s| s.lock.is_some() && is_map(&s));
        if corked && open { held } else { ty }
    }

    /// Relates where a generic wrapper is declared and takes its lock.
    pub(super) fn tell_lock(&self, cx: &Analysis, ty: Ty, finding: &mut Finding) {
        let program = &cx.program;
        let Some((_, place, _)) = held(program, ty) else { return };
        let PlaceKey::Field(def, _) = place else { return };
        finding.relate(program.name_location(def), "the lock is in this type");
        let taken = |f: &(String, String)| matches!(f.0.as_str(), "reads" | "writes") && f.1 != "0";
        if finding.facts.iter().any(taken) {
            return;
        }
        for one in cx.uses.uses_of(place) {
            // Outside the wrapper's own methods another value's lock may be meant.
            let owner = program.def(program.body_info(one.body).owner);
            let own = owner.parent.is_some_and(|p| program.decls.impl_self_def(p) == Some(def));
            if own && !one.in_test && matches!(one.kind, UseKind::Acquire(_)) {
                let span = program.body(one.body).expr(one.expr).span;
                let file = program.body_info(one.body).file;
                finding.relate(program.at(one.body, cx.sources.get(file).one_line(span)), "taken here");
            }
        }
    }
}

/// What the only field of a generic struct holds, which field that is, and whether its declaration alone does not say
/// that it is a locked map.
fn held(program: &Program, ty: Ty) -> Option<(Ty, PlaceKey, bool)> {
    let (def, args) = record(program, ty)?;
    let [(name, inner)] = program.decls.fields.get(&def)?.as_slice() else { return None };
    let (name, inner): (Name, Ty) = (*name, *inner);
    if args.is_empty() || !inner.has_params() {
        return None;
    }
    let open = !shape(&program.knowledge, inner).is_some_and(|s| s.lock.is_some() && is_map(&s));
    Some((inner.subst(&Subst::pair(program.decls.params(def), args)), PlaceKey::Field(def, name), open))
}
