//! The HIR as text, one line an item and s-expressions for bodies: for tests and for looking at what was understood.
//!
//! Locals are written `name.index`, so that shadowing shows; paths as written; spans are left out.

use std::fmt::{self, Write as _};

use super::{
    Block, BlockKind, Body, ExprId, ExprKind, FileHir, GenericArgs, Generics, ItemKind, Lit, LocalId, Param,
    PatId, PatKind, Path, SelfParam, Stmt, TypeKind, TypeRef,
};

/// All items of a file with their bodies.
pub fn file(hir: &FileHir) -> String {
    let mut out = String::new();
    for (index, item) in hir.items.iter().enumerate() {
        let _ = write!(out, "{index}");
        if item.scope.0 != 0 {
            let _ = write!(out, " scope={}", item.scope.0);
        }
        if let Some(parent) = item.parent {
            let _ = write!(out, " in={}", parent.0);
        }
        for (set, flag) in [
            (item.attrs.cfg_test, "cfg(test)"),
            (item.attrs.cfg_other, "cfg"),
            (item.attrs.test, "test"),
            (item.from_macro, "from-macro"),
        ] {
            if set {
                let _ = write!(out, " {flag}");
            }
        }
        for derive in &item.attrs.derives {
            let _ = write!(out, " derive:{derive}");
        }
        let _ = writeln!(out, " {}", self::item(hir, &item.kind, item.name.as_str()));
    }
    out
}

fn item(hir: &FileHir, kind: &ItemKind, name: &str) -> String {
    let body = |id: &Option<super::BodyId>| match id.and_then(|b| hir.bodies.get(b.0 as usize)) {
        Some(body) => format!(" {}", self::body(body)),
        None => String::new(),
    };
    match kind {
        ItemKind::Use(imports) => {
            let mut out = String::from("use");
            for import in imports {
                let path: Vec<&str> = import.path.iter().map(|n| n.as_str()).collect();
                let _ = write!(out, " {}{}", if import.global { "::" } else { "" }, path.join("::"));
                match import.name {
                    _ if import.glob => out.push_str("::*"),
                    Some(name) if import.path.last() == Some(&name) => {}
                    Some(name) => _ = write!(out, "={name}"),
                    None => out.push_str("=_"),
                }
            }
            out
        }
        ItemKind::ExternCrate { krate, alias } => match alias {
            Some(alias) => format!("extern crate {krate}={alias}"),
            None => format!("extern crate {krate}"),
        },
        ItemKind::Mod { inline: Some(scope) } => format!("mod {name} scope:{}", scope.0),
        ItemKind::Mod { inline: None } => format!("mod {name};"),
        ItemKind::Fn(f) => {
            let mut out = String::new();
            for (set, word) in [(f.is_const, "const "), (f.is_async, "async "), (f.is_unsafe, "unsafe ")] {
                out.push_str(if set { word } else { "" });
            }
            let _ = write!(out, "fn {name}{}(", generics(&f.generics));
            match &f.self_param {
                Some(SelfParam::Value) => out.push_str("self "),
                Some(SelfParam::Ref) => out.push_str("&self "),
                Some(SelfParam::RefMut) => out.push_str("&mut self "),
                Some(SelfParam::Typed(ty)) => _ = write!(out, "self: {} ", self::ty(ty)),
                None => {}
            }
            out.push_str(&list(&f.params, ty));
            out.push(')');
            if let Some(ret) = &f.ret {
                let _ = write!(out, " -> {}", ty(ret));
            }
            out + &body(&f.body)
        }
        ItemKind::Struct(s) | ItemKind::Union(s) => {
            let fields = list(&s.fields, |f| format!("{}: {}", f.name, ty(&f.ty)));
            format!("struct {name}{} {{{fields}}}", generics(&s.generics))
        }
        ItemKind::Enum(e) => {
            let variants = list(&e.variants, |v| {
                format!("{}({})", v.name, list(&v.fields, |f| format!("{}: {}", f.name, ty(&f.ty))))
            });
            format!("enum {name}{} {{{variants}}}", generics(&e.generics))
        }
        ItemKind::Trait(t) => format!("trait {name}{}: {}", generics(&t.generics), list(&t.supers, path)),
        ItemKind::Impl(i) => {
            let for_ = match &i.trait_path {
                Some(p) => format!("{}{} for ", if i.negative { "!" } else { "" }, path(p)),
                None => String::new(),
            };
            format!("impl{} {for_}{}", generics(&i.generics), ty(&i.self_ty))
        }
        ItemKind::Type { generics: g, ty: t, bounds } => {
            let mut out = format!("type {name}{}", generics(g));
            if !bounds.is_empty() {
                let _ = write!(out, ": {}", list(bounds, path));
            }
            if let Some(t) = t {
                let _ = write!(out, " = {}", ty(t));
            }
            out
        }
        ItemKind::Static { ty: t, body: b, is_const, mutable, wrapper } => {
            let word = if *is_const { "const" } else { "static" };
            let mutable = if *mutable { " mut" } else { "" };
            format!("{word}{mutable} {name}: {} {wrapper:?}{}", ty(t), body(b))
        }
        ItemKind::MacroRules => format!("macro_rules {name}"),
        ItemKind::MacroCall { path: p } => format!("{}!", path(p)),
    }
}

/// A body: parameters and root.
pub fn body(body: &Body) -> String {
    let params = list(&body.params, |p| param(body, p));
    format!("|{params}| {}", expr(body, body.root))
}

fn list<T>(items: &[T], mut show: impl FnMut(&T) -> String) -> String {
    items.iter().map(&mut show).collect::<Vec<_>>().join(", ")
}

fn param(body: &Body, p: &Param) -> String {
    match &p.ty {
        Some(t) => format!("{}: {}", pat(body, p.pat), ty(t)),
        None => pat(body, p.pat),
    }
}

/// A path as written, lifetimes dropped.
pub fn path(p: &Path) -> String {
    let mut out = String::from(if p.global { "::" } else { "" });
    let mut first = true;
    let mut left = None;
    if let Some(q) = &p.qself {
        let _ = write!(out, "<{}", ty(&q.0));
        out.push_str(if q.1 > 0 { " as " } else { ">::" });
        left = (q.1 > 0).then_some(q.1);
    }
    for segment in &p.segments {
        if !first {
            out.push_str("::");
        }
        first = false;
        out.push_str(segment.name.as_str());
        if let Some(a) = &segment.args {
            out.push_str(&args(a));
        }
        left = left.map(|n| n - 1);
        if left == Some(0) {
            out.push('>');
            left = None;
        }
    }
    out
}

fn args(a: &GenericArgs) -> String {
    let mut parts: Vec<String> = a.types.iter().map(ty).collect();
    parts.extend(a.bindings.iter().map(|(n, t)| format!("{n}={}", ty(t))));
    format!("<{}>", parts.join(", "))
}

fn generics(g: &Generics) -> String {
    if g.params.is_empty() && g.wheres.is_empty() {
        return String::new();
    }
    let mut parts: Vec<String> = g
        .params
        .iter()
        .map(|p| {
            let mut out = format!("{}{}", if p.is_const { "const " } else { "" }, p.name);
            if !p.bounds.is_empty() {
                let _ = write!(out, ": {}", p.bounds.iter().map(path).collect::<Vec<_>>().join(" + "));
            }
            if let Some(d) = &p.default {
                let _ = write!(out, " = {}", ty(d));
            }
            out
        })
        .collect();
    for (t, bounds) in &g.wheres {
        parts.push(format!("where {}: {}", ty(t), bounds.iter().map(path).collect::<Vec<_>>().join(" + ")));
    }
    format!("<{}>", parts.join(", "))
}

/// A type as written, lifetimes dropped.
pub fn ty(t: &TypeRef) -> String {
    match &t.kind {
        TypeKind::Infer => "_".into(),
        TypeKind::Never => "!".into(),
        TypeKind::Path(p) => path(p),
        TypeKind::Ref { mutable, inner } => format!("&{}{}", if *mutable { "mut " } else { "" }, ty(inner)),
        TypeKind::Ptr { mutable, inner } => {
            format!("*{} {}", if *mutable { "mut" } else { "const" }, ty(inner))
        }
        TypeKind::Slice(t) => format!("[{}]", ty(t)),
        TypeKind::Array(t) => format!("[{}; _]", ty(t)),
        TypeKind::Tuple(ts) => format!("({})", list(ts, ty)),
        TypeKind::Fn { params, ret } => {
            let ret = ret.as_ref().map_or(String::new(), |r| format!(" -> {}", ty(r)));
            format!("fn({}){ret}", list(params, ty))
        }
        TypeKind::Impl(b) => format!("impl {}", b.iter().map(path).collect::<Vec<_>>().join(" + ")),
        TypeKind::Dyn(b) => format!("dyn {}", b.iter().map(path).collect::<Vec<_>>().join(" + ")),
        TypeKind::Const => "const".into(),
        TypeKind::Unknown => "?".into(),
    }
}

fn local(body: &Body, id: LocalId) -> String {
    match body.locals.get(id.0 as usize) {
        Some(l) => format!("{}.{}", l.name, id.0),
        None => format!("?.{}", id.0),
    }
}

/// A pattern.
pub fn pat(body: &Body, id: PatId) -> String {
    let Some(p) = body.pats.get(id.0 as usize) else { return "?".into() };
    let all = |pats: &[PatId], sep: &str| pats.iter().map(|p| pat(body, *p)).collect::<Vec<_>>().join(sep);
    match &p.kind {
        PatKind::Missing => "?".into(),
        PatKind::Wild => "_".into(),
        PatKind::Rest => "..".into(),
        PatKind::Bind { local: id, sub } => {
            let mut out = String::new();
            if let Some(l) = body.locals.get(id.0 as usize) {
                out.push_str(if l.by_ref { "ref " } else { "" });
                out.push_str(if l.mutable { "mut " } else { "" });
            }
            out.push_str(&local(body, *id));
            if let Some(sub) = sub {
                let _ = write!(out, " @ {}", pat(body, *sub));
            }
            out
        }
        PatKind::Ref(p) => format!("&{}", pat(body, *p)),
        PatKind::Tuple(ps) => format!("({})", all(ps, ", ")),
        PatKind::Slice(ps) => format!("[{}]", all(ps, ", ")),
        PatKind::TupleStruct { path: p, pats } => format!("{}({})", path(p), all(pats, ", ")),
        PatKind::Struct { path: p, fields, rest } => {
            let fields = list(fields, |(n, p)| format!("{n}: {}", pat(body, *p)));
            format!("{} {{{fields}{}}}", path(p), if *rest { ", .." } else { "" })
        }
        PatKind::Path(p) => path(p),
        PatKind::Lit(l) => lit(l),
        PatKind::Range => "range".into(),
        PatKind::Or(ps) => all(ps, " | "),
        PatKind::Typed { pat: p, ty: t } => format!("{}: {}", pat(body, *p), ty(t)),
    }
}

fn lit(l: &Lit) -> String {
    match l {
        Lit::Str(s) => format!("{s:?}"),
        Lit::Bool(b) => b.to_string(),
        Lit::Int(value, suffix) => {
            let value = value.map_or("big".into(), |v| v.to_string());
            suffix.map_or(value.clone(), |s| format!("{value}{s}"))
        }
        other => format!("{other:?}"),
    }
}

/// An expression.
pub fn expr(body: &Body, id: ExprId) -> String {
    let mut out = String::new();
    let _ = Dumper { body }.expr(id, &mut out);
    out
}

struct Dumper<'b> {
    body: &'b Body,
}

impl Dumper<'_> {
    fn exprs(&self, ids: &[ExprId], out: &mut String) -> fmt::Result {
        for id in ids {
            out.push(' ');
            self.expr(*id, out)?;
        }
        Ok(())
    }

    /// `(head child child …)`
    fn node(&self, head: impl fmt::Display, ids: &[ExprId], out: &mut String) -> fmt::Result {
        write!(out, "({head}")?;
        self.exprs(ids, out)?;
        out.push(')');
        Ok(())
    }

    fn expr(&self, id: ExprId, out: &mut String) -> fmt::Result {
        let body = self.body;
        let Some(e) = body.exprs.get(id.0 as usize) else { return out.write_char('?') };
        let labelled = |word: &str, l: &Option<crate::name::Name>| match l {
            Some(l) => format!("{word} '{l}"),
            None => word.to_owned(),
        };
        match &e.kind {
            ExprKind::Missing => out.push('?'),
            ExprKind::Lit(l) => out.push_str(&lit(l)),
            ExprKind::Local(l) => out.push_str(&local(body, *l)),
            ExprKind::Path(p) => out.push_str(&path(p)),
            ExprKind::Call { callee, args } => {
                out.push_str("(call ");
                self.expr(*callee, out)?;
                self.exprs(args, out)?;
                out.push(')');
            }
            ExprKind::Method { recv, name, generics, args, .. } => {
                write!(out, "(.{name}{} ", generics.as_ref().map_or(String::new(), |g| self::args(g)))?;
                self.expr(*recv, out)?;
                self.exprs(args, out)?;
                out.push(')');
            }
            ExprKind::Field { base, name, .. } => self.node(format_args!("field {name}"), &[*base], out)?,
            ExprKind::Index { base, index } => self.node("index", &[*base, *index], out)?,
            ExprKind::Deref(e) => self.node("*", &[*e], out)?,
            ExprKind::Not(e) => self.node("!", &[*e], out)?,
            ExprKind::Neg(e) => self.node("-", &[*e], out)?,
            ExprKind::Binary { op, lhs, rhs } => self.node(format_args!("{op:?}"), &[*lhs, *rhs], out)?,
            ExprKind::Assign { lhs, rhs } => self.node("=", &[*lhs, *rhs], out)?,
            ExprKind::AssignOp { op, lhs, rhs } => self.node(format_args!("{op:?}="), &[*lhs, *rhs], out)?,
            ExprKind::Ref { mutable, expr } => {
                self.node(if *mutable { "&mut" } else { "&" }, &[*expr], out)?
            }
            ExprKind::Cast { expr, ty: t } => self.node(format_args!("as {}", ty(t)), &[*expr], out)?,
            ExprKind::Tuple(es) => self.node("tuple", es, out)?,
            ExprKind::Array(es) => self.node("array", es, out)?,
            ExprKind::Repeat { elem, len } => self.node("repeat", &[*elem, *len], out)?,
            ExprKind::Range { start, end, inclusive } => {
                out.push_str(if *inclusive { "(..=" } else { "(.." });
                for side in [start, end] {
                    out.push(' ');
                    match side {
                        Some(e) => self.expr(*e, out)?,
                        None => out.push('_'),
                    }
                }
                out.push(')');
            }
            ExprKind::Struct { path: p, fields, base } => {
                write!(out, "(struct {}", path(p))?;
                for f in fields {
                    write!(out, " {}{}", f.name, if f.shorthand { "~" } else { ":" })?;
                    self.expr(f.value, out)?;
                }
                if let Some(base) = base {
                    out.push_str(" ..");
                    self.expr(*base, out)?;
                }
                out.push(')');
            }
            ExprKind::Block(b) => self.block(b, out)?,
            ExprKind::If { cond, then, els } => {
                self.node(
                    "if",
                    &[Some(*cond), Some(*then), *els].into_iter().flatten().collect::<Vec<_>>(),
                    out,
                )?;
            }
            ExprKind::Let { pat: p, scrutinee } => {
                self.node(format_args!("let {}", pat(body, *p)), &[*scrutinee], out)?;
            }
            ExprKind::Match { scrutinee, arms } => {
                out.push_str("(match ");
                self.expr(*scrutinee, out)?;
                for arm in arms {
                    write!(out, " [{}", pat(body, arm.pat))?;
                    if let Some(guard) = arm.guard {
                        out.push_str(" if ");
                        self.expr(guard, out)?;
                    }
                    out.push_str(" => ");
                    self.expr(arm.body, out)?;
                    out.push(']');
                }
                out.push(')');
            }
            ExprKind::Loop { body, label } => self.node(labelled("loop", label), &[*body], out)?,
            ExprKind::While { cond, body, label } => {
                self.node(labelled("while", label), &[*cond, *body], out)?
            }
            ExprKind::For { pat: p, iter, body: b, label } => {
                self.node(format_args!("{} {}", labelled("for", label), pat(body, *p)), &[*iter, *b], out)?;
            }
            ExprKind::Break { label, value } => self.node(labelled("break", label), value.as_slice(), out)?,
            ExprKind::Continue { label } => self.node(labelled("continue", label), &[], out)?,
            ExprKind::Return(value) => self.node("return", value.as_slice(), out)?,
            ExprKind::Closure(c) => {
                let params = list(&c.params, |p| param(body, p));
                let head = format!(
                    "{}{}|{params}|{}",
                    if c.is_async { "async " } else { "" },
                    if c.is_move { "move " } else { "" },
                    c.ret.as_ref().map_or(String::new(), |r| format!(" -> {}", ty(r)))
                );
                self.node(head, &[c.body], out)?;
            }
            ExprKind::Await(e) => self.node("await", &[*e], out)?,
            ExprKind::Try(e) => self.node("?", &[*e], out)?,
            ExprKind::Macro(m) => {
                write!(out, "({}! {:?}", path(&m.path), m.kind)?;
                for p in &m.pats {
                    write!(out, " [{}]", pat(body, *p))?;
                }
                self.exprs(&m.args, out)?;
                out.push(')');
            }
        }
        Ok(())
    }

    fn block(&self, b: &Block, out: &mut String) -> fmt::Result {
        out.push_str(match b.kind {
            BlockKind::Plain => "{",
            BlockKind::Unsafe => "{unsafe",
            BlockKind::Const => "{const",
            BlockKind::Async { is_move: false } => "{async",
            BlockKind::Async { is_move: true } => "{async move",
            BlockKind::Try => "{try",
        });
        if let Some(label) = b.label {
            write!(out, " '{label}")?;
        }
        if let Some(scope) = b.scope {
            write!(out, " scope:{}", scope.0)?;
        }
        for stmt in &b.stmts {
            out.push(' ');
            match stmt {
                Stmt::Let { pat: p, ty: t, init, els, .. } => {
                    write!(out, "let {}", pat(self.body, *p))?;
                    if let Some(t) = t {
                        write!(out, ": {}", ty(t))?;
                    }
                    if let Some(init) = init {
                        out.push_str(" = ");
                        self.expr(*init, out)?;
                    }
                    if let Some(els) = els {
                        out.push_str(" else ");
                        self.expr(*els, out)?;
                    }
                    out.push(';');
                }
                Stmt::Expr { expr, semi, .. } => {
                    self.expr(*expr, out)?;
                    out.push_str(if *semi { ";" } else { "" });
                }
            }
        }
        if let Some(tail) = b.tail {
            out.push_str(" => ");
            self.expr(tail, out)?;
        }
        out.push('}');
        Ok(())
    }
}
