//! Places and where they come from: which lock, map or file an expression means, seen through local aliases.

use super::origins::{LocalDef, OriginTable};
use super::types::TypeFacts;
use super::units::Units;
use super::walk;
use crate::hir::{ExprId, ExprKind, Lit, LocalId, PatId, PatKind};
use crate::infer::{BodyTypes, Callee};
use crate::name::{Name, well_known};
use crate::program::{BodyIx, DefId, DefKind, Program, Res};
use crate::ty::TyKind;

/// What a place starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// A variable of a body (parameters too).
    Local(BodyIx, LocalId),
    /// A static or const.
    Static(DefId),
    /// The value of an expression: made here.
    Value(BodyIx, ExprId),
    /// Some instance; which is not known.
    Unknown,
}

/// One step into a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// A field, and the type that declares it where that is of the workspace.
    Field(Option<DefId>, Name),
    /// Some element of a collection.
    Elem,
    /// The element at a literal index.
    At(u64),
    /// What a lock guards.
    Guarded,
}

/// A place: where it starts and the steps from there, references and shared handles seen through.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Where it starts.
    pub root: Root,
    /// The steps.
    pub steps: Vec<Step>,
}

/// Longer places forget where they start.
const MAX_STEPS: usize = 6;

impl Place {
    /// A place without steps.
    pub fn root(root: Root) -> Place {
        Place { root, steps: Vec::new() }
    }

    /// One step further.
    pub fn then(mut self, step: Step) -> Place {
        self.steps.push(step);
        self.bounded()
    }

    /// The place `rest` steps below this one.
    pub fn append(mut self, rest: &[Step]) -> Place {
        self.steps.extend_from_slice(rest);
        self.bounded()
    }

    fn bounded(mut self) -> Place {
        if self.steps.len() > MAX_STEPS {
            let cut = self.steps.len() - MAX_STEPS;
            self.steps.drain(..cut);
            self.root = Root::Unknown;
        }
        self
    }

    /// The same kind of place in an unknown instance: only the last named fields are kept.
    pub fn forget_instance(&self) -> Option<Place> {
        if let Root::Static(_) = self.root {
            return Some(self.clone());
        }
        let named = |steps: &[Step]| steps.iter().rposition(|s| matches!(s, Step::Field(Some(_), _)));
        let last = named(&self.steps)?;
        let at = named(&self.steps[..last]).filter(|&at| at + 1 == last).unwrap_or(last);
        Some(Place { root: Root::Unknown, steps: self.steps[at..].to_vec() })
    }

    /// Whether it means one thing for sure: no unknown start, no unknown element.
    pub fn is_exact(&self) -> bool {
        self.root != Root::Unknown && !self.steps.contains(&Step::Elem)
    }

    /// The field or static that names the place's class: equal for all instances. A newtype around a lock is named by
    /// the field that holds it.
    pub fn class(&self, program: &Program) -> Option<Class> {
        let elem = matches!(self.steps.last(), Some(Step::Elem | Step::At(_)));
        let mut fields = self.steps.iter().rev().filter_map(|s| match s {
            Step::Field(owner, name) => Some((*owner, *name)),
            _ => None,
        });
        let mut named = fields.next();
        let mut part = None;
        if let Some((Some(owner), name)) = named
            && is_wrapper(program, owner, name)
        {
            let outer = fields.next();
            if outer.is_some_and(|f| f.0.is_some()) || outer.is_none() && matches!(self.root, Root::Static(_))
            {
                named = outer;
                part = Some((owner, name));
            }
        }
        let class = |what| Some(Class { what, elem, part });
        match (named, self.root) {
            (Some((Some(owner), name)), _) => class(ClassOf::Field(owner, name)),
            (Some((None, _)), _) => None,
            (None, Root::Static(def)) => class(ClassOf::Static(def)),
            (None, Root::Local(body, local)) => class(ClassOf::Local(body, local)),
            (None, _) => None,
        }
    }
}

/// Whether a type is there to hold what others put in it: a newtype, or a generic type whose field `name` holds what its
/// parameter says. Two fields of such a type are two locks, whatever they have in common.
fn is_wrapper(program: &Program, owner: DefId, name: Name) -> bool {
    program.decls.fields.get(&owner).is_some_and(|fields| fields.len() == 1)
        || program
            .decls
            .field(owner, name)
            .is_some_and(|ty| ty.any(&mut |t| matches!(t.kind(), TyKind::Param(_))))
}

/// What a lock is, instances aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class {
    /// Which declaration.
    pub what: ClassOf,
    /// An element of a collection there.
    pub elem: bool,
    /// The field of the wrapper found there that holds it.
    pub part: Option<(DefId, Name)>,
}

impl Class {
    /// The class as the wrapper's own code names it.
    pub fn declared(self) -> Class {
        match self.part {
            Some((owner, name)) => Class { what: ClassOf::Field(owner, name), elem: self.elem, part: None },
            None => self,
        }
    }
}

/// The declaration a class is named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ClassOf {
    Field(DefId, Name),
    Static(DefId),
    Local(BodyIx, LocalId),
}

/// What resolving a place needs.
#[derive(Clone, Copy)]
pub struct PlaceCx<'a> {
    /// The program.
    pub program: &'a Program,
    /// Types of all bodies.
    pub types: &'a [BodyTypes],
    /// Answers about types.
    pub facts: TypeFacts<'a>,
    /// Units of all bodies.
    pub units: &'a Units,
    /// Origins of variables, made when asked for.
    pub origins: &'a OriginTable,
}

const DEPTH: u32 = 24;

impl PlaceCx<'_> {
    /// What an expression means as a place. `None`: it makes a new value, or nothing is known.
    pub fn place(&self, body: BodyIx, id: ExprId) -> Option<Place> {
        self.place_at(body, id, DEPTH)
    }

    fn place_at(&self, ix: BodyIx, id: ExprId, depth: u32) -> Option<Place> {
        let depth = depth.checked_sub(1)?;
        let body = self.program.body(ix);
        let types = &self.types[ix.0 as usize];
        match &body.expr(id).kind {
            ExprKind::Local(local) => Some(self.local(ix, *local, depth)),
            ExprKind::Path(_) => match types.res(id)? {
                Res::Def(def) if matches!(self.program.def(def).kind, DefKind::Static | DefKind::Const) => {
                    Some(Place::root(Root::Static(def)))
                }
                _ => None,
            },
            ExprKind::Field { base, name, .. } => {
                let owner = self.facts.field_owner(types.expr(*base), *name);
                let base = self
                    .place_at(ix, *base, depth)
                    .unwrap_or(Place { root: Root::Unknown, steps: Vec::new() });
                Some(base.then(Step::Field(owner, *name)))
            }
            ExprKind::Index { base, index } => {
                let step = match body.expr(*index).kind {
                    ExprKind::Lit(Lit::Int(Some(n), _)) => Step::At(n),
                    _ => Step::Elem,
                };
                Some(self.place_at(ix, *base, depth)?.then(step))
            }
            ExprKind::Deref(e)
            | ExprKind::Ref { expr: e, .. }
            | ExprKind::Cast { expr: e, .. }
            | ExprKind::Try(e) => self.place_at(ix, *e, depth),
            ExprKind::Await(e) => self.place_at(ix, *e, depth),
            ExprKind::Block(b) if b.stmts.is_empty() => self.place_at(ix, b.tail?, depth),
            ExprKind::Method { recv, name, args, .. } => self.method(ix, id, *recv, *name, args, depth),
            ExprKind::Call { args, callee } => self.call(ix, id, *callee, args, depth),
            _ => None,
        }
    }

    fn local(&self, ix: BodyIx, local: LocalId, depth: u32) -> Place {
        let own = Place::root(Root::Local(ix, local));
        let body = self.program.body(ix);
        match self.origins.get(self.program, ix).def(local) {
            Some(LocalDef::Init(init, None)) => match body.expr(init).kind {
                // A fresh value: the variable is its place.
                ExprKind::Struct { .. } | ExprKind::Lit(_) => own,
                _ => self.place_at(ix, init, depth).unwrap_or(own),
            },
            Some(LocalDef::Init(init, Some(pat))) => {
                let Some(base) = self.place_at(ix, init, depth) else { return own };
                self.through_pattern(ix, pat, local, base).unwrap_or(own)
            }
            Some(LocalDef::Item(iter)) => self.place_at(ix, iter, depth).map_or(own, |p| p.then(Step::Elem)),
            _ => own,
        }
    }

    /// The part of `base` that a pattern binds to `local`.
    fn through_pattern(&self, ix: BodyIx, pat: PatId, local: LocalId, base: Place) -> Option<Place> {
        let body = self.program.body(ix);
        let binds = |p: PatId| {
            let mut found = false;
            walk::for_each_pat(body, p, &mut |q| {
                found |= matches!(body.pat(q).kind, PatKind::Bind { local: l, .. } if l == local);
            });
            found
        };
        match &body.pat(pat).kind {
            PatKind::Bind { local: l, .. } if *l == local => Some(base),
            PatKind::Ref(p) | PatKind::Typed { pat: p, .. } => self.through_pattern(ix, *p, local, base),
            PatKind::Struct { fields, .. } => {
                let (name, p) = fields.iter().find(|(_, p)| binds(*p))?;
                let owner = self.facts.field_owner(self.types[ix.0 as usize].pat(pat), *name);
                self.through_pattern(ix, *p, local, base.then(Step::Field(owner, *name)))
            }
            PatKind::Tuple(ps) => {
                let i = ps.iter().position(|&p| binds(p))?;
                let field = Step::Field(None, Name::new(&i.to_string()));
                self.through_pattern(ix, ps[i], local, base.then(field))
            }
            PatKind::TupleStruct { path, pats } => {
                let i = pats.iter().position(|&p| binds(p))?;
                let name = path.segments.last()?.name;
                // `Some(x)`, `Ok(x)`: what the optional reference means.
                if name == well_known::SOME || name == well_known::OK {
                    return self.through_pattern(ix, pats[i], local, base);
                }
                let field = Name::new(&i.to_string());
                let owner = self.facts.field_owner(self.types[ix.0 as usize].pat(pat), field);
                self.through_pattern(ix, pats[i], local, base.then(Step::Field(owner, field)))
            }
            PatKind::Or(ps) => ps.iter().find_map(|&p| self.through_pattern(ix, p, local, base.clone())),
            _ => None,
        }
    }

    fn method(
        &self,
        ix: BodyIx,
        id: ExprId,
        recv: ExprId,
        name: Name,
        args: &[ExprId],
        depth: u32,
    ) -> Option<Place> {
        let types = &self.types[ix.0 as usize];
        match types.callee(id) {
            Callee::Fn(def) => {
                let mut all = vec![recv];
                all.extend_from_slice(args);
                self.accessor(def, ix, &all, depth)
            }
            Callee::Ext(path) => {
                let tags = self.facts.tags(path);
                if tags.is_some_and(|t| t.acquire.is_some()) {
                    return Some(self.place_at(ix, recv, depth)?.then(Step::Guarded));
                }
                let text = name.as_str();
                match text {
                    "clone" | "to_owned" | "cloned" => {
                        let ty = types.expr(id);
                        let shared = self.program.knowledge.of(ty).is_some_and(|i| i.shared);
                        let reference = matches!(ty.kind(), TyKind::Ref(..));
                        if shared || reference { self.place_at(ix, recv, depth) } else { None }
                    }
                    "as_ref" | "as_mut" | "as_deref" | "as_deref_mut" | "deref" | "deref_mut" | "borrow"
                    | "unwrap" | "expect" | "unwrap_or_else" | "ok_or_else" | "ok_or" | "ok" | "map_err"
                    | "by_ref" | "iter" | "iter_mut" | "values" | "values_mut" | "into_iter"
                    | "enumerate" | "as_slice" | "context" | "with_context" | "rev" | "zip" | "skip"
                    | "take" | "upgrade" => self.place_at(ix, recv, depth),
                    "get" | "get_mut" | "first" | "last" | "first_mut" | "last_mut" | "entry"
                    | "or_insert_with" | "or_default" | "or_insert" | "get_or_insert_with" | "next"
                    | "nth" => {
                        let lazy = text == "get" && args.is_empty();
                        let place = self.place_at(ix, recv, depth)?;
                        Some(if lazy || place.steps.last() == Some(&Step::Elem) {
                            place
                        } else {
                            place.then(Step::Elem)
                        })
                    }
                    "get_or_init" => self.place_at(ix, recv, depth),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn call(&self, ix: BodyIx, id: ExprId, callee: ExprId, args: &[ExprId], depth: u32) -> Option<Place> {
        let types = &self.types[ix.0 as usize];
        match types.callee(id) {
            Callee::Fn(def) => self.accessor(def, ix, args, depth),
            Callee::Ext(path) => {
                let (arg, text) = (*args.first()?, path.as_str());
                if self.facts.tags(path).is_some_and(|t| t.acquire.is_some()) {
                    return Some(self.place_at(ix, arg, depth)?.then(Step::Guarded));
                }
                if text.ends_with("::clone") {
                    let shared = self.program.knowledge.of(types.expr(id)).is_some_and(|i| i.shared);
                    return if shared { self.place_at(ix, arg, depth) } else { None };
                }
                // `Some(&x)`: what is in it.
                let ExprKind::Path(path) = &self.program.body(ix).expr(callee).kind else { return None };
                match path.segments.last()?.name {
                    well_known::SOME | well_known::OK => self.place_at(ix, arg, depth),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The place that a function returning a reference or shared handle gives, in terms of the call's arguments.
    fn accessor(&self, def: DefId, ix: BodyIx, args: &[ExprId], depth: u32) -> Option<Place> {
        let &callee = self.program.body_of.get(&def)?;
        let ret = self.program.decls.sigs.get(&def)?.ret;
        let handle = |ty: crate::ty::Ty| {
            matches!(ty.kind(), TyKind::Ref(..)) || self.program.knowledge.of(ty).is_some_and(|i| i.shared)
        };
        if !ret.any(&mut |t| handle(t)) {
            return None;
        }
        let depth = depth.checked_sub(4)?;
        let body = self.program.body(callee);
        let ExprKind::Block(block) = &body.expr(body.root).kind else { return None };
        let inner = self.place_at(callee, block.tail?, depth)?;
        self.substitute(callee, &inner, |i| self.place_at(ix, *args.get(i)?, depth))
    }

    /// A place of a function's body in terms of the arguments of a call.
    pub fn substitute(
        &self,
        callee: BodyIx,
        place: &Place,
        arg: impl FnOnce(usize) -> Option<Place>,
    ) -> Option<Place> {
        match place.root {
            Root::Static(_) => Some(place.clone()),
            Root::Local(b, local) if b == callee => match self.param_index(callee, local).and_then(arg) {
                Some(base) => Some(base.append(&place.steps)),
                None => place.forget_instance(),
            },
            _ => place.forget_instance(),
        }
    }

    /// Whether a place is part of a variable that owns it and that nothing else has: made here, a parameter by value, or
    /// by `&mut`, which lets nobody else in.
    pub fn is_own(&self, place: &Place) -> bool {
        let Root::Local(ix, local) = place.root else { return false };
        let owned = |ty: crate::ty::Ty| match ty.kind() {
            TyKind::Adt(..) => true,
            TyKind::Ext(..) => self.program.knowledge.of(ty).is_some_and(|i| !i.shared && !i.guard),
            _ => false,
        };
        let ty = self.types[ix.0 as usize].local(local);
        let lent = matches!(ty.kind(), TyKind::Ref(true, inner) if owned(*inner)) && !place.steps.is_empty();
        // Each step into a field of the value itself: `Deref` leads out of it without one.
        let mut inner = ty.peel_refs();
        let mut field = |step: &Step| {
            let (Step::Field(Some(owner), name), TyKind::Adt(def, _)) = (step, inner.kind()) else {
                return false;
            };
            let declared = self.program.decls.field(*owner, *name).filter(|&ty| owner == def && owned(ty));
            declared.map(|ty| inner = ty).is_some()
        };
        (lent || owned(ty))
            && place.steps.iter().all(&mut field)
            && !walk::is_captured(self.program.body(ix), local)
    }

    /// The index of the parameter that a variable is, if it is one as a whole.
    pub fn param_index(&self, ix: BodyIx, local: LocalId) -> Option<usize> {
        let body = self.program.body(ix);
        body.params.iter().position(|p| match &body.pat(p.pat).kind {
            PatKind::Bind { local: l, .. } => *l == local,
            PatKind::Typed { pat, .. } => {
                matches!(body.pat(*pat).kind, PatKind::Bind { local: l, .. } if l == local)
            }
            _ => false,
        })
    }
}
