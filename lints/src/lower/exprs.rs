//! Expressions. Children are lowered before what holds them, names by the scope they stand in.

use proc_macro2::Span as TokenSpan;
use syn::Expr as SynExpr;

use super::cx::{Lower, MAX_DEPTH};
use super::pats::path_of;
use crate::hir::{Arm, BinaryOp, BlockKind, Closure, Expr, ExprId, ExprKind, FieldInit, Param, Path};
use crate::name::{Name, well_known};
use crate::source::Span;

impl Lower<'_> {
    /// An expression.
    pub(super) fn expr(&mut self, expr: &mut SynExpr) -> ExprId {
        self.expr_at(expr).0
    }

    /// An expression and its span with parentheses.
    pub(super) fn expr_at(&mut self, expr: &mut SynExpr) -> (ExprId, Span) {
        if self.depth >= MAX_DEPTH {
            let lo = self.lo(first_token(expr));
            let span = Span::new(lo, lo);
            return (self.missing(span), span);
        }
        self.depth += 1;
        let out = self.expr_inner(expr);
        self.depth -= 1;
        out
    }

    fn expr_inner(&mut self, expr: &mut SynExpr) -> (ExprId, Span) {
        let (kind, span) = match expr {
            SynExpr::Path(p) => self.expr_path(p.qself.as_ref(), &p.path),
            SynExpr::MethodCall(e) => self.method_call(e),
            SynExpr::Call(e) => {
                let (callee, at) = self.expr_at(&mut e.func);
                let (args, hi) = self.call_args(at.hi, e.args.iter_mut(), e.paren_token.span);
                (ExprKind::Call { callee, args }, Span::new(at.lo, hi))
            }
            SynExpr::Lit(e) => {
                let (lit, span) = self.lit(&e.lit);
                (ExprKind::Lit(lit), span)
            }
            SynExpr::Field(e) => {
                let (base, at) = self.expr_at(&mut e.base);
                let (name, name_span) = match &e.member {
                    syn::Member::Named(ident) => self.ident_after(at.hi, ".", ident),
                    index => self.member(index),
                };
                (ExprKind::Field { base, name, name_span }, at.to(name_span))
            }
            SynExpr::Reference(e) => {
                let (inner, at) = self.expr_at(&mut e.expr);
                let spelt = if e.mutability.is_some() { "&mut " } else { "&" };
                let lo = self.lo_before(at.lo, spelt, e.and_token.spans[0]);
                (ExprKind::Ref { mutable: e.mutability.is_some(), expr: inner }, Span::new(lo, at.hi))
            }
            SynExpr::Macro(e) => return self.macro_expr(&mut e.mac),
            SynExpr::Binary(e) => self.binary(e),
            SynExpr::Unary(e) => self.unary(e),
            SynExpr::Paren(e) => {
                let (id, at) = self.expr_at(&mut e.expr);
                let parens = e.paren_token.span;
                let lo = self.lo_before(at.lo, "(", parens.open());
                return (id, Span::new(lo, self.hi_after(at.hi, b')', parens.close())));
            }
            SynExpr::Group(e) => return self.expr_at(&mut e.expr),
            SynExpr::Try(e) => {
                let (inner, at) = self.expr_at(&mut e.expr);
                (
                    ExprKind::Try(inner),
                    Span::new(at.lo, self.hi_after(at.hi, b'?', e.question_token.spans[0])),
                )
            }
            SynExpr::Await(e) => {
                let (inner, at) = self.expr_at(&mut e.base);
                (ExprKind::Await(inner), Span::new(at.lo, self.hi(e.await_token.span)))
            }
            SynExpr::Index(e) => {
                let (base, at) = self.expr_at(&mut e.expr);
                let (index, inside) = self.expr_at(&mut e.index);
                let hi = self.hi_after(inside.hi, b']', e.bracket_token.span.close());
                (ExprKind::Index { base, index }, Span::new(at.lo, hi))
            }
            SynExpr::Cast(e) => {
                let (inner, at) = self.expr_at(&mut e.expr);
                let ty = self.ty(&e.ty);
                let span = at.to(ty.span);
                (ExprKind::Cast { expr: inner, ty: Box::new(ty) }, span)
            }
            SynExpr::Assign(e) => {
                let (lhs, l) = self.expr_at(&mut e.left);
                let (rhs, r) = self.expr_at(&mut e.right);
                (ExprKind::Assign { lhs, rhs }, l.to(r))
            }
            SynExpr::Struct(e) => self.struct_literal(e),
            SynExpr::If(e) => self.if_expr(e),
            SynExpr::Match(e) => self.match_expr(e),
            SynExpr::Let(e) => {
                let (scrutinee, at) = self.expr_at(&mut e.expr);
                let pat = self.pattern(&mut e.pat, false);
                (ExprKind::Let { pat, scrutinee }, Span::new(self.lo(e.let_token.span), at.hi))
            }
            SynExpr::Closure(e) => self.closure(e),
            SynExpr::ForLoop(_) | SynExpr::While(_) | SynExpr::Loop(_) => return self.loops(expr),
            SynExpr::Block(_)
            | SynExpr::Unsafe(_)
            | SynExpr::Async(_)
            | SynExpr::Const(_)
            | SynExpr::TryBlock(_) => return self.block_expr(expr),
            SynExpr::Array(e) => {
                (ExprKind::Array(self.exprs(&mut e.elems)), self.span(e.bracket_token.span.join()))
            }
            SynExpr::Tuple(e) => {
                (ExprKind::Tuple(self.exprs(&mut e.elems)), self.span(e.paren_token.span.join()))
            }
            SynExpr::Repeat(e) => {
                let elem = self.expr(&mut e.expr);
                let len = self.expr(&mut e.len);
                (ExprKind::Repeat { elem, len }, self.span(e.bracket_token.span.join()))
            }
            _ => self.rarer(expr),
        };
        (self.alloc(kind, span), span)
    }

    fn rarer(&mut self, expr: &mut SynExpr) -> (ExprKind, Span) {
        match expr {
            SynExpr::Range(e) => self.range(e),
            SynExpr::RawAddr(e) => {
                let (inner, at) = self.expr_at(&mut e.expr);
                let mutable = matches!(e.mutability, syn::PointerMutability::Mut(_));
                let lo = self.lo(e.and_token.spans[0]);
                (ExprKind::Ref { mutable, expr: inner }, Span::new(lo, at.hi))
            }
            SynExpr::Return(e) => {
                let token = self.span(e.return_token.span);
                let (value, span) = self.operand(token, e.expr.as_deref_mut());
                (ExprKind::Return(value), span)
            }
            SynExpr::Break(e) => {
                let token = self.span(e.break_token.span);
                let label = e.label.as_ref().map(|l| self.ident(&l.ident));
                let token = label.map_or(token, |(_, at)| token.to(at));
                let (value, span) = self.operand(token, e.expr.as_deref_mut());
                (ExprKind::Break { label: label.map(|l| l.0), value }, span)
            }
            SynExpr::Continue(e) => {
                let token = self.span(e.continue_token.span);
                let label = e.label.as_ref().map(|l| self.ident(&l.ident));
                let span = label.map_or(token, |(_, at)| token.to(at));
                (ExprKind::Continue { label: label.map(|l| l.0) }, span)
            }
            // The target of `_ = value`: nothing is bound.
            SynExpr::Infer(e) => {
                let span = self.span(e.underscore_token.spans[0]);
                (ExprKind::Path(Box::new(path_of(well_known::UNDERSCORE, span))), span)
            }
            SynExpr::Yield(e) => {
                let token = self.span(e.yield_token.span);
                let (_, span) = self.operand(token, e.expr.as_deref_mut());
                (ExprKind::Missing, span)
            }
            SynExpr::Verbatim(tokens) => (ExprKind::Missing, self.tokens_span(tokens)),
            other => (ExprKind::Missing, self.span(first_token(other))),
        }
    }

    /// What follows `return`, `break`, `yield`, if anything.
    fn operand(&mut self, token: Span, value: Option<&mut SynExpr>) -> (Option<ExprId>, Span) {
        match value {
            None => (None, token),
            Some(value) => {
                let (id, at) = self.expr_at(value);
                (Some(id), token.to(at))
            }
        }
    }

    /// Expressions in order.
    pub(super) fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e mut SynExpr>) -> Box<[ExprId]> {
        exprs.into_iter().map(|e| self.expr(e)).collect()
    }

    /// Arguments in parentheses, and where these end; what is called ends at byte `from`.
    fn call_args<'e>(
        &mut self,
        from: u32,
        args: impl ExactSizeIterator<Item = &'e mut SynExpr>,
        parens: proc_macro2::extra::DelimSpan,
    ) -> (Box<[ExprId]>, u32) {
        if args.len() == 0 {
            let empty = self.text.as_bytes().get(from as usize) == Some(&b'(');
            let hi =
                if empty { self.hi_after(from + 1, b')', parens.close()) } else { self.hi(parens.close()) };
            return (Box::default(), hi);
        }
        let mut last = from;
        let ids = args
            .map(|arg| {
                let (id, at) = self.expr_at(arg);
                last = at.hi;
                id
            })
            .collect();
        (ids, self.hi_after(last, b')', parens.close()))
    }

    fn expr_path(&mut self, qself: Option<&syn::QSelf>, path: &syn::Path) -> (ExprKind, Span) {
        if qself.is_none()
            && let Some(ident) = path.get_ident()
        {
            let (name, span) = self.ident(ident);
            return (self.name_expr(name, span), span);
        }
        let path = self.path(qself, path);
        let span = path.span;
        (ExprKind::Path(Box::new(path)), span)
    }

    /// A lone identifier: the local of that name, else a path.
    pub(super) fn name_expr(&self, name: Name, span: Span) -> ExprKind {
        match self.body.lookup(name) {
            Some(local) => ExprKind::Local(local),
            None => ExprKind::Path(Box::new(path_of(name, span))),
        }
    }

    fn method_call(&mut self, e: &mut syn::ExprMethodCall) -> (ExprKind, Span) {
        let (recv, at) = self.expr_at(&mut e.receiver);
        let (name, name_span) = self.ident_after(at.hi, ".", &e.method);
        let generics = e.turbofish.as_ref().map(|t| Box::new(self.generic_args(t)));
        let (args, hi) = self.call_args(name_span.hi, e.args.iter_mut(), e.paren_token.span);
        (ExprKind::Method { recv, name, name_span, generics, args }, Span::new(at.lo, hi))
    }

    /// A field's name or index.
    pub(super) fn member(&mut self, member: &syn::Member) -> (Name, Span) {
        match member {
            syn::Member::Named(ident) => self.ident(ident),
            syn::Member::Unnamed(index) => {
                // `t.0.1` is lexed as a float and cut in two: the halves still know where they stand.
                let lo = self.lo(index.span);
                let digits = index.index.to_string();
                (Name::new(&digits), Span::new(lo, lo + digits.len() as u32))
            }
        }
    }

    fn binary(&mut self, e: &mut syn::ExprBinary) -> (ExprKind, Span) {
        let (lhs, l) = self.expr_at(&mut e.left);
        let (rhs, r) = self.expr_at(&mut e.right);
        let kind = match binary_op(&e.op) {
            Some((op, false)) => ExprKind::Binary { op, lhs, rhs },
            Some((op, true)) => ExprKind::AssignOp { op, lhs, rhs },
            None => ExprKind::Missing,
        };
        (kind, l.to(r))
    }

    fn unary(&mut self, e: &mut syn::ExprUnary) -> (ExprKind, Span) {
        let (inner, at) = self.expr_at(&mut e.expr);
        let (kind, token, spelt) = match &e.op {
            syn::UnOp::Deref(t) => (ExprKind::Deref(inner), t.spans[0], "*"),
            syn::UnOp::Not(t) => (ExprKind::Not(inner), t.spans[0], "!"),
            syn::UnOp::Neg(t) => (ExprKind::Neg(inner), t.spans[0], "-"),
            _ => return (ExprKind::Missing, at),
        };
        (kind, Span::new(self.lo_before(at.lo, spelt, token), at.hi))
    }

    fn range(&mut self, e: &mut syn::ExprRange) -> (ExprKind, Span) {
        let start = e.start.as_deref_mut().map(|s| self.expr_at(s));
        let (inclusive, dots) = match &e.limits {
            syn::RangeLimits::HalfOpen(t) => (false, t.spans[0]),
            syn::RangeLimits::Closed(t) => (true, t.spans[0]),
        };
        let end = e.end.as_deref_mut().map(|s| self.expr_at(s));
        let lo = start.map_or_else(|| self.lo(dots), |(_, s)| s.lo);
        let hi = match end {
            Some((_, s)) => s.hi,
            None => self.lo(dots) + if inclusive { 3 } else { 2 },
        };
        let kind = ExprKind::Range { start: start.map(|s| s.0), end: end.map(|s| s.0), inclusive };
        (kind, Span::new(lo, hi))
    }

    fn struct_literal(&mut self, e: &mut syn::ExprStruct) -> (ExprKind, Span) {
        let path: Path = self.path(e.qself.as_ref(), &e.path);
        let mut fields = Vec::with_capacity(e.fields.len());
        for field in &mut e.fields {
            if self.compiled_out(&field.attrs) {
                continue;
            }
            let (name, name_span) = self.member(&field.member);
            let value = self.expr(&mut field.expr);
            fields.push(FieldInit { name, name_span, value, shorthand: field.colon_token.is_none() });
        }
        let base = e.rest.as_deref_mut().map(|b| self.expr(b));
        let span = Span::new(path.span.lo, self.hi(e.brace_token.span.close()));
        (ExprKind::Struct { path: Box::new(path), fields: fields.into(), base }, span)
    }

    fn if_expr(&mut self, e: &mut syn::ExprIf) -> (ExprKind, Span) {
        let lo = self.lo(e.if_token.span);
        let mark = self.body.mark();
        let cond = self.expr(&mut e.cond);
        let then = self.block(&mut e.then_branch, BlockKind::Plain, None, None);
        self.body.truncate(mark);
        let els = e.else_branch.as_mut().map(|(_, els)| self.expr_at(els));
        let hi = els.map_or_else(|| self.expr_span(then).hi, |(_, s)| s.hi);
        (ExprKind::If { cond, then, els: els.map(|e| e.0) }, Span::new(lo, hi))
    }

    fn match_expr(&mut self, e: &mut syn::ExprMatch) -> (ExprKind, Span) {
        let lo = self.lo(e.match_token.span);
        let scrutinee = self.expr(&mut e.expr);
        let mut arms = Vec::with_capacity(e.arms.len());
        for arm in &mut e.arms {
            if self.compiled_out(&arm.attrs) {
                continue;
            }
            let mark = self.body.mark();
            let (pat, guard) = match &mut arm.pat {
                syn::Pat::Guard(g) => {
                    let pat = self.pattern(&mut g.pat, false);
                    (pat, Some(self.expr(&mut g.guard)))
                }
                pat => (self.pattern(pat, false), None),
            };
            let body = self.expr(&mut arm.body);
            self.body.truncate(mark);
            arms.push(Arm { pat, guard, body });
        }
        let hi = self.hi(e.brace_token.span.close());
        (ExprKind::Match { scrutinee, arms: arms.into() }, Span::new(lo, hi))
    }

    fn closure(&mut self, e: &mut syn::ExprClosure) -> (ExprKind, Span) {
        let first = match (&e.lifetimes, &e.constness, &e.asyncness, &e.capture) {
            (Some(l), ..) => l.for_token.span,
            (_, Some(t), ..) => t.span,
            (_, _, Some(t), _) => t.span,
            (_, _, _, Some(t)) => t.span,
            _ => e.inputs_begin.spans[0],
        };
        let lo = self.lo(first);
        let mark = self.body.mark();
        let mut params = Vec::with_capacity(e.inputs.len());
        for input in &mut e.inputs {
            params.push(match input {
                syn::Pat::Type(p) => {
                    let ty = self.ty(&p.ty);
                    Param { pat: self.pattern(&mut p.pat, true), ty: Some(ty) }
                }
                pat => Param { pat: self.pattern(pat, true), ty: None },
            });
        }
        let ret = self.ret(&e.output);
        let (body, at) = self.expr_at(&mut e.body);
        self.body.truncate(mark);
        let closure = Closure {
            params: params.into(),
            ret,
            body,
            is_move: e.capture.is_some(),
            is_async: e.asyncness.is_some(),
        };
        (ExprKind::Closure(Box::new(closure)), Span::new(lo, at.hi))
    }

    /// The span of an expression already lowered.
    pub(super) fn expr_span(&self, id: ExprId) -> Span {
        self.body.exprs.get(id.0 as usize).map_or(Span::default(), |e: &Expr| e.span)
    }
}

/// The operator, and whether it assigns.
fn binary_op(op: &syn::BinOp) -> Option<(BinaryOp, bool)> {
    use syn::BinOp as B;
    Some(match op {
        B::Add(_) => (BinaryOp::Add, false),
        B::Sub(_) => (BinaryOp::Sub, false),
        B::Mul(_) => (BinaryOp::Mul, false),
        B::Div(_) => (BinaryOp::Div, false),
        B::Rem(_) => (BinaryOp::Rem, false),
        B::And(_) => (BinaryOp::And, false),
        B::Or(_) => (BinaryOp::Or, false),
        B::BitXor(_) => (BinaryOp::BitXor, false),
        B::BitAnd(_) => (BinaryOp::BitAnd, false),
        B::BitOr(_) => (BinaryOp::BitOr, false),
        B::Shl(_) => (BinaryOp::Shl, false),
        B::Shr(_) => (BinaryOp::Shr, false),
        B::Eq(_) => (BinaryOp::Eq, false),
        B::Lt(_) => (BinaryOp::Lt, false),
        B::Le(_) => (BinaryOp::Le, false),
        B::Ne(_) => (BinaryOp::Ne, false),
        B::Ge(_) => (BinaryOp::Ge, false),
        B::Gt(_) => (BinaryOp::Gt, false),
        B::AddAssign(_) => (BinaryOp::Add, true),
        B::SubAssign(_) => (BinaryOp::Sub, true),
        B::MulAssign(_) => (BinaryOp::Mul, true),
        B::DivAssign(_) => (BinaryOp::Div, true),
        B::RemAssign(_) => (BinaryOp::Rem, true),
        B::BitXorAssign(_) => (BinaryOp::BitXor, true),
        B::BitAndAssign(_) => (BinaryOp::BitAnd, true),
        B::BitOrAssign(_) => (BinaryOp::BitOr, true),
        B::ShlAssign(_) => (BinaryOp::Shl, true),
        B::ShrAssign(_) => (BinaryOp::Shr, true),
        _ => return None,
    })
}

/// The first token of an expression, attributes aside. Walks the left spine only, without recursion.
pub(super) fn first_token(mut expr: &SynExpr) -> TokenSpan {
    loop {
        expr = match expr {
            SynExpr::Assign(e) => &e.left,
            SynExpr::Await(e) => &e.base,
            SynExpr::Binary(e) => &e.left,
            SynExpr::Call(e) => &e.func,
            SynExpr::Cast(e) => &e.expr,
            SynExpr::Field(e) => &e.base,
            SynExpr::Index(e) => &e.expr,
            SynExpr::MethodCall(e) => &e.receiver,
            SynExpr::Try(e) => &e.expr,
            SynExpr::Group(e) => &e.expr,
            SynExpr::Range(e) => match (&e.start, &e.limits) {
                (Some(start), _) => start,
                (None, syn::RangeLimits::HalfOpen(t)) => return t.spans[0],
                (None, syn::RangeLimits::Closed(t)) => return t.spans[0],
            },
            SynExpr::Array(e) => return e.bracket_token.span.open(),
            SynExpr::Repeat(e) => return e.bracket_token.span.open(),
            SynExpr::Paren(e) => return e.paren_token.span.open(),
            SynExpr::Tuple(e) => return e.paren_token.span.open(),
            SynExpr::Async(e) => return e.async_token.span,
            SynExpr::Block(e) => return e.block.brace_token.span.open(),
            SynExpr::Break(e) => return e.break_token.span,
            SynExpr::Closure(e) => return e.inputs_begin.spans[0],
            SynExpr::Const(e) => return e.const_token.span,
            SynExpr::Continue(e) => return e.continue_token.span,
            SynExpr::ForLoop(e) => return e.for_token.span,
            SynExpr::If(e) => return e.if_token.span,
            SynExpr::Infer(e) => return e.underscore_token.spans[0],
            SynExpr::Let(e) => return e.let_token.span,
            SynExpr::Lit(e) => return e.lit.span(),
            SynExpr::Loop(e) => return e.loop_token.span,
            SynExpr::Macro(e) => return path_token(None, &e.mac.path),
            SynExpr::Match(e) => return e.match_token.span,
            SynExpr::Path(e) => return path_token(e.qself.as_ref(), &e.path),
            SynExpr::RawAddr(e) => return e.and_token.spans[0],
            SynExpr::Reference(e) => return e.and_token.spans[0],
            SynExpr::Return(e) => return e.return_token.span,
            SynExpr::Struct(e) => return path_token(e.qself.as_ref(), &e.path),
            SynExpr::TryBlock(e) => return e.try_token.span,
            SynExpr::Unary(e) => {
                return match &e.op {
                    syn::UnOp::Deref(t) => t.spans[0],
                    syn::UnOp::Not(t) => t.spans[0],
                    syn::UnOp::Neg(t) => t.spans[0],
                    _ => first_token(&e.expr),
                };
            }
            SynExpr::Unsafe(e) => return e.unsafe_token.span,
            SynExpr::Verbatim(t) => {
                return t.clone().into_iter().next().map_or_else(TokenSpan::call_site, |t| t.span());
            }
            SynExpr::While(e) => return e.while_token.span,
            SynExpr::Yield(e) => return e.yield_token.span,
            _ => return TokenSpan::call_site(),
        };
    }
}

/// The first token of a path.
pub(super) fn path_token(qself: Option<&syn::QSelf>, path: &syn::Path) -> TokenSpan {
    match (qself, &path.leading_colon, path.segments.first()) {
        (Some(q), ..) => q.lt_token.span,
        (None, Some(colon), _) => colon.spans[0],
        (None, None, Some(segment)) => segment.ident.span(),
        (None, None, None) => TokenSpan::call_site(),
    }
}
