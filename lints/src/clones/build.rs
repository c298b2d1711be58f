//! From the HIR of a function to its [`Term`].

use rustc_hash::FxHashMap;

use crate::hir::*;
use crate::name::{Name, well_known as wk};
use crate::source::Span;

use super::hash::{format_hash, text_hash};
use super::term::{Atom, Kind, Node, Term};
use super::vocabulary::VOCABULARY;

/// What takes a lock or borrows a cell.
const ACQUIRES: [&str; 5] = ["lock", "read", "write", "borrow", "borrow_mut"];
/// The label of such a call; no arity is so large.
const ACQUIRE: u64 = 1 << 32;

/// Builds the terms of one file; keeps its buffers between bodies.
pub(super) struct Builder<'a> {
    vocabulary: &'static FxHashMap<Name, u64>,
    file: &'a FileHir,
    text: &'a str,
    out: Term,
    pub(super) depth: u32,
}

/// Deeper nesting than this becomes one unknown node: a guard against the stack, far beyond what people write.
pub(super) const MAX_DEPTH: u32 = 200;

impl<'a> Builder<'a> {
    /// A builder for the bodies of one file; `text` is the file's source.
    pub(super) fn new(file: &'a FileHir, text: &'a str) -> Builder<'a> {
        Builder::reusing(file, text, Term::default())
    }

    /// The same, with the memory of a term that is no longer needed.
    pub(super) fn reusing(file: &'a FileHir, text: &'a str, out: Term) -> Builder<'a> {
        Builder { vocabulary: &VOCABULARY, file, text, out, depth: 0 }
    }

    /// Its memory, for the next.
    pub(super) fn into_term(self) -> Term {
        self.out
    }

    /// The term of a function: parameters with their types, bounds, result, then its code. O(nodes). Valid until the
    /// next call.
    pub(super) fn function(&mut self, item: &'a FnItem, id: BodyId) -> &Term {
        self.out.nodes.clear();
        self.out.statements = 0;
        self.out.top_statements = 0;
        self.depth = 0;
        let Some(body) = self.file.bodies.get(id.0 as usize) else { return &self.out };
        let root = body.expr(body.root);
        let start =
            self.open(Kind::Closure, body.params.len() as u64, Atom::None, item.sig_span.to(root.span));
        for param in &body.params {
            self.pat(body, param.pat);
        }
        for param in &item.params {
            self.ty(param);
        }
        for bound in item.generics.params.iter().flat_map(|p| p.bounds.iter()) {
            self.path(bound, false);
        }
        if let Some(ret) = &item.ret {
            self.ty(ret);
        }
        if let ExprKind::Block(block) = &root.kind {
            self.out.top_statements = block.stmts.len() as u32 + u32::from(block.tail.is_some());
        }
        self.expr(body, body.root);
        self.close(start);
        &self.out
    }

    /// The term of a type as written.
    pub(super) fn type_term(&mut self, ty: &TypeRef) -> Term {
        self.out.nodes.clear();
        self.out.statements = 0;
        self.out.top_statements = 0;
        self.depth = 0;
        self.ty(ty);
        std::mem::take(&mut self.out)
    }

    pub(super) fn open(&mut self, kind: Kind, extra: u64, atom: Atom, span: Span) -> usize {
        self.out.nodes.push(Node { kind, extra, atom, size: 1, span });
        self.out.nodes.len() - 1
    }

    pub(super) fn close(&mut self, at: usize) {
        let size = (self.out.nodes.len() - at) as u32;
        if let Some(node) = self.out.nodes.get_mut(at) {
            node.size = size;
        }
    }

    pub(super) fn leaf(&mut self, kind: Kind, extra: u64, atom: Atom, span: Span) {
        self.out.nodes.push(Node { kind, extra, atom, size: 1, span });
    }

    pub(super) fn text_of(&self, span: Span) -> Atom {
        Atom::Lit(text_hash(self.text.get(span.lo as usize..span.hi as usize).unwrap_or("")))
    }

    /// Where the first plain string literal in a span stands.
    fn first_string(&self, span: Span) -> Option<Span> {
        let text = self.text.get(span.lo as usize..span.hi as usize)?;
        let start = text.find('"')?;
        if text[..start].ends_with(['#', 'r']) {
            return None;
        }
        let mut escaped = false;
        let length = text.bytes().skip(start + 1).position(|b| {
            let ends = b == b'"' && !escaped;
            escaped = b == b'\\' && !escaped;
            ends
        })?;
        let lo = span.lo + start as u32;
        Some(Span::new(lo, lo + length as u32 + 2))
    }

    fn opt(&mut self, body: &'a Body, expr: Option<ExprId>) {
        match expr {
            Some(e) => self.expr(body, e),
            None => self.leaf(Kind::Absent, 0, Atom::None, Span::default()),
        }
    }

    fn lit(&mut self, lit: &Lit, span: Span) {
        let extra = match lit {
            Lit::Str(_) => 1,
            Lit::ByteStr => 2,
            Lit::CStr => 3,
            Lit::Char => 4,
            Lit::Byte => 5,
            Lit::Int(..) => 6,
            Lit::Float(_) => 7,
            // `true` and `false` are two things, not two values of one hole.
            Lit::Bool(true) => 8,
            Lit::Bool(false) => 9,
        };
        let atom = match lit {
            Lit::Bool(_) => Atom::None,
            Lit::Str(text) => Atom::Lit(text_hash(text)),
            Lit::Int(Some(value), _) => Atom::Lit(value.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            _ => self.text_of(span),
        };
        self.leaf(Kind::Lit, extra, atom, span);
    }

    pub(super) fn vocabulary(&self, name: Name) -> Option<u64> {
        self.vocabulary.get(&name).copied()
    }

    fn is_self(body: &Body, expr: ExprId) -> bool {
        matches!(body.expr(expr).kind, ExprKind::Local(l) if body.local(l).name == wk::SELF)
    }

    #[allow(clippy::too_many_lines, reason = "one arm a kind of expression")]
    fn expr(&mut self, body: &'a Body, id: ExprId) {
        let expr = body.expr(id);
        let span = expr.span;
        if self.depth >= MAX_DEPTH {
            let atom = self.text_of(span);
            self.leaf(Kind::Missing, 0, atom, span);
            return;
        }
        self.depth += 1;
        match &expr.kind {
            ExprKind::Missing => {
                let atom = self.text_of(span);
                self.leaf(Kind::Missing, 0, atom, span);
            }
            ExprKind::Lit(lit) => self.lit(lit, span),
            ExprKind::Local(local) if body.local(*local).name == wk::SELF => {
                self.leaf(Kind::SelfValue, 0, Atom::None, span);
            }
            ExprKind::Local(local) => self.leaf(Kind::Local, 0, Atom::Local(*local), span),
            ExprKind::Path(path) => self.path(path, true),
            ExprKind::Call { callee, args } => {
                let at = self.open(Kind::Call, args.len() as u64, Atom::None, span);
                self.expr(body, *callee);
                for arg in args {
                    self.expr(body, *arg);
                }
                self.close(at);
            }
            ExprKind::Method { recv, name, name_span, generics, args } => {
                let own = Self::is_self(body, *recv);
                let arity = args.len() as u64;
                let (extra, atom) = match (own, self.vocabulary(*name)) {
                    (true, _) => (arity, Atom::OwnMethod(*name)),
                    // Which lock it is may vary; that one is taken does not.
                    (false, Some(_)) if arity == 0 && ACQUIRES.contains(&name.as_str()) => {
                        (ACQUIRE, Atom::Method(*name))
                    }
                    (false, Some(hash)) => (hash ^ arity, Atom::None),
                    (false, None) => (arity, Atom::Method(*name)),
                };
                // The name is what a hole points at, but the node is the whole call.
                let at = self.open(Kind::Method, extra, Atom::None, span);
                self.leaf(Kind::Segment, 0, atom, *name_span);
                self.expr(body, *recv);
                if let Some(generics) = generics {
                    self.generics(generics);
                }
                for arg in args {
                    self.expr(body, *arg);
                }
                self.close(at);
            }
            ExprKind::Field { base, name, name_span } => {
                let atom =
                    if Self::is_self(body, *base) { Atom::OwnField(*name) } else { Atom::Field(*name) };
                let at = self.open(Kind::Field, 0, Atom::None, span);
                self.leaf(Kind::Segment, 0, atom, *name_span);
                self.expr(body, *base);
                self.close(at);
            }
            ExprKind::Index { base, index } => self.branch(body, Kind::Index, 0, &[*base, *index], span),
            ExprKind::Deref(e) => self.branch(body, Kind::Unary, 0, &[*e], span),
            ExprKind::Not(e) => self.branch(body, Kind::Unary, 1, &[*e], span),
            ExprKind::Neg(e) => self.branch(body, Kind::Unary, 2, &[*e], span),
            ExprKind::Binary { op, lhs, rhs } => {
                self.branch(body, Kind::Binary, *op as u64, &[*lhs, *rhs], span);
            }
            ExprKind::Assign { lhs, rhs } => self.branch(body, Kind::Assign, 0, &[*lhs, *rhs], span),
            ExprKind::AssignOp { op, lhs, rhs } => {
                self.branch(body, Kind::AssignOp, *op as u64, &[*lhs, *rhs], span);
            }
            ExprKind::Ref { mutable, expr } => {
                self.branch(body, Kind::Ref, u64::from(*mutable), &[*expr], span)
            }
            ExprKind::Cast { expr, ty } => {
                let at = self.open(Kind::Cast, 0, Atom::None, span);
                self.expr(body, *expr);
                self.ty(ty);
                self.close(at);
            }
            ExprKind::Tuple(items) => self.branch(body, Kind::Tuple, items.len() as u64, items, span),
            ExprKind::Array(items) => self.branch(body, Kind::Array, items.len() as u64, items, span),
            ExprKind::Repeat { elem, len } => self.branch(body, Kind::Repeat, 0, &[*elem, *len], span),
            ExprKind::Range { start, end, inclusive } => {
                let at = self.open(Kind::Range, u64::from(*inclusive), Atom::None, span);
                self.opt(body, *start);
                self.opt(body, *end);
                self.close(at);
            }
            ExprKind::Struct { path, fields, base } => self.struct_literal(body, path, fields, *base, span),
            ExprKind::Block(block) => self.block(body, block, span),
            ExprKind::If { cond, then, els } => {
                let at = self.open(Kind::If, u64::from(els.is_some()), Atom::None, span);
                self.expr(body, *cond);
                self.expr(body, *then);
                if let Some(els) = els {
                    self.expr(body, *els);
                }
                self.close(at);
            }
            ExprKind::Let { pat, scrutinee } => {
                let at = self.open(Kind::LetCond, 0, Atom::None, span);
                self.pat(body, *pat);
                self.expr(body, *scrutinee);
                self.close(at);
            }
            ExprKind::Match { scrutinee, arms } => {
                let at = self.open(Kind::Match, 0, Atom::None, span);
                self.expr(body, *scrutinee);
                for arm in arms {
                    let arm_span = body.pat(arm.pat).span.to(body.expr(arm.body).span);
                    let at = self.open(Kind::Arm, u64::from(arm.guard.is_some()), Atom::None, arm_span);
                    self.pat(body, arm.pat);
                    if let Some(guard) = arm.guard {
                        self.expr(body, guard);
                    }
                    self.expr(body, arm.body);
                    self.close(at);
                }
                self.close(at);
            }
            ExprKind::Loop { body: inner, .. } => self.branch(body, Kind::Loop, 0, &[*inner], span),
            ExprKind::While { cond, body: inner, .. } => {
                self.branch(body, Kind::While, 0, &[*cond, *inner], span);
            }
            ExprKind::For { pat, iter, body: inner, .. } => {
                let at = self.open(Kind::For, 0, Atom::None, span);
                self.pat(body, *pat);
                self.expr(body, *iter);
                self.expr(body, *inner);
                self.close(at);
            }
            ExprKind::Break { value, .. } => {
                let at = self.open(Kind::Jump, 0, Atom::None, span);
                if let Some(value) = value {
                    self.expr(body, *value);
                }
                self.close(at);
            }
            ExprKind::Continue { .. } => self.leaf(Kind::Jump, 1, Atom::None, span),
            ExprKind::Return(value) => {
                let at = self.open(Kind::Return, u64::from(value.is_some()), Atom::None, span);
                if let Some(value) = value {
                    self.expr(body, *value);
                }
                self.close(at);
            }
            ExprKind::Closure(closure) => {
                let extra = 16 + closure.params.len() as u64 + (u64::from(closure.is_async) << 8);
                let at = self.open(Kind::Closure, extra, Atom::None, span);
                for param in &closure.params {
                    self.pat(body, param.pat);
                    if let Some(ty) = &param.ty {
                        self.ty(ty);
                    }
                }
                self.expr(body, closure.body);
                self.close(at);
            }
            ExprKind::Await(e) => self.branch(body, Kind::Await, 0, &[*e], span),
            ExprKind::Try(e) => self.branch(body, Kind::Try, 0, &[*e], span),
            ExprKind::Macro(call) => self.macro_call(body, call, span),
        }
        self.depth -= 1;
    }

    fn branch(&mut self, body: &'a Body, kind: Kind, extra: u64, children: &[ExprId], span: Span) {
        let at = self.open(kind, extra, Atom::None, span);
        for child in children {
            self.expr(body, *child);
        }
        self.close(at);
    }

    fn block(&mut self, body: &'a Body, block: &'a Block, span: Span) {
        let extra = match block.kind {
            BlockKind::Plain => 0,
            BlockKind::Unsafe => 1,
            BlockKind::Const => 2,
            BlockKind::Async { .. } => 3,
            BlockKind::Try => 4,
        };
        let at = self.open(Kind::Block, extra, Atom::None, span);
        self.out.statements += block.stmts.len() as u32 + u32::from(block.tail.is_some());
        for stmt in &block.stmts {
            match stmt {
                Stmt::Let { pat, ty, init, els, span } => {
                    let extra = u64::from(init.is_some()) | (u64::from(els.is_some()) << 1);
                    let at = self.open(Kind::Let, extra, Atom::None, *span);
                    self.pat(body, *pat);
                    if let Some(ty) = ty {
                        self.ty(ty);
                    }
                    if let Some(init) = init {
                        self.expr(body, *init);
                    }
                    if let Some(els) = els {
                        self.expr(body, *els);
                    }
                    self.close(at);
                }
                Stmt::Expr { expr, .. } => self.expr(body, *expr),
            }
        }
        if let Some(tail) = block.tail {
            self.expr(body, tail);
        }
        self.close(at);
    }

    /// The initialisers are put in the order of their values' shape: the order fields are written in means nothing.
    fn struct_literal(
        &mut self,
        body: &'a Body,
        path: &'a Path,
        fields: &'a [FieldInit],
        base: Option<ExprId>,
        span: Span,
    ) {
        let extra = u64::from(base.is_some());
        let at = self.open(Kind::Struct, extra, Atom::None, span);
        self.path(path, true);
        let own = path.segments.len() == 1 && path.segments[0].name == wk::SELF_TYPE;
        let start = self.out.nodes.len();
        let mut pieces: Vec<(u64, usize, usize)> = Vec::with_capacity(fields.len());
        for field in fields {
            let from = self.out.nodes.len();
            let atom = if own { Atom::OwnField(field.name) } else { Atom::Field(field.name) };
            let at = self.open(Kind::FieldInit, 0, Atom::None, field.name_span);
            self.leaf(Kind::Segment, 0, atom, field.name_span);
            self.expr(body, field.value);
            self.close(at);
            pieces.push((super::hash::shape_of(&self.out.nodes[from..]), from, self.out.nodes.len()));
        }
        if !pieces.is_sorted() {
            pieces.sort_unstable();
            let sorted: Vec<Node> =
                pieces.iter().flat_map(|&(_, from, to)| self.out.nodes[from..to].iter().copied()).collect();
            self.out.nodes.truncate(start);
            self.out.nodes.extend(sorted);
        }
        if let Some(base) = base {
            self.expr(body, base);
        }
        self.close(at);
    }

    fn macro_call(&mut self, body: &'a Body, call: &'a MacroCall, span: Span) {
        let name = call.path.segments.last().map_or("", |s| s.name.as_str());
        let extra = text_hash(name) ^ ((call.args.len() as u64) << 1);
        let at = self.open(Kind::Macro, extra, Atom::None, span);
        if let Some(format) = &call.format {
            let at = self.first_string(span).unwrap_or(span);
            self.leaf(Kind::Lit, 1, Atom::Lit(format_hash(format)), at);
        } else if call.args.is_empty() {
            let atom = self.text_of(span);
            self.leaf(Kind::Missing, 1, atom, span);
        }
        for pat in &call.pats {
            self.pat(body, *pat);
        }
        for arg in &call.args {
            self.expr(body, *arg);
        }
        self.close(at);
    }

    fn pat(&mut self, body: &'a Body, id: PatId) {
        let pat = body.pat(id);
        let span = pat.span;
        if self.depth >= MAX_DEPTH {
            let atom = self.text_of(span);
            self.leaf(Kind::Missing, 2, atom, span);
            return;
        }
        self.depth += 1;
        let list = |this: &mut Self, tag: u64, path: Option<&'a Path>, pats: &'a [PatId]| {
            let at = this.open(Kind::Pat, (tag << 32) | pats.len() as u64, Atom::None, span);
            if let Some(path) = path {
                this.path(path, true);
            }
            for pat in pats {
                this.pat(body, *pat);
            }
            this.close(at);
        };
        match &pat.kind {
            PatKind::Missing => self.leaf(Kind::Pat, 1, Atom::None, span),
            PatKind::Wild => self.leaf(Kind::Pat, 2, Atom::None, span),
            PatKind::Rest => self.leaf(Kind::Pat, 3, Atom::None, span),
            PatKind::Bind { local, sub } => {
                if body.local(*local).name == wk::SELF {
                    self.leaf(Kind::SelfValue, 1, Atom::None, span);
                } else if let Some(sub) = sub {
                    let at = self.open(Kind::Pat, 5, Atom::Local(*local), span);
                    self.pat(body, *sub);
                    self.close(at);
                } else {
                    self.leaf(Kind::Pat, 4, Atom::Local(*local), span);
                }
            }
            PatKind::Ref(inner) => list(self, 6, None, std::slice::from_ref(inner)),
            PatKind::Tuple(pats) => list(self, 7, None, pats),
            PatKind::Slice(pats) => list(self, 8, None, pats),
            PatKind::TupleStruct { path, pats } => list(self, 9, Some(path), pats),
            PatKind::Struct { path, fields, rest } => {
                let extra = (10 << 32) | ((fields.len() as u64) << 1) | u64::from(*rest);
                let at = self.open(Kind::Pat, extra, Atom::None, span);
                self.path(path, true);
                for (name, pat) in fields {
                    let field_span = body.pat(*pat).span;
                    let at = self.open(Kind::FieldInit, 1, Atom::Field(*name), field_span);
                    self.pat(body, *pat);
                    self.close(at);
                }
                self.close(at);
            }
            PatKind::Path(path) => list(self, 11, Some(path), &[]),
            PatKind::Lit(lit) => self.lit(lit, span),
            PatKind::Range => {
                let atom = self.text_of(span);
                self.leaf(Kind::Pat, 12, atom, span);
            }
            PatKind::Or(pats) => list(self, 13, None, pats),
            // The annotation is dropped: `|x: &T|` and `|x|` are the same parameter.
            PatKind::Typed { pat, .. } => self.pat(body, *pat),
        }
        self.depth -= 1;
    }
}
