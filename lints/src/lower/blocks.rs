//! Blocks, statements and loops.

use proc_macro2::{TokenStream, TokenTree};
use syn::Expr as SynExpr;

use super::cx::Lower;
use crate::hir::{Block, BlockKind, ExprId, ExprKind, ScopeId, Stmt};
use crate::name::Name;
use crate::source::Span;

impl Lower<'_> {
    /// A block; `lo` is where its keyword or label begins, if there is one.
    pub(super) fn block(
        &mut self,
        block: &mut syn::Block,
        kind: BlockKind,
        label: Option<Name>,
        lo: Option<u32>,
    ) -> ExprId {
        let braces = self.span(block.brace_token.span.join());
        let span = Span::new(lo.unwrap_or(braces.lo), braces.hi);
        self.stmts(&mut block.stmts, kind, label, span)
    }

    /// Statements as a block.
    pub(super) fn stmts(
        &mut self,
        stmts: &mut [syn::Stmt],
        kind: BlockKind,
        label: Option<Name>,
        span: Span,
    ) -> ExprId {
        let mark = self.body.mark();
        let around = self.scope;
        let scope = stmts.iter().any(declares).then(|| self.push_scope(None, true, None));
        if let Some(scope) = scope {
            self.scope = scope;
        }
        let mut lowered = Vec::with_capacity(stmts.len());
        let mut tail = None;
        // What a `cfg` takes away is not the tail.
        let count = stmts.iter().rposition(|stmt| !self.is_absent(stmt)).map_or(0, |last| last + 1);
        for (index, stmt) in stmts.iter_mut().enumerate() {
            self.stmt(stmt, index + 1 == count, &mut lowered, &mut tail);
        }
        self.scope = around;
        self.body.truncate(mark);
        let block = Block { kind, stmts: lowered.into(), tail, label, scope };
        self.alloc(ExprKind::Block(Box::new(block)), span)
    }

    /// Whether a `cfg` takes a statement away.
    fn is_absent(&self, stmt: &syn::Stmt) -> bool {
        self.compiled_out(match stmt {
            syn::Stmt::Local(local) => &local.attrs,
            syn::Stmt::Expr(expr, _) => expr_attrs(expr),
            syn::Stmt::Macro(mac) => &mac.attrs,
            syn::Stmt::Item(_) => return false,
        })
    }

    fn stmt(&mut self, stmt: &mut syn::Stmt, last: bool, out: &mut Vec<Stmt>, tail: &mut Option<ExprId>) {
        if self.is_absent(stmt) {
            return;
        }
        match stmt {
            syn::Stmt::Local(local) => {
                let local = self.local(local);
                out.push(local);
            }
            syn::Stmt::Item(item) => self.item(item),
            // A lone `;`.
            syn::Stmt::Expr(SynExpr::Verbatim(tokens), _) if tokens.is_empty() => {}
            syn::Stmt::Expr(expr, semi) => {
                let attrs_lo = expr_attrs(expr).first().map(|a| a.pound_token.spans[0]);
                let (id, at) = self.expr_at(expr);
                match semi {
                    None if last => *tail = Some(id),
                    _ => {
                        let lo = attrs_lo.map_or(at.lo, |t| self.lo(t));
                        let hi = semi.as_ref().map_or(at.hi, |t| self.hi_after(at.hi, b';', t.spans[0]));
                        out.push(Stmt::Expr { expr: id, semi: semi.is_some(), span: Span::new(lo, hi) });
                    }
                }
            }
            syn::Stmt::Macro(mac) => {
                if self.item_like_macro(&mac.attrs, &mut mac.mac) {
                    return;
                }
                let attrs_lo = mac.attrs.first().map(|a| a.pound_token.spans[0]);
                let (id, at) = self.macro_expr(&mut mac.mac);
                match &mac.semi_token {
                    None if last => *tail = Some(id),
                    semi => {
                        let lo = attrs_lo.map_or(at.lo, |t| self.lo(t));
                        let hi = semi.as_ref().map_or(at.hi, |t| self.hi_after(at.hi, b';', t.spans[0]));
                        out.push(Stmt::Expr { expr: id, semi: semi.is_some(), span: Span::new(lo, hi) });
                    }
                }
            }
        }
    }

    fn local(&mut self, local: &mut syn::Local) -> Stmt {
        let lo = match local.attrs.first() {
            Some(attr) => self.lo(attr.pound_token.spans[0]),
            None => self.lo(local.let_token.span),
        };
        let mut init = None;
        let mut els = None;
        let mut end = lo;
        if let Some(value) = &mut local.init {
            let (id, at) = self.expr_at(&mut value.expr);
            init = Some(id);
            els = value.diverge.as_mut().map(|(_, els)| self.expr(els));
            end = els.map_or(at.hi, |e| self.expr_span(e).hi);
        }
        let span = Span::new(lo, self.hi_after(end, b';', local.semi_token.spans[0]));
        let irrefutable = els.is_none();
        let (pat, ty) = match &mut local.pat {
            syn::Pat::Type(p) => {
                let ty = self.ty(&p.ty);
                (self.pattern(&mut p.pat, irrefutable), Some(Box::new(ty)))
            }
            pat => (self.pattern(pat, irrefutable), None),
        };
        Stmt::Let { pat, ty, init, els, span }
    }

    /// `for`, `while`, `loop`.
    pub(super) fn loops(&mut self, expr: &mut SynExpr) -> (ExprId, Span) {
        let (kind, body, token, label) = match expr {
            SynExpr::ForLoop(e) => {
                let label = self.label(&e.label);
                let iter = self.expr(&mut e.expr);
                let mark = self.body.mark();
                let pat = self.pattern(&mut e.pat, true);
                let body = self.block(&mut e.body, BlockKind::Plain, None, None);
                self.body.truncate(mark);
                (ExprKind::For { pat, iter, body, label: label.map(|l| l.0) }, body, e.for_token.span, label)
            }
            SynExpr::While(e) => {
                let label = self.label(&e.label);
                let mark = self.body.mark();
                let cond = self.expr(&mut e.cond);
                let body = self.block(&mut e.body, BlockKind::Plain, None, None);
                self.body.truncate(mark);
                (ExprKind::While { cond, body, label: label.map(|l| l.0) }, body, e.while_token.span, label)
            }
            SynExpr::Loop(e) => {
                let label = self.label(&e.label);
                let body = self.block(&mut e.body, BlockKind::Plain, None, None);
                (ExprKind::Loop { body, label: label.map(|l| l.0) }, body, e.loop_token.span, label)
            }
            other => {
                let span = self.span(super::exprs::first_token(other));
                return (self.missing(span), span);
            }
        };
        let lo = label.map_or_else(|| self.lo(token), |(_, lo)| lo);
        let span = Span::new(lo, self.expr_span(body).hi);
        (self.alloc(kind, span), span)
    }

    /// A label's name (without the quote) and where the quote stands.
    fn label(&mut self, label: &Option<syn::Label>) -> Option<(Name, u32)> {
        label.as_ref().map(|l| (self.name(&l.name.ident), self.lo(l.name.apostrophe)))
    }

    /// Blocks of every kind.
    pub(super) fn block_expr(&mut self, expr: &mut SynExpr) -> (ExprId, Span) {
        let id = match expr {
            SynExpr::Block(e) => {
                let label = self.label(&e.label);
                self.block(&mut e.block, BlockKind::Plain, label.map(|l| l.0), label.map(|l| l.1))
            }
            SynExpr::Unsafe(e) => {
                let lo = self.lo(e.unsafe_token.span);
                self.block(&mut e.block, BlockKind::Unsafe, None, Some(lo))
            }
            SynExpr::Const(e) => {
                let lo = self.lo(e.const_token.span);
                self.block(&mut e.block, BlockKind::Const, None, Some(lo))
            }
            SynExpr::Async(e) => {
                let lo = self.lo(e.async_token.span);
                let kind = BlockKind::Async { is_move: e.capture.is_some() };
                self.block(&mut e.block, kind, None, Some(lo))
            }
            SynExpr::TryBlock(e) => {
                let lo = self.lo(e.try_token.span);
                self.block(&mut e.block, BlockKind::Try, None, Some(lo))
            }
            other => {
                let span = self.span(super::exprs::first_token(other));
                self.missing(span)
            }
        };
        (id, self.expr_span(id))
    }

    /// From the first to the last of some tokens.
    pub(super) fn tokens_span(&self, tokens: &TokenStream) -> Span {
        let mut span: Option<Span> = None;
        let mut last: Option<TokenTree> = None;
        for token in tokens.clone() {
            if span.is_none() {
                span = Some(self.span(token.span()));
            }
            last = Some(token);
        }
        let end = last.map(|t| self.span(t.span()));
        span.zip(end).map_or(Span::default(), |(a, b)| a.to(b))
    }

    /// Opens a scope inside the current one.
    pub(super) fn push_scope(&mut self, name: Option<Name>, block: bool, path: Option<String>) -> ScopeId {
        self.hir.scopes.push(crate::hir::Scope {
            parent: Some(self.scope),
            name,
            block,
            cfg_test: self.cfg_test,
            path_attr: path,
        });
        ScopeId(self.hir.scopes.len() as u32 - 1)
    }
}

/// Whether a statement puts a name into the block's namespace.
fn declares(stmt: &syn::Stmt) -> bool {
    match stmt {
        syn::Stmt::Item(_) => true,
        syn::Stmt::Macro(m) => super::item_macros::is_item_like(&m.mac),
        _ => false,
    }
}

/// Outer attributes of an expression statement; the parser hangs them on the leftmost operand.
fn expr_attrs(mut expr: &SynExpr) -> &[syn::Attribute] {
    loop {
        expr = match expr {
            SynExpr::Assign(e) if e.attrs.is_empty() => &e.left,
            SynExpr::Binary(e) if e.attrs.is_empty() => &e.left,
            SynExpr::Cast(e) if e.attrs.is_empty() => &e.expr,
            _ => break,
        }
    }
    match expr {
        SynExpr::Assign(e) => &e.attrs,
        SynExpr::Async(e) => &e.attrs,
        SynExpr::Await(e) => &e.attrs,
        SynExpr::Binary(e) => &e.attrs,
        SynExpr::Block(e) => &e.attrs,
        SynExpr::Call(e) => &e.attrs,
        SynExpr::ForLoop(e) => &e.attrs,
        SynExpr::If(e) => &e.attrs,
        SynExpr::Loop(e) => &e.attrs,
        SynExpr::Macro(e) => &e.attrs,
        SynExpr::Match(e) => &e.attrs,
        SynExpr::MethodCall(e) => &e.attrs,
        SynExpr::Path(e) => &e.attrs,
        SynExpr::Return(e) => &e.attrs,
        SynExpr::Struct(e) => &e.attrs,
        SynExpr::Try(e) => &e.attrs,
        SynExpr::Tuple(e) => &e.attrs,
        SynExpr::Unsafe(e) => &e.attrs,
        SynExpr::While(e) => &e.attrs,
        _ => &[],
    }
}
