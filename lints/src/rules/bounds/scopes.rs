//! Which values are made anew for each call, request or turn, and go with it: by where they are made, who holds them, and
//! in which function their way ends.

use rustc_hash::FxHashSet;

use super::callers::{Callers, Site};
use super::lifetimes::{Kept, Owners};
use crate::Analysis;
use crate::flow::walk::for_each_below;
use crate::hir::{Body, ExprId, ExprKind, MacroKind, SelfParam};
use crate::infer::Callee;
use crate::knowledge::{ClosureUse, Op};
use crate::link::HeadKey;
use crate::places::PlaceKey;
use crate::program::{BodyIx, DefId, DefKind, Program};
use crate::ty::{Bound, TraitRef, Ty, TyKind};

/// How deep callers and types are looked into.
const DEPTH: u32 = 6;

/// What is asked about one type.
pub(super) struct Scopes<'a> {
    cx: &'a Analysis,
    program: &'a Program,
    owners: &'a Owners,
    callers: &'a Callers,
    /// The type, and all that hold it as a part of themselves.
    holders: Vec<DefId>,
}

/// Where the way of a fresh value ends.
enum End {
    /// In something that is there as long as the program.
    Stays,
    /// With code that is not seen, which a constructor offers it.
    Offered,
    /// Nobody can say.
    Unknown,
    /// With the call that made it.
    Call,
}

impl<'a> Scopes<'a> {
    /// Whether values of `def` are made for one call each. `false` also where that is not known.
    pub(super) fn of_one_call(
        cx: &'a Analysis,
        owners: &'a Owners,
        callers: &'a Callers,
        def: DefId,
        shrinks: &mut dyn FnMut(PlaceKey) -> bool,
    ) -> bool {
        let mut scopes = Scopes { cx, program: &cx.program, owners, callers, holders: vec![def] };
        scopes.find_holders(shrinks) && scopes.ends_with_a_call(def)
    }

    /// Follows who holds the type; `false` if that is a static. An entry of what loses entries goes again.
    fn find_holders(&mut self, shrinks: &mut dyn FnMut(PlaceKey) -> bool) -> bool {
        let mut next = 0;
        while let Some(&holder) = self.holders.get(next) {
            next += 1;
            for kept in self.owners.kept(holder).chain(self.owners.kept_as_dyn(self.program, holder)) {
                let owner = match kept {
                    Kept::Always => return false,
                    Kept::Passing => continue,
                    Kept::Part(owner) => owner,
                    Kept::Entry(place) if shrinks(place) => continue,
                    Kept::Entry(PlaceKey::Field(owner, _)) => match self.program.def(owner) {
                        variant if matches!(variant.kind, DefKind::Variant(_)) => {
                            variant.parent.unwrap_or(owner)
                        }
                        _ => owner,
                    },
                    Kept::Entry(_) => return false,
                };
                if !self.holders.contains(&owner) {
                    self.holders.push(owner);
                }
            }
        }
        true
    }

    fn ends_with_a_call(&self, def: DefId) -> bool {
        let made = |def: &DefId| self.cx.uses.made.get(def).into_iter().flatten();
        // A default of what holds it makes one too.
        let births = made(&def)
            .chain(self.holders.iter().skip(1).flat_map(made).filter(|birth| birth.default))
            .map(|birth| (birth.body, birth.expr));
        let mut seen = FxHashSet::default();
        let mut work: Vec<(BodyIx, ExprId)> = births.collect();
        let (mut of_calls, mut offered) = (0, 0);
        while let Some((body, at)) = work.pop() {
            let function = self.program.body_info(body).owner;
            if self.program.def(function).in_test {
                continue;
            }
            if self.program.def(function).kind != DefKind::Fn {
                return false;
            }
            let end = if !self.gives(function) {
                self.end_in(function, body, at)
            } else if !seen.insert(function) {
                continue;
            } else {
                let sites = self.callers.sites(function);
                work.extend(
                    sites.iter().filter(|s| !self.of_any_type(function, s)).map(|s| (s.body, s.call)),
                );
                if sites.is_empty() { self.end_outside(function) } else { continue }
            };
            match end {
                End::Stays => return false,
                End::Offered => offered += 1,
                End::Unknown => {}
                End::Call => of_calls += 1,
            }
        }
        // One use inside says little of a type that a library offers in more ways than that.
        of_calls > offered
    }

    /// Whether a call makes a value of whatever type implements a trait (`S::open()`): what becomes of that says nothing of
    /// this type.
    fn of_any_type(&self, function: DefId, site: &Site) -> bool {
        let receiver = self.program.fn_item(function).is_some_and(|f| f.self_param.is_some());
        !receiver && matches!(self.cx.types[site.body.0 as usize].callee(site.call), Callee::Virtual(_))
    }

    /// Whether what a function returns may hold the value.
    fn gives(&self, function: DefId) -> bool {
        self.program.decls.sigs.get(&function).is_none_or(|sig| self.holds(sig.ret))
    }

    /// Whether a value of a type may hold the value in question.
    fn holds(&self, ty: Ty) -> bool {
        let implemented = |bounds: &[Bound]| {
            bounds.iter().any(|bound| {
                self.holders.iter().any(|&holder| implements(self.program, holder).contains(&bound.trait_))
            })
        };
        ty.any(&mut |t| match t.kind() {
            TyKind::Adt(def, _) => self.holders.contains(def),
            TyKind::Dyn(bounds) | TyKind::Opaque(bounds) => implemented(bounds),
            _ => false,
        })
    }

    /// A value that is made, or got from a function that makes it, at `at` in a function that does not return it.
    fn end_in(&self, function: DefId, ix: BodyIx, at: ExprId) -> End {
        let body = self.program.body(ix);
        // It may be put into what the function is given, or into a collection.
        let given =
            self.program.decls.sigs.get(&function).is_some_and(|s| s.params.iter().any(|&p| self.holds(p)));
        let once = self.callers.runs_once(self.cx, function, DEPTH);
        if given || self.hands_on(ix) {
            // What a set-up hands on is there for as long as the program runs.
            return if once { End::Stays } else { End::Unknown };
        }
        if let Some(turn) = loop_around(self.cx, ix, at) {
            // What runs once goes round for each entry of a configuration, or for each request.
            let request = !once || waits(body, turn);
            return if request && !self.spawns(ix, turn) { End::Call } else { End::Unknown };
        }
        if self.serves(ix) || self.callers.is_main(&self.cx.program, function) {
            return End::Stays;
        }
        if once {
            return End::Unknown;
        }
        if self.spawns(ix, body.root) && !self.scopes_threads(ix) {
            return End::Unknown;
        }
        let ret = self.program.decls.sigs.get(&function).map_or(Ty::UNKNOWN, |s| s.ret);
        let receiver = self.program.fn_item(function).is_some_and(|f| f.self_param.is_some());
        // Who gives an answer is done; what was made for it on the way is as well.
        if receiver && answers(ret) || self.is_plain(ret) {
            return End::Call;
        }
        let often = |site: &Site| loop_around(self.cx, site.body, site.call).is_some();
        if self.callers.sites(function).iter().any(often) { End::Call } else { End::Unknown }
    }

    /// A value that a function returns to code that is not seen: made for a call if that is asked of something that has
    /// state of its own and lives on (`db.begin()`), unless it is a connection, which may live as long.
    fn end_outside(&self, function: DefId) -> End {
        let Some(f) = self.program.fn_item(function) else { return End::Unknown };
        if f.self_param.is_none() {
            let seen = self.callers.reached(self.cx, function);
            return if seen { End::Offered } else { End::Unknown };
        }
        let parent = self.program.def(function).parent;
        let asked = parent.and_then(|p| self.program.decls.impl_self.get(&p)).map(|ty| ty.kind());
        let Some(TyKind::Adt(asked, _)) = asked else { return End::Unknown };
        if f.self_param != Some(SelfParam::Ref) || self.holders.contains(asked) {
            return End::Unknown;
        }
        let kb = &self.program.knowledge;
        let stateful = self.owns(*asked, true, &|path| kb.types.get(&path).is_some_and(|i| i.lock.is_some()));
        let io = |path| kb.type_info(path).is_some_and(|i| i.io_object);
        if stateful && !self.holders.iter().any(|&h| self.owns(h, false, &io)) {
            End::Call
        } else {
            End::Unknown
        }
    }

    /// Whether a type holds one from outside that `wanted` names, through handles or not.
    fn owns(&self, def: DefId, handles: bool, wanted: &dyn Fn(crate::name::Name) -> bool) -> bool {
        let mut seen = FxHashSet::default();
        let mut work = vec![def];
        while let Some(def) = work.pop() {
            if !seen.insert(def) {
                continue;
            }
            let mut types: Vec<Ty> =
                self.program.decls.fields.get(&def).into_iter().flatten().map(|f| f.1).collect();
            while let Some(ty) = types.pop() {
                match ty.kind() {
                    TyKind::Adt(def, args) => {
                        work.push(*def);
                        types.extend(args.iter().copied());
                    }
                    TyKind::Ext(path, _) if wanted(*path) => return true,
                    TyKind::Ext(path, args) => {
                        let handle = self.program.knowledge.types.get(path).is_some_and(|i| i.shared);
                        if handles || !handle {
                            types.extend(args.iter().copied());
                        }
                    }
                    TyKind::Ref(_, inner) if handles => types.push(*inner),
                    TyKind::Array(inner) | TyKind::Slice(inner) => types.push(*inner),
                    TyKind::Tuple(parts) => types.extend(parts.iter().copied()),
                    _ => {}
                }
            }
        }
        false
    }

    /// Whether code below `root` gives something to another thread or task.
    fn spawns(&self, ix: BodyIx, root: ExprId) -> bool {
        let types = &self.cx.types[ix.0 as usize];
        // A function of the workspace may spawn what it is given.
        let goes_along = |arg: ExprId| {
            let ty = types.expr(arg);
            matches!(ty.kind(), TyKind::Closure(..) | TyKind::Future(_)) || self.holds(ty)
        };
        self.calls(ix, root, &mut |callee, args| match callee {
            Callee::Ext(path) => self
                .program
                .knowledge
                .callee(path)
                .is_some_and(|f| f.tags.closure == ClosureUse::Spawn || f.tags.spawns_future),
            Callee::Fn(def) => args.iter().enumerate().any(|(i, &arg)| {
                self.cx.uses.spawning.contains(&PlaceKey::Param(def, i as u32)) && goes_along(arg)
            }),
            _ => false,
        })
    }

    /// Whether a body puts what may hold the value where something else keeps it, or gives it away where its type is not
    /// told any more: to code that is not seen, in a closure or not, or that takes whatever implements a trait.
    fn hands_on(&self, ix: BodyIx) -> bool {
        let body = self.program.body(ix);
        let types = &self.cx.types[ix.0 as usize];
        body.exprs.iter().enumerate().any(|(index, expr)| {
            let (args, shift) = match &expr.kind {
                ExprKind::Method { args, .. } => (args, 1),
                ExprKind::Call { args, .. } => (args, 0),
                ExprKind::Assign { lhs, rhs } => {
                    let kept = !matches!(body.expr(*lhs).kind, ExprKind::Local(_));
                    return kept && self.holds(types.expr(*rhs));
                }
                _ => return false,
            };
            let given = || args.iter().map(|&arg| types.expr(arg)).enumerate();
            let captured = || args.iter().any(|&arg| self.captures(ix, arg));
            let outside = match types.callee(ExprId(index as u32)) {
                Callee::Fn(def) | Callee::Virtual(def) => {
                    let params = self.program.decls.sigs.get(&def).map_or(&[][..], |sig| &sig.params[..]);
                    let any_type = |i: usize| params.get(i + shift).is_some_and(|&p| hides(p));
                    return given().any(|(i, ty)| any_type(i) && !is_lent(ty) && self.holds(ty));
                }
                Callee::Ext(path) => self.program.knowledge.callee(path),
                Callee::Unknown | Callee::Value => None,
                Callee::Ctor(_) => return false,
            };
            let collects = outside.is_some_and(|f| matches!(f.tags.op, Some(Op::Insert | Op::Entry)));
            // `let (first, second) = make(..)`, put into a map.
            let unknown = |ty: Ty| collects && ty.is_unknown();
            (collects || outside.is_none())
                && (given().any(|(_, ty)| unknown(ty) || !is_lent(ty) && self.holds(ty)) || captured())
        })
    }

    /// Whether a closure or block takes along what may hold the value.
    fn captures(&self, ix: BodyIx, mut arg: ExprId) -> bool {
        let body = self.program.body(ix);
        // `Box::new(move |event| ..)`
        while let ExprKind::Call { args, .. } = &body.expr(arg).kind
            && let [inner] = args[..]
        {
            arg = inner;
        }
        let around = body.expr(arg).span;
        let mut found = false;
        if matches!(body.expr(arg).kind, ExprKind::Closure(_) | ExprKind::Block(_)) {
            for_each_below(body, arg, &mut |id| {
                found |= match body.expr(id).kind {
                    ExprKind::Local(local) => {
                        !around.contains(body.local(local).span)
                            && self.holds(self.cx.types[ix.0 as usize].local(local))
                    }
                    _ => false,
                };
                !found
            });
        }
        found
    }

    /// Whether what a body spawns ends within a call (`thread::scope`). One that joins what it has spawned may as well be a
    /// server until its end.
    fn scopes_threads(&self, ix: BodyIx) -> bool {
        let scopes = |callee: Callee, _: &[ExprId]| match callee {
            Callee::Ext(path) => matches!(last(path.as_str()), "scope" | "in_place_scope"),
            _ => false,
        };
        self.calls(ix, self.program.body(ix).root, &mut { scopes })
    }

    /// Whether a call below `root` is wanted, by its callee and what it is given, a receiver first.
    fn calls(&self, ix: BodyIx, root: ExprId, wanted: &mut dyn FnMut(Callee, &[ExprId]) -> bool) -> bool {
        let body = self.program.body(ix);
        let types = &self.cx.types[ix.0 as usize];
        let mut found = false;
        for_each_below(body, root, &mut |id| {
            match &body.expr(id).kind {
                ExprKind::Method { recv, args, .. } => {
                    let all: Vec<ExprId> = std::iter::once(*recv).chain(args.iter().copied()).collect();
                    found |= wanted(types.callee(id), &all);
                }
                ExprKind::Call { args, .. } => found |= wanted(types.callee(id), args),
                _ => {}
            }
            !found
        });
        found
    }

    /// Whether a body goes round for as long as something comes in: what it makes before that lives as long.
    fn serves(&self, ix: BodyIx) -> bool {
        let body = self.program.body(ix);
        body.exprs.iter().any(|e| match &e.kind {
            ExprKind::Loop { body: turn, .. } => waits(body, *turn),
            ExprKind::While { cond, body: turn, .. } => waits(body, *cond) || waits(body, *turn),
            ExprKind::For { iter, .. } => waits(body, *iter),
            _ => false,
        })
    }

    /// Whether a type is an answer that holds nothing unseen.
    fn is_plain(&self, ty: Ty) -> bool {
        let hides = |t: Ty| match t.kind() {
            TyKind::Unknown | TyKind::Dyn(_) | TyKind::Opaque(_) | TyKind::FnPtr(..) | TyKind::Assoc(..) => {
                true
            }
            TyKind::Ext(path, _) => !self.program.knowledge.types.contains_key(path),
            _ => false,
        };
        answers(ty) && !ty.any(&mut |t| hides(t))
    }
}

/// The innermost loop, or closure that runs many times, around an expression.
pub(super) fn loop_around(cx: &Analysis, ix: BodyIx, at: ExprId) -> Option<ExprId> {
    let body = cx.program.body(ix);
    let types = &cx.types[ix.0 as usize];
    let mut around = None;
    let mut size = usize::MAX;
    let mut consider = |root: ExprId, name: ExprId| {
        let (mut holds, mut count) = (false, 0);
        for_each_below(body, root, &mut |id| {
            holds |= id == at;
            count += 1;
            true
        });
        if holds && count < size {
            (around, size) = (Some(name), count);
        }
    };
    for (index, expr) in body.exprs.iter().enumerate() {
        let id = ExprId(index as u32);
        match &expr.kind {
            ExprKind::Loop { body: turn, .. }
            | ExprKind::While { body: turn, .. }
            | ExprKind::For { body: turn, .. } => consider(*turn, id),
            ExprKind::Method { args, .. } | ExprKind::Call { args, .. } => {
                let Callee::Ext(path) = types.callee(id) else { continue };
                let looped = cx.program.knowledge.callee(path).map(|f| f.tags.closure);
                if looped == Some(ClosureUse::Loop) {
                    args.iter().for_each(|&arg| consider(arg, arg));
                }
            }
            _ => {}
        }
    }
    around
}

/// The traits that a type implements by an impl that is written out.
pub(super) fn implements(program: &Program, def: DefId) -> FxHashSet<TraitRef> {
    let impls = program.decls.impls_by_head.get(&HeadKey::Adt(def)).into_iter().flatten();
    impls.filter_map(|i| program.decls.impl_trait.get(i)).map(|bound| bound.trait_).collect()
}

/// Whether a type is whatever implements a trait.
fn hides(ty: Ty) -> bool {
    ty.any(&mut |t| matches!(t.kind(), TyKind::Dyn(_) | TyKind::Opaque(_) | TyKind::Param(_)))
}

fn is_lent(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Ref(..))
}

/// Whether a returned type tells the caller anything but that it is done.
fn answers(ty: Ty) -> bool {
    match ty.kind() {
        TyKind::Never | TyKind::Unknown => false,
        TyKind::Tuple(parts) => parts.iter().any(|&part| answers(part)),
        TyKind::Future(inner) => answers(*inner),
        TyKind::Ext(path, args) => match path.as_str() {
            "std::result::Result" | "std::option::Option" | "std::boxed::Box" => {
                args.first().is_some_and(|&inner| answers(inner))
            }
            "std::process::ExitCode" => false,
            _ => !is_task(ty),
        },
        _ => true,
    }
}

/// A handle to something that goes on by itself.
fn is_task(ty: Ty) -> bool {
    ty.peel_refs().as_ext().is_some_and(|(path, _)| last(path.as_str()).ends_with("JoinHandle"))
}

/// Whether code waits for whoever comes next: a message, a connection, a tick.
pub(super) fn waits(body: &Body, root: ExprId) -> bool {
    let mut found = false;
    for_each_below(body, root, &mut |id| {
        found |= match &body.expr(id).kind {
            ExprKind::Method { name, .. } => {
                matches!(
                    name.as_str(),
                    "recv"
                        | "recv_many"
                        | "accept"
                        | "incoming"
                        | "lines"
                        | "tick"
                        | "changed"
                        | "notified"
                        | "sleep"
                )
            }
            ExprKind::Call { callee, .. } => match &body.expr(*callee).kind {
                ExprKind::Path(path) => path.segments.last().is_some_and(|s| s.name.as_str() == "sleep"),
                _ => false,
            },
            ExprKind::Macro(mac) => mac.kind == MacroKind::Select,
            _ => false,
        };
        !found
    });
    found
}

fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}
