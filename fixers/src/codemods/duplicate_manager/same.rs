//! Whether methods are the same: token by token, and name by name.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use rustc_hash::FxHashMap;
use uncork_lints::clones::AlignedMethod;
use uncork_lints::hir::{ExprId, ExprKind, LocalId};
use uncork_lints::infer::Callee;
use uncork_lints::name::Name;
use uncork_lints::program::{BodyIx, DefId, DefKind, Res};
use uncork_lints::source::Span;
use uncork_lints::ty::TyKind;

use super::{Members, Moved, Step, blocked};

/// Fewest methods that make it worth a generic type.
const MIN_METHODS: usize = 3;

/// A token of a text, by its place in the file.
struct Token {
    text: String,
    span: Span,
    ident: bool,
}

impl Members<'_, '_> {
    /// The methods that are the same in all members. What calls a method that is not does not move either.
    pub(super) fn same_methods(&self) -> Step<Vec<Moved>> {
        let mut moved: Vec<(&AlignedMethod, Moved)> = Vec::new();
        for method in &self.cluster.methods {
            let functions = method.functions.clone();
            if self.movable(&functions)
                && let Some(replacements) = self.same(method)
            {
                moved.push((method, Moved { functions, replacements }));
            }
        }
        // What they mean by names is compared once it is known which methods are one.
        loop {
            let before = moved.len();
            let rows: Vec<Vec<DefId>> = moved.iter().map(|(_, m)| m.functions.clone()).collect();
            moved.retain(|(_, m)| self.same_meaning(&m.functions, &rows));
            if moved.len() == before {
                break;
            }
        }
        let with_self = moved.iter().filter(|(_, m)| {
            self.program.fn_item(m.functions[self.model]).is_some_and(|f| f.self_param.is_some())
        });
        if with_self.count() < MIN_METHODS {
            return blocked("too few methods are the same but for types", self.place(self.model));
        }
        let mut out: Vec<Moved> = moved.into_iter().map(|(_, m)| m).collect();
        out.sort_by_key(|m| self.program.item(m.functions[self.model]).span.lo);
        for method in &mut out {
            self.rename_locals(method);
        }
        Ok(out)
    }

    /// Methods of inherent impls of the plain type, with one name, and no attribute that decides whether they are there.
    fn movable(&self, functions: &[DefId]) -> bool {
        let name = self.program.def(functions[self.model]).name;
        functions.iter().all(|&f| {
            let (def, item) = (self.program.def(f), self.program.item(f));
            let inherent = def.parent.is_some_and(|p| {
                self.program.def(p).kind == DefKind::Impl
                    && !self.program.decls.impl_trait.contains_key(&p)
                    && !self.program.item(p).attrs.cfg_other
                    && !self.program.item(p).from_macro
            });
            inherent && def.name == name && !item.from_macro && !item.attrs.cfg_other && !item.attrs.cfg_test
        })
    }

    fn code_span(&self, function: DefId) -> Span {
        let item = self.program.item(function);
        Span::new(item.attrs_span.hi.max(item.span.lo), item.span.hi)
    }

    fn tokens(&self, function: DefId) -> Option<Vec<Token>> {
        let span = self.code_span(function);
        let text = self.cx.slice(self.program.def(function).file, span);
        let stream: TokenStream = text.parse().ok()?;
        let mut out = Vec::new();
        flatten(stream, span.lo, &mut out);
        proc_macro2::extra::invalidate_current_thread_spans();
        Some(out)
    }

    /// The replacements in the model's text that make it the generic method, if all members' texts are the same.
    fn same(&self, method: &AlignedMethod) -> Option<Vec<(Span, String)>> {
        let model = method.functions[self.model];
        let tokens = self.tokens(model)?;
        let mut holes: Vec<(Span, u32)> = Vec::new();
        for hole in &method.holes {
            let at = hole.at[self.model]?;
            self.params.get(&hole.param)?;
            holes.push((at, hole.param));
        }
        holes.sort_by_key(|(s, _)| s.lo);
        let mut replacements: Vec<(Span, String)> =
            holes.iter().map(|(span, param)| (*span, self.params[param].name.clone())).collect();
        let ours = Names::of(self, model, self.model)?;
        for token in &tokens {
            if token.text == self.program.def(self.model_def()).name.as_str() && token.ident {
                replacements.push((token.span, "Self".into()));
            }
        }
        for (span, field) in &ours.fields {
            let new = self.new_field(self.model, field.name)?;
            if new != field.name.as_str() {
                let text = if field.shorthand { format!("{new}: {}", field.name) } else { new.to_owned() };
                replacements.push((Span::new(*span, *span + field.name.as_str().len() as u32), text));
            }
        }
        for (i, &function) in method.functions.iter().enumerate() {
            if i != self.model {
                let theirs: Vec<(Span, u32)> =
                    method.holes.iter().map(|h| Some((h.at[i]?, h.param))).collect::<Option<_>>()?;
                self.same_tokens(&tokens, &holes, &ours, function, i, &theirs)?;
            }
        }
        // Types whose name all members share may still be a parameter's: `T` where the model says `Alert` outside a hole
        // cannot be, since the others say it too.
        Some(replacements)
    }

    fn same_tokens(
        &self,
        left: &[Token],
        left_holes: &[(Span, u32)],
        ours: &Names,
        function: DefId,
        i: usize,
        right_holes: &[(Span, u32)],
    ) -> Option<()> {
        let right = self.tokens(function)?;
        let theirs = Names::of(self, function, i)?;
        let (model_name, name) =
            (self.program.def(self.model_def()).name, self.program.def(self.defs[i]).name);
        let mut locals: FxHashMap<LocalId, LocalId> = FxHashMap::default();
        let mut back: FxHashMap<LocalId, LocalId> = FxHashMap::default();
        let (mut a, mut b) = (0, 0);
        while a < left.len() || b < right.len() {
            let (x, y) = (left.get(a)?, right.get(b)?);
            let hole = |holes: &[(Span, u32)], at: u32| holes.iter().find(|(s, _)| s.lo == at).copied();
            if let Some((span, param)) = hole(left_holes, x.span.lo) {
                let (other, same) = hole(right_holes, y.span.lo)?;
                if same != param {
                    return None;
                }
                a += left[a..].iter().take_while(|t| t.span.lo < span.hi).count();
                b += right[b..].iter().take_while(|t| t.span.lo < other.hi).count();
                continue;
            }
            let mut fits = x.text == y.text;
            if let (Some(f), Some(g)) = (ours.fields.get(&x.span.lo), theirs.fields.get(&y.span.lo)) {
                fits = f.shorthand == g.shorthand
                    && self.fields.iter().any(|s| s.names[self.model] == f.name && s.names[i] == g.name);
            } else if ours.fields.contains_key(&x.span.lo) || theirs.fields.contains_key(&y.span.lo) {
                return None;
            }
            if let (Some(&l), Some(&m)) = (ours.locals.get(&x.span.lo), theirs.locals.get(&y.span.lo)) {
                fits = *locals.entry(l).or_insert(m) == m && *back.entry(m).or_insert(l) == l;
            }
            fits |= x.ident && y.ident && x.text == model_name.as_str() && y.text == name.as_str();
            if !fits {
                return None;
            }
            (a, b) = (a + 1, b + 1);
        }
        Some(())
    }

    /// Whether what is named and called is the same in all members.
    fn same_meaning(&self, functions: &[DefId], rows: &[Vec<DefId>]) -> bool {
        let Some(&model) = self.program.body_of.get(&functions[self.model]) else { return false };
        if !self.closed(model, rows) {
            return false;
        }
        functions.iter().enumerate().filter(|(i, _)| *i != self.model).all(|(i, function)| {
            let Some(&body) = self.program.body_of.get(function) else { return false };
            self.same_body(model, body, i, rows) && self.same_signature(functions[self.model], *function, i)
        })
    }

    /// Whether the model's body calls nothing of the model's that does not move.
    fn closed(&self, body: BodyIx, rows: &[Vec<DefId>]) -> bool {
        let own = |def: DefId| {
            self.program.def(def).parent.and_then(|p| self.program.decls.impl_self_def(p))
                == Some(self.model_def())
        };
        let types = &self.cx.analysis.types[body.0 as usize];
        types.calls.values().all(|callee| match callee {
            Callee::Fn(def) => !own(*def) || rows.iter().any(|row| row[self.model] == *def),
            _ => true,
        })
    }

    fn same_signature(&self, model: DefId, other: DefId, i: usize) -> bool {
        let (Some(a), Some(b)) = (self.program.decls.sigs.get(&model), self.program.decls.sigs.get(&other))
        else {
            return false;
        };
        a.params.len() == b.params.len()
            && a.params.iter().zip(&b.params).all(|(&x, &y)| self.as_in(x, i) == y)
            && self.as_in(a.ret, i) == b.ret
    }

    fn same_body(&self, model: BodyIx, other: BodyIx, i: usize, rows: &[Vec<DefId>]) -> bool {
        let (a, b) = (self.program.body(model), self.program.body(other));
        let (s, t) = (&self.cx.analysis.types[model.0 as usize], &self.cx.analysis.types[other.0 as usize]);
        // The same tokens are lowered to the same arena.
        a.exprs.len() == b.exprs.len()
            && (0..a.exprs.len()).all(|at| {
                let id = ExprId(at as u32);
                let (x, y) = (&a.expr(id).kind, &b.expr(id).kind);
                let known = !s.expr(id).is_unknown() && !t.expr(id).is_unknown();
                std::mem::discriminant(x) == std::mem::discriminant(y)
                    && self.same_res(s.res(id), t.res(id), i, rows)
                    && self.same_callee(&s.callee(id), &t.callee(id), i, rows)
                    && (!known
                        || matches!(s.expr(id).kind(), TyKind::Closure(..) | TyKind::FnDef(..))
                        || self.as_in(s.expr(id), i) == t.expr(id)
                        || holds_closure(s.expr(id)))
            })
    }

    fn same_res(&self, a: Option<Res>, b: Option<Res>, i: usize, rows: &[Vec<DefId>]) -> bool {
        match (a, b) {
            (Some(Res::Def(x)), Some(Res::Def(y))) => self.same_def(x, y, i, rows),
            (a, b) => a == b,
        }
    }

    fn same_callee(&self, a: &Callee, b: &Callee, i: usize, rows: &[Vec<DefId>]) -> bool {
        match (a, b) {
            (Callee::Fn(x), Callee::Fn(y))
            | (Callee::Virtual(x), Callee::Virtual(y))
            | (Callee::Ctor(x), Callee::Ctor(y)) => self.same_def(*x, *y, i, rows),
            (a, b) => a == b,
        }
    }

    fn same_def(&self, x: DefId, y: DefId, i: usize, rows: &[Vec<DefId>]) -> bool {
        x == y
            || (x == self.model_def() && y == self.defs[i])
            || rows.iter().any(|row| row[self.model] == x && row[i] == y)
    }

    /// Names that only made sense for the model: `alerts` and `alert`, where another says `backups` and `backup`.
    fn rename_locals(&self, method: &mut Moved) {
        let model = method.functions[self.model];
        let Some(&body) = self.program.body_of.get(&model) else { return };
        let hir = self.program.body(body);
        let types = &self.cx.analysis.types[body.0 as usize];
        let all = self.cx.slice(self.program.def(model).file, self.code_span(model));
        for (index, local) in hir.locals.iter().enumerate() {
            let id = LocalId(index as u32);
            let name = local.name.as_str();
            let renamed = self.fields.iter().find(|f| f.names[self.model].as_str() == name && f.name != name);
            let holds =
                self.order.iter().any(|n| types.local(id).peel_refs() == self.params[n].types[self.model]);
            let new = match renamed {
                Some(field) => field.name.as_str(),
                None if holds && self.named_after(method, index) => "value",
                None => continue,
            };
            if super::super::imports::mentions_word(all, new) {
                continue;
            }
            let mut spans = vec![local.span];
            let mut shorthand = Vec::new();
            for expr in &hir.exprs {
                match &expr.kind {
                    ExprKind::Local(l) if *l == id => spans.push(expr.span),
                    ExprKind::Struct { fields, .. } => {
                        shorthand.extend(fields.iter().filter(|f| f.shorthand).map(|f| f.name_span));
                    }
                    _ => {}
                }
            }
            let file = self.program.def(model).file;
            let plain = spans.iter().all(|s| self.cx.slice(file, *s) == name);
            if !plain || spans.iter().any(|s| shorthand.contains(s)) {
                continue;
            }
            spans.sort();
            spans.dedup();
            method.replacements.extend(spans.into_iter().map(|s| (s, new.to_owned())));
        }
    }

    /// Whether the members call a local variable differently.
    fn named_after(&self, method: &Moved, index: usize) -> bool {
        let name = |f: &DefId| -> Option<Name> {
            let body = self.program.body_of.get(f)?;
            self.program.body(*body).locals.get(index).map(|l| l.name)
        };
        let first = method.functions.first().and_then(name);
        method.functions.iter().any(|f| name(f) != first)
    }
}

fn holds_closure(ty: uncork_lints::ty::Ty) -> bool {
    ty.any(&mut |t| {
        matches!(t.kind(), TyKind::Closure(..) | TyKind::FnDef(..) | TyKind::Var(_)) || t.is_unknown()
    })
}

/// Where a function's text names fields of its struct, and local variables.
struct Names {
    fields: FxHashMap<u32, super::FieldMention>,
    locals: FxHashMap<u32, LocalId>,
}

impl Names {
    fn of(members: &Members<'_, '_>, function: DefId, member: usize) -> Option<Names> {
        let body = *members.program.body_of.get(&function)?;
        let hir = members.program.body(body);
        let mentions = members.field_names(body).ok()?;
        let mut names = Names { fields: FxHashMap::default(), locals: FxHashMap::default() };
        for mention in mentions {
            if mention.member != member {
                return None;
            }
            names.fields.insert(mention.span.lo, mention);
        }
        for (index, local) in hir.locals.iter().enumerate() {
            names.locals.insert(local.span.lo, LocalId(index as u32));
        }
        for expr in &hir.exprs {
            if let ExprKind::Local(local) = expr.kind {
                names.locals.insert(expr.span.lo, local);
            }
        }
        Some(names)
    }
}

fn flatten(stream: TokenStream, base: u32, out: &mut Vec<Token>) {
    let at = |range: std::ops::Range<usize>| Span::new(base + range.start as u32, base + range.end as u32);
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                let span = at(group.span_open().byte_range());
                out.push(Token { text: open.into(), span, ident: false });
                flatten(group.stream(), base, out);
                let span = at(group.span_close().byte_range());
                out.push(Token { text: close.into(), span, ident: false });
            }
            TokenTree::Ident(ident) => {
                out.push(Token { text: ident.to_string(), span: at(ident.span().byte_range()), ident: true });
            }
            TokenTree::Punct(punct) => {
                let span = at(punct.span().byte_range());
                out.push(Token { text: punct.as_char().to_string(), span, ident: false });
            }
            TokenTree::Literal(literal) => {
                let span = at(literal.span().byte_range());
                out.push(Token { text: literal.to_string(), span, ident: false });
            }
        }
    }
}
