//! What patterns bind.

use super::{Origin, Walker};
use crate::hir::{Body, ExprId, LocalId, PatId, PatKind, Path};
use crate::knowledge::Op;
use crate::name::Name;
use crate::places::{PlaceKey, UseKind};
use crate::program::DefId;
use crate::ty::{Ty, TyKind};

/// The local that a pattern is, nothing but types around it.
pub(super) fn single(body: &Body, pat: PatId) -> Option<LocalId> {
    match &body.pat(pat).kind {
        PatKind::Bind { local, sub: None } => Some(*local),
        PatKind::Typed { pat, .. } => single(body, *pat),
        _ => None,
    }
}

impl Walker<'_> {
    /// `if let Entry::Occupied(entry) = map.entry(key)`: what is not there is not added.
    pub(super) fn only_occupied(&mut self, pat: PatId, origin: Option<Origin>) {
        let occupied = matches!(&self.body.pat(pat).kind, PatKind::TupleStruct { path, .. }
            if path.segments.last().is_some_and(|s| s.name.as_str() == "Occupied"));
        if occupied
            && origin.is_some_and(|o| o.entry)
            && let Some((_, asked)) = self.out.uses.last_mut()
            && asked.kind == UseKind::Op(Op::Entry)
        {
            asked.kind = UseKind::Op(Op::GetMut);
        }
    }

    /// Binds a pattern to one entry after the other of what an expression stands for.
    pub(super) fn bind_each(&mut self, pat: PatId, origin: Option<Origin>, init: ExprId) {
        let body = self.body;
        match (&body.pat(pat).kind, origin) {
            (PatKind::Bind { local, sub: None }, Some(origin)) if self.is_group(self.types.local(*local)) => {
                self.home.insert(*local, self.spawned);
                self.locals.insert(*local, Origin { entry: true, inner: true, ..origin });
            }
            (PatKind::Tuple(pats), Some(_)) => pats.iter().for_each(|&p| self.bind_each(p, origin, init)),
            (PatKind::Ref(inner), Some(_)) => self.bind_each(*inner, origin, init),
            _ => self.bind(pat, None, init),
        }
    }

    /// Binds a pattern to what an expression stands for.
    pub(super) fn bind(&mut self, pat: PatId, origin: Option<Origin>, init: ExprId) {
        let body = self.body;
        match &body.pat(pat).kind {
            PatKind::Bind { local, sub } => {
                self.home.insert(*local, self.spawned);
                let ty = self.types.local(*local);
                match origin {
                    Some(origin) => {
                        if origin.entry || self.is_place(ty) {
                            self.locals.insert(*local, origin);
                        } else {
                            self.record(origin, UseKind::Escape, init);
                        }
                    }
                    None if self.is_place(ty) => {
                        // A collection or lock made here: a place of its own.
                        let place = PlaceKey::Local(self.ix, *local);
                        self.out.locals.push((*local, ty));
                        self.locals.insert(*local, Origin::of(place));
                    }
                    None => {}
                }
                if let Some(sub) = sub {
                    self.bind(*sub, None, init);
                }
            }
            PatKind::Ref(inner) | PatKind::Typed { pat: inner, .. } => self.bind(*inner, origin, init),
            // `Ok(guard)`, `Some(map)`: still the place.
            PatKind::TupleStruct { path, pats } => match self.record_of(self.types.pat(pat), path) {
                Some(owner) => self.bind_fields(owner, pats, init),
                None => {
                    for &p in pats.iter() {
                        self.bind(p, origin, init);
                    }
                }
            },
            PatKind::Tuple(pats) | PatKind::Slice(pats) | PatKind::Or(pats) => {
                for &p in pats.iter() {
                    self.bind(p, origin, init);
                }
            }
            PatKind::Struct { path, fields, .. } => {
                let owner = self.record_of(self.types.pat(pat), path);
                for (name, p) in fields.iter() {
                    // `let Self { map, .. } = self`: the field itself.
                    let field = owner.and_then(|def| self.field_place(def, *name));
                    self.bind(*p, field, init);
                }
            }
            PatKind::Missing
            | PatKind::Wild
            | PatKind::Rest
            | PatKind::Path(_)
            | PatKind::Lit(_)
            | PatKind::Range => {}
        }
    }

    /// The struct or variant that a literal or pattern of the given type names.
    pub(super) fn record_of(&self, ty: Ty, path: &Path) -> Option<DefId> {
        let TyKind::Adt(def, _) = ty.peel_refs().kind() else { return None };
        match self.program.variants.get(def) {
            Some(variants) => variants.get(&path.segments.last()?.name).copied(),
            None => Some(*def),
        }
    }

    pub(super) fn field_place(&self, owner: DefId, name: Name) -> Option<Origin> {
        let declared = self.program.decls.field(owner, name)?;
        self.is_place(declared).then_some(Origin::of(PlaceKey::Field(owner, name)))
    }

    /// `Stored::Here(map)`: the fields by position, those after a `..` counted from the end.
    fn bind_fields(&mut self, owner: DefId, pats: &[PatId], init: ExprId) {
        let body = self.body;
        let rest = pats.iter().position(|&p| matches!(body.pat(p).kind, PatKind::Rest));
        let all = self.program.decls.fields.get(&owner).map_or(0, Vec::len);
        for (i, &p) in pats.iter().enumerate() {
            let at = match rest {
                Some(rest) if i > rest => (all + i).checked_sub(pats.len()),
                _ => Some(i),
            };
            let field = at.and_then(|at| self.field_place(owner, Name::new(&at.to_string())));
            self.bind(p, field, init);
        }
    }
}
