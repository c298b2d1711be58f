//! Which local variables are still used after a point: a backward pass over the expression tree of one body.
//!
//! The classic live-variable analysis (Aho, Lam, Sethi, Ullman, *Compilers*, 9.2.5), done on the structured tree: loops
//! are passed twice, which reaches the fixpoint since the sets only grow. A variable that borrows from another keeps it
//! alive, as do arguments that are borrowed until the call happens.

use rustc_hash::{FxHashMap, FxHashSet};

use super::borrows::{borrows, may_borrow, mentioned};
use super::walk::{bound_below, for_each_pat};
use crate::hir::{Block, BlockKind, Body, ExprId, ExprKind, LocalId, MacroKind, PatId, PatKind, Stmt};
use crate::infer::{BodyTypes, Callee, SelfMode};
use crate::knowledge::ClosureUse;
use crate::name::Name;
use crate::program::{BodyIx, Program};

/// Loops nested deeper are passed once: the answer stays safe (more is taken for live), only less sharp.
const DEEP: u32 = 6;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn insert(&mut self, bit: u32) {
        let word = bit as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (bit % 64);
    }
    fn remove(&mut self, bit: u32) {
        if let Some(word) = self.0.get_mut(bit as usize / 64) {
            *word &= !(1 << (bit % 64));
        }
    }
    fn contains(&self, bit: u32) -> bool {
        self.0.get(bit as usize / 64).is_some_and(|w| w & (1 << (bit % 64)) != 0)
    }
    fn union(mut self, other: &Bits) -> Bits {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
        self
    }
}

/// What is live after each point asked about.
#[derive(Debug, Default)]
pub struct Liveness {
    after: FxHashMap<ExprId, Bits>,
    before: FxHashMap<ExprId, Bits>,
    loops: FxHashMap<ExprId, u32>,
}

impl Liveness {
    /// Computes it for the given points of a body. O(size × 2^loop nesting), nesting cut at a small depth.
    pub fn of(program: &Program, ix: BodyIx, types: &BodyTypes, points: &FxHashSet<ExprId>) -> Liveness {
        Liveness::without(program, ix, types, points, &FxHashSet::default())
    }

    /// The same as if the expressions in `ignored` were not there.
    pub fn without(
        program: &Program,
        ix: BodyIx,
        types: &BodyTypes,
        points: &FxHashSet<ExprId>,
        ignored: &FxHashSet<ExprId>,
    ) -> Liveness {
        let body = program.body(ix);
        let mut pass = Pass {
            program,
            body,
            types,
            points,
            ignored,
            borrows: borrows(program, body, types),
            out: Liveness::default(),
            targets: Vec::new(),
            next_loop: body.locals.len() as u32,
            depth: 0,
        };
        pass.expr(body.root, Bits::default());
        pass.out
    }

    /// Whether `local` may still be used once `point` has been evaluated. True for points not asked about.
    pub fn live_after(&self, point: ExprId, local: LocalId) -> bool {
        self.after.get(&point).is_none_or(|bits| bits.contains(local.0))
    }

    /// Whether what `local` holds before `point` is evaluated may still be used. True for points not asked about.
    pub fn live_before(&self, point: ExprId, local: LocalId) -> bool {
        self.before.get(&point).is_none_or(|bits| bits.contains(local.0))
    }

    /// Whether the loop may go round again after `point`.
    pub fn goes_round(&self, point: ExprId, loop_: ExprId) -> bool {
        match (self.after.get(&point), self.loops.get(&loop_)) {
            (Some(bits), Some(&bit)) => bits.contains(bit),
            _ => true,
        }
    }
}

struct Target {
    label: Option<Name>,
    on_break: Bits,
    on_continue: Bits,
    is_loop: bool,
}

struct Pass<'a> {
    program: &'a Program,
    body: &'a Body,
    types: &'a BodyTypes,
    points: &'a FxHashSet<ExprId>,
    ignored: &'a FxHashSet<ExprId>,
    borrows: FxHashMap<LocalId, Vec<LocalId>>,
    out: Liveness,
    targets: Vec<Target>,
    next_loop: u32,
    depth: u32,
}

impl Pass<'_> {
    fn touch(&self, bits: &mut Bits, local: LocalId) {
        bits.insert(local.0);
        for from in self.borrows.get(&local).into_iter().flatten() {
            bits.insert(from.0);
        }
    }

    fn kill(&self, bits: &mut Bits, pat: PatId) {
        for_each_pat(self.body, pat, &mut |p| {
            if let PatKind::Bind { local, .. } = self.body.pat(p).kind {
                bits.remove(local.0);
            }
        });
    }

    /// Locals that arguments borrow until the call happens.
    fn held(&self, after: &mut Bits, args: &[ExprId]) {
        for &arg in args {
            if may_borrow(self.program, self.types.expr(arg)) {
                for local in mentioned(self.body, arg) {
                    self.touch(after, local);
                }
            }
        }
    }

    fn sequence(&mut self, ids: &[ExprId], after: Bits) -> Bits {
        ids.iter().rev().fold(after, |bits, &id| self.expr(id, bits))
    }

    /// What is live before, given what is live after.
    fn expr(&mut self, id: ExprId, after: Bits) -> Bits {
        if !self.points.contains(&id) {
            return self.inside(id, after);
        }
        let known = self.out.after.remove(&id).unwrap_or_default();
        self.out.after.insert(id, known.union(&after));
        let before = self.inside(id, after);
        let known = self.out.before.remove(&id).unwrap_or_default();
        self.out.before.insert(id, known.union(&before));
        before
    }

    fn inside(&mut self, id: ExprId, after: Bits) -> Bits {
        if self.ignored.contains(&id) {
            return after;
        }
        let body = self.body;
        match &body.expr(id).kind {
            ExprKind::Missing | ExprKind::Lit(_) | ExprKind::Path(_) => after,
            ExprKind::Local(local) => {
                let mut bits = after;
                self.touch(&mut bits, *local);
                bits
            }
            ExprKind::Call { callee, args } => {
                let mut bits = after;
                self.held(&mut bits, args);
                let bits = self.args(id, args, bits);
                self.expr(*callee, bits)
            }
            ExprKind::Method { recv, args, .. } => {
                let mut bits = after;
                let by_value = self.types.receivers.get(&id).is_some_and(|r| r.mode == SelfMode::Value);
                if !args.is_empty() {
                    self.held(&mut bits, args);
                    if !by_value {
                        for local in mentioned(body, *recv) {
                            self.touch(&mut bits, local);
                        }
                    } else {
                        self.held(&mut bits, &[*recv]);
                    }
                }
                let bits = self.args(id, args, bits);
                self.expr(*recv, bits)
            }
            ExprKind::Field { base: e, .. }
            | ExprKind::Deref(e)
            | ExprKind::Not(e)
            | ExprKind::Neg(e)
            | ExprKind::Ref { expr: e, .. }
            | ExprKind::Cast { expr: e, .. }
            | ExprKind::Await(e)
            | ExprKind::Try(e) => self.expr(*e, after),
            ExprKind::Index { base, index } => self.sequence(&[*base, *index], after),
            ExprKind::Binary { op, lhs, rhs } => {
                let right = self.expr(*rhs, after.clone());
                let bits = match op {
                    crate::hir::BinaryOp::And | crate::hir::BinaryOp::Or => right.union(&after),
                    _ => right,
                };
                self.expr(*lhs, bits)
            }
            ExprKind::Assign { lhs, rhs } => {
                let mut bits = after;
                match body.expr(*lhs).kind {
                    ExprKind::Local(local) => bits.remove(local.0),
                    _ => bits = self.expr(*lhs, bits),
                }
                self.expr(*rhs, bits)
            }
            ExprKind::AssignOp { lhs, rhs, .. } => {
                let bits = self.expr(*lhs, after);
                self.expr(*rhs, bits)
            }
            ExprKind::Tuple(parts) | ExprKind::Array(parts) => {
                let mut bits = after;
                self.held(&mut bits, parts);
                self.sequence(parts, bits)
            }
            ExprKind::Repeat { elem, len } => self.sequence(&[*elem, *len], after),
            ExprKind::Range { start, end, .. } => {
                let bits = match end {
                    Some(e) => self.expr(*e, after),
                    None => after,
                };
                match start {
                    Some(s) => self.expr(*s, bits),
                    None => bits,
                }
            }
            ExprKind::Struct { fields, base, .. } => {
                let values: Vec<ExprId> = fields.iter().map(|f| f.value).collect();
                let mut bits = after;
                self.held(&mut bits, &values);
                let bits = match base {
                    Some(base) => self.expr(*base, bits),
                    None => bits,
                };
                self.sequence(&values, bits)
            }
            ExprKind::Block(block) => self.block(block, after),
            ExprKind::If { cond, then, els } => {
                let yes = self.expr(*then, after.clone());
                let no = match els {
                    Some(els) => self.expr(*els, after),
                    None => after,
                };
                self.expr(*cond, yes.union(&no))
            }
            ExprKind::Let { pat, scrutinee } => {
                let mut bits = after;
                self.kill(&mut bits, *pat);
                self.expr(*scrutinee, bits)
            }
            ExprKind::Match { scrutinee, arms } => {
                let mut all = Bits::default();
                let mut next = Bits::default();
                // A guard that fails goes on to the arms below.
                for arm in arms.iter().rev() {
                    let mut bits = self.expr(arm.body, after.clone());
                    if let Some(guard) = arm.guard {
                        bits = self.expr(guard, bits.union(&next));
                    }
                    self.kill(&mut bits, arm.pat);
                    next = next.union(&bits);
                    all = all.union(&bits);
                }
                self.expr(*scrutinee, if arms.is_empty() { after } else { all })
            }
            ExprKind::Loop { body, label } => self.repeat(id, None, *body, None, *label, after),
            ExprKind::While { cond, body, label } => self.repeat(id, Some(*cond), *body, None, *label, after),
            ExprKind::For { pat, iter, body, label } => {
                let bits = self.repeat(id, None, *body, Some(*pat), *label, after);
                self.expr(*iter, bits)
            }
            ExprKind::Break { label, value } => {
                let bits = self
                    .targets
                    .iter()
                    .rev()
                    .find(|t| if label.is_some() { t.label == *label } else { t.is_loop })
                    .map_or(Bits::default(), |t| t.on_break.clone());
                match value {
                    Some(value) => self.expr(*value, bits),
                    None => bits,
                }
            }
            ExprKind::Continue { label } => self
                .targets
                .iter()
                .rev()
                .find(|t| t.is_loop && (label.is_none() || t.label == *label))
                .map_or(Bits::default(), |t| t.on_continue.clone()),
            ExprKind::Return(value) => match value {
                Some(value) => self.expr(*value, Bits::default()),
                None => Bits::default(),
            },
            ExprKind::Closure(_) => self.closure(id, ClosureUse::Unknown, after),
            ExprKind::Macro(mac) => match mac.kind {
                MacroKind::Diverge => self.sequence(&mac.args, Bits::default()),
                MacroKind::Select => {
                    let mut all = Bits::default();
                    for (i, pair) in mac.args.chunks(2).enumerate() {
                        let bits = match *pair {
                            [_, branch] => {
                                let mut bits = self.expr(branch, after.clone());
                                if let Some(&pat) = mac.pats.get(i) {
                                    self.kill(&mut bits, pat);
                                }
                                bits
                            }
                            [els] => self.expr(els, after.clone()),
                            _ => Bits::default(),
                        };
                        all = all.union(&bits);
                    }
                    let futures: Vec<ExprId> =
                        mac.args.chunks(2).filter(|p| p.len() == 2).map(|p| p[0]).collect();
                    self.sequence(&futures, all)
                }
                _ => {
                    let mut bits = after;
                    if mac.kind != MacroKind::Vec {
                        // Borrowed until the macro's own work is done.
                        for &arg in mac.args.iter() {
                            if matches!(mac.kind, MacroKind::Format | MacroKind::Log | MacroKind::Assert) {
                                for local in mentioned(body, arg) {
                                    self.touch(&mut bits, local);
                                }
                            }
                        }
                    }
                    self.held(&mut bits, &mac.args);
                    self.sequence(&mac.args, bits)
                }
            },
        }
    }

    fn args(&mut self, call: ExprId, args: &[ExprId], after: Bits) -> Bits {
        let usage = match self.types.callee(call) {
            Callee::Ext(path) => {
                self.program.knowledge.callee(path).map_or(ClosureUse::Unknown, |f| f.tags.closure)
            }
            _ => ClosureUse::Unknown,
        };
        args.iter().rev().fold(after, |bits, &arg| match self.body.expr(arg).kind {
            ExprKind::Closure(_) => self.closure(arg, usage, bits),
            _ => self.expr(arg, bits),
        })
    }

    fn closure(&mut self, id: ExprId, usage: ClosureUse, after: Bits) -> Bits {
        if usage != ClosureUse::Unknown && self.points.contains(&id) {
            self.out.after.insert(id, after.clone());
        }
        let ExprKind::Closure(closure) = &self.body.expr(id).kind else { return after };
        // What the closure itself binds ends with it, even if the call that runs it names it as part of an argument.
        let mut after = after;
        for local in bound_below(self.body, id) {
            after.remove(local.0);
        }
        let targets = std::mem::take(&mut self.targets);
        // A closure that is not known to run once may run again: what it used before it may use again.
        let again = !matches!(usage, ClosureUse::InPlace | ClosureUse::Spawn);
        let bit = self.loop_bit(id);
        let mut out = after.clone();
        if again {
            out.insert(bit);
        }
        let mut bits = self.expr(closure.body, out.clone());
        for param in closure.params.iter() {
            self.kill(&mut bits, param.pat);
        }
        if again && self.depth < DEEP {
            self.depth += 1;
            bits = self.expr(closure.body, out.union(&bits));
            for param in closure.params.iter() {
                self.kill(&mut bits, param.pat);
            }
            self.depth -= 1;
        }
        self.targets = targets;
        bits.remove(bit);
        bits.union(&after)
    }

    fn loop_bit(&mut self, id: ExprId) -> u32 {
        if let Some(&bit) = self.out.loops.get(&id) {
            return bit;
        }
        let bit = self.next_loop;
        self.next_loop += 1;
        self.out.loops.insert(id, bit);
        bit
    }

    fn repeat(
        &mut self,
        id: ExprId,
        cond: Option<ExprId>,
        body: ExprId,
        pat: Option<PatId>,
        label: Option<Name>,
        after: Bits,
    ) -> Bits {
        let bit = self.loop_bit(id);
        let mut head = Bits::default();
        let rounds = if self.depth < DEEP { 2 } else { 1 };
        self.depth += 1;
        for _ in 0..rounds {
            let mut round = head.clone();
            // A `loop` is left only by `break`; the others also from their head.
            let is_loop = cond.is_none() && pat.is_none();
            if !is_loop {
                round = round.union(&after);
            }
            round.insert(bit);
            self.targets.push(Target {
                label,
                on_break: after.clone(),
                on_continue: round.clone(),
                is_loop: true,
            });
            let mut bits = self.expr(body, round);
            if let Some(pat) = pat {
                self.kill(&mut bits, pat);
            }
            if let Some(cond) = cond {
                bits = self.expr(cond, bits.union(&after));
            }
            self.targets.pop();
            head = head.union(&bits);
        }
        self.depth -= 1;
        head.remove(bit);
        if cond.is_none() && pat.is_none() { head } else { head.union(&after) }
    }

    fn block(&mut self, block: &Block, after: Bits) -> Bits {
        let own = matches!(block.kind, BlockKind::Async { .. });
        let targets = if own { std::mem::take(&mut self.targets) } else { Vec::new() };
        if block.label.is_some() {
            self.targets.push(Target {
                label: block.label,
                on_break: after.clone(),
                on_continue: Bits::default(),
                is_loop: false,
            });
        }
        let mut bits = match block.tail {
            Some(tail) => self.expr(tail, after.clone()),
            None => after.clone(),
        };
        for stmt in block.stmts.iter().rev() {
            match stmt {
                Stmt::Let { pat, init, els, .. } => {
                    self.kill(&mut bits, *pat);
                    if let Some(els) = els {
                        let other = self.expr(*els, Bits::default());
                        bits = bits.union(&other);
                    }
                    if let Some(init) = init {
                        bits = self.expr(*init, bits);
                    }
                }
                Stmt::Expr { expr, .. } => bits = self.expr(*expr, bits),
            }
        }
        if block.label.is_some() {
            self.targets.pop();
        }
        if own {
            self.targets = targets;
            bits = bits.union(&after);
        }
        bits
    }
}
