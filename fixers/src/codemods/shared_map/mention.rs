//! Where the place is mentioned, and what each mention is.

use uncork_lints::hir::{Expr, ExprId, ExprKind, LocalId, PatKind, Stmt};
use uncork_lints::name::Name;
use uncork_lints::program::{BodyIx, DefId};
use uncork_lints::source::Location;
use uncork_lints::ty::{Subst, Ty, TyKind};

use super::to::Held;
use super::{Blocked, Migration, Step, Target};

const ACQUIRE: [&str; 3] = ["read", "write", "lock"];

impl<'a> Migration<'_, 'a> {
    /// All mentions of the place in the program, constructors (`S { map: … }`) rewritten on the way.
    pub(super) fn mentions(&mut self) -> Step<Vec<(BodyIx, ExprId)>> {
        let program = &self.cx.analysis.program;
        let index = self.index;
        let (def, field) = match self.target {
            Target::Static(def) => {
                for (number, info) in program.bodies.iter().enumerate() {
                    let body = BodyIx(number as u32);
                    if info.owner == def {
                        self.initialiser(body, program.body(body).root, false)?;
                    }
                }
                return Ok(index.statics.get(&def).cloned().unwrap_or_default());
            }
            Target::Field(def, field) => (def, field),
        };
        self.patterns(def, field)?;
        let mut out = Vec::new();
        for &(body, id) in index.fields.get(&field).into_iter().flatten() {
            let ExprKind::Field { base, .. } = program.body(body).expr(id).kind else { continue };
            if !self.tree(body).hangs(id) {
                continue;
            }
            match self.field_owner(self.ty(body, base), field) {
                Owner::Is(owner) if owner == def => out.push((body, id)),
                Owner::Is(_) | Owner::Other => {}
                Owner::Unknown => self.unknown_owner(body, id)?,
            }
        }
        for &(body, id) in index.constructors.get(&def).into_iter().flatten() {
            if !self.tree(body).hangs(id) {
                continue;
            }
            match &program.body(body).expr(id).kind {
                ExprKind::Struct { fields, .. } => {
                    if let Some(init) = fields.iter().find(|f| f.name == field) {
                        self.initialiser(body, init.value, init.shorthand)?;
                    }
                }
                ExprKind::Call { args, .. } => {
                    let place = field.as_str().parse::<usize>().ok();
                    if let Some(&arg) = place.and_then(|i| args.get(i)) {
                        self.initialiser(body, arg, false)?;
                    }
                }
                _ => {}
            }
        }
        Ok(out)
    }

    /// A pattern that takes the field out of its struct is a mention that is not followed.
    fn patterns(&self, def: DefId, field: Name) -> Step {
        let program = &self.cx.analysis.program;
        for &(body, pat) in self.index.patterns.get(&def).into_iter().flatten() {
            let pat = program.body(body).pat(pat);
            let PatKind::Struct { fields, .. } = &pat.kind else { continue };
            let named = fields.iter().find(|(name, _)| *name == field);
            if named.is_some_and(|(_, inner)| !matches!(program.body(body).pat(*inner).kind, PatKind::Wild)) {
                let at = Some(self.at(body, pat.span));
                return Err(Blocked { reason: "the field is taken out by a pattern", at });
            }
        }
        Ok(())
    }

    /// A field of this name on a value of unknown type: only an acquisition is reason to stop.
    fn unknown_owner(&mut self, body: BodyIx, id: ExprId) -> Step {
        let parent = self.tree(body).parent_kind(id);
        match parent {
            Some((_, ExprKind::Method { recv, name, .. }))
                if *recv == id && ACQUIRE.contains(&name.as_str()) =>
            {
                self.blocked(body, id, "a use through a value whose type is not known")
            }
            _ => Ok(()),
        }
    }

    fn field_owner(&self, base: Ty, field: Name) -> Owner {
        let program = &self.cx.analysis.program;
        let mut ty = base;
        for _ in 0..12 {
            match ty.kind() {
                TyKind::Unknown | TyKind::Var(_) | TyKind::Assoc(..) => return Owner::Unknown,
                TyKind::Ref(_, inner) => ty = *inner,
                TyKind::Adt(def, _) => {
                    return if program.decls.field(*def, field).is_some() {
                        Owner::Is(*def)
                    } else {
                        // A `Deref` of the workspace may lead on.
                        Owner::Unknown
                    };
                }
                TyKind::Ext(path, args) => {
                    let Some(info) = program.knowledge.types.get(path) else { return Owner::Unknown };
                    match info.deref {
                        Some(target) => ty = target.subst(&Subst::pair(info.params.iter().copied(), args)),
                        None => return Owner::Other,
                    }
                }
                _ => return Owner::Other,
            }
        }
        Owner::Unknown
    }

    /// Follows one mention (or a handle made from one).
    pub(super) fn mention(&mut self, body: BodyIx, id: ExprId) -> Step {
        let program = &self.cx.analysis.program;
        let hir = program.body(body);
        let Some((parent, kind)) = self.tree(body).parent_kind(id) else {
            return self.blocked(body, id, "the map's lock is handed out");
        };
        match kind {
            ExprKind::Method { recv, name, args, .. } if *recv == id && self.held != Held::Locked => {
                match name.as_str() {
                    "clone" if args.is_empty() && self.in_handle => self.handle(body, parent),
                    _ if self.to.gives_values(self.held) => self.operation(body, parent),
                    _ => {
                        let hold = self.plain_hold(body);
                        self.kept_operation(body, parent, hold)
                    }
                }
            }
            ExprKind::Index { .. } => self.blocked(body, parent, "the map is indexed"),
            ExprKind::Method { recv, name, args, .. } if *recv == id => match name.as_str() {
                "read" | "write" | "lock" | "get_mut" if args.is_empty() => self.acquired(body, id, parent),
                "try_read" | "try_write" | "try_lock" => {
                    self.blocked(body, parent, "the lock is only tried, and code acts on its being taken")
                }
                "clone" if args.is_empty() => self.handle(body, parent),
                _ => self.blocked(body, parent, "a method of the lock that has no counterpart"),
            },
            ExprKind::Ref { mutable: false, .. } => {
                let Some((call, ExprKind::Call { callee, args })) = self.tree(body).parent_kind(parent)
                else {
                    return self.blocked(body, id, "the map's lock is borrowed and handed on");
                };
                let Expr { kind: ExprKind::Path(path), .. } = hir.expr(*callee) else {
                    return self.blocked(body, id, "the map's lock is borrowed and handed on");
                };
                let names: Vec<&str> = path.segments.iter().map(|s| s.name.as_str()).collect();
                match names.as_slice() {
                    [.., "Arc" | "Rc" | "Clone", "clone"] if args.len() == 1 => self.handle(body, call),
                    [.., "Arc" | "Rc", "strong_count" | "weak_count"] => Ok(()),
                    _ => self.blocked(body, id, "the map's lock is borrowed and handed on"),
                }
            }
            ExprKind::Assign { lhs, rhs } if *lhs == id => self.initialiser(body, *rhs, false),
            _ => self.blocked(body, id, "the map's lock is handed out"),
        }
    }

    /// A clone of the `Arc` around the lock: good if it gets a name, or goes into the same field again.
    fn handle(&mut self, body: BodyIx, clone: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        if let Some(at) = self.tree(body).stmt_of(clone)
            && let Some(Stmt::Let { pat, ty: None, els: None, .. }) = self.tree(body).stmt(at)
            && let PatKind::Bind { local, sub: None } = hir.pat(*pat).kind
        {
            return self.alias(body, local);
        }
        if let Some((_, ExprKind::Struct { fields, .. })) = self.tree(body).parent_kind(clone)
            && let Target::Field(def, field) = self.target
            && let Some(init) = fields.iter().find(|f| f.value == clone)
            && init.name == field
            && let Some((literal, _)) = self.tree(body).parent_kind(clone)
            && matches!(self.ty(body, literal).peel_refs().kind(), TyKind::Adt(d, _) if *d == def)
        {
            return Ok(());
        }
        self.blocked(body, clone, "a handle to the map is handed out")
    }

    pub(super) fn alias(&mut self, body: BodyIx, local: LocalId) -> Step {
        if self.aliases.contains(&(body, local)) {
            return Ok(());
        }
        self.aliases.push((body, local));
        let uses = self.tree(body).uses(local);
        for one in uses {
            self.mention(body, one)?;
        }
        Ok(())
    }

    /// Functions from which the place can be reached, through the workspace's own calls.
    pub(super) fn touching(&self, mentions: &[(BodyIx, ExprId)]) -> Vec<DefId> {
        let program = &self.cx.analysis.program;
        let callers = &self.index.callers;
        let mut out: Vec<DefId> = Vec::new();
        let mut seen = rustc_hash::FxHashSet::default();
        let mut work: Vec<DefId> = mentions.iter().map(|(b, _)| program.body_info(*b).owner).collect();
        while let Some(def) = work.pop() {
            if seen.insert(def) {
                out.push(def);
                work.extend(callers.get(&def).into_iter().flatten());
            }
        }
        out.sort();
        out
    }

    /// Where something stands.
    pub(super) fn place_of(&self, body: BodyIx, id: ExprId) -> Location {
        self.at(body, self.cx.analysis.program.body(body).expr(id).span)
    }
}

/// Whose field it is.
enum Owner {
    Is(DefId),
    Other,
    Unknown,
}
