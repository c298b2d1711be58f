//! Iteration over the map: loops, and chains of adaptors up to where the items are owned.

use uncork_lints::hir::{ExprId, ExprKind};
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;
use uncork_lints::ty::{Ty, TyKind};

use super::op::Item;
use super::{Migration, Step};

impl<'a> Migration<'_, 'a> {
    /// `id` is the call of `iter`, `values`, `keys` and so on.
    pub(super) fn items(&mut self, body: BodyIx, id: ExprId, item: Item, mutable: bool) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Method { name_span, .. } = &hir.expr(id).kind else {
            return self.blocked(body, id, "an operation that is not understood");
        };
        self.replace(body, *name_span, if mutable { "iter_mut" } else { "iter" });
        let at = self.place_of(body, id);
        self.loosened.push(at);
        self.adaptor(body, id, item)
    }

    /// What is done with an iterator over references into the map.
    fn adaptor(&mut self, body: BodyIx, id: ExprId, item: Item) -> Step {
        let hir = self.cx.analysis.program.body(body);
        match self.tree(body).parent_kind(id) {
            Some((whole, ExprKind::For { pat, iter, body: inside, .. })) if *iter == id => {
                let (pat, inside) = (*pat, *inside);
                self.nothing_happens(body, Span::new(hir.expr(id).span.hi, hir.expr(whole).span.hi))?;
                let pattern = hir.pat(pat).span;
                let text = self.text(body, pattern).to_owned();
                let name = self.fresh(body);
                let mutable = if item.mutable() { "mut " } else { "" };
                self.replace(body, pattern, format!("{mutable}{name}"));
                self.begin_with(body, inside, &format!("let {text} = {name}.{}();", item.access));
                Ok(())
            }
            Some((call, ExprKind::Method { recv, name, name_span, args, .. })) if *recv == id => {
                let whole = Span::new(name_span.lo, hir.expr(call).span.hi);
                let extent = self.until_statement_end(body, id);
                self.nothing_happens(body, extent)?;
                match (name.as_str(), &args[..]) {
                    ("cloned", []) if item.access != "pair" => {
                        self.replace(body, whole, format!("map(|e| e.{}().clone())", item.access));
                        Ok(())
                    }
                    ("copied", []) if item.access != "pair" => {
                        self.replace(body, whole, format!("map(|e| *e.{}())", item.access));
                        Ok(())
                    }
                    ("flat_map", [closure]) if self.collected(body, *closure)? => {
                        self.closure(body, *closure, item, false)
                    }
                    ("map" | "filter_map" | "flat_map", [closure]) => {
                        self.closure_gives_owned(body, *closure)?;
                        self.closure(body, *closure, item, false)
                    }
                    ("for_each" | "any" | "all", [closure]) => self.closure(body, *closure, item, false),
                    ("fold", [_, closure]) => self.second_parameter(body, *closure, item),
                    ("filter" | "skip_while" | "take_while", [closure]) => {
                        self.closure(body, *closure, item, true)?;
                        self.adaptor(body, call, item)
                    }
                    ("take" | "skip" | "step_by", [_]) => self.adaptor(body, call, item),
                    ("count", []) => Ok(()),
                    ("next" | "last", []) => self.optional(body, call, item),
                    ("find", [closure]) => {
                        self.closure(body, *closure, item, true)?;
                        self.optional(body, call, item)
                    }
                    ("max_by_key" | "min_by_key", [closure]) => {
                        self.closure_gives_owned(body, *closure)?;
                        self.closure(body, *closure, item, true)?;
                        self.optional(body, call, item)
                    }
                    ("collect", []) => self.blocked(body, call, "references into the map are collected"),
                    _ => self.blocked(body, call, "an iteration in a shape that is not understood"),
                }
            }
            Some((_, ExprKind::Local(_))) | None => {
                self.blocked(body, id, "an iterator over the map is handed out")
            }
            _ => self.blocked(body, id, "an iteration in a shape that is not understood"),
        }
    }

    /// The closure's result must not point into the map.
    fn closure_gives_owned(&mut self, body: BodyIx, id: ExprId) -> Step {
        let hir = self.cx.analysis.program.body(body);
        match &hir.expr(id).kind {
            ExprKind::Closure(closure) => {
                if self.is_iterator(self.ty(body, closure.body)) {
                    return self.blocked(body, closure.body, "a reference into the map is handed out");
                }
                self.no_reference(body, closure.body)
            }
            // Then the adaptor's own result tells, where it is looked at.
            ExprKind::Path(_) => match self.tree(body).parent(id) {
                Some(call) => self.no_reference(body, call),
                None => Ok(()),
            },
            _ => self.blocked(body, id, "a function by name is given references into the map"),
        }
    }

    /// A closure that gives an iterator over the item's own values: they are collected while the item lives.
    fn collected(&mut self, body: BodyIx, id: ExprId) -> Step<bool> {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Closure(closure) = &hir.expr(id).kind else { return Ok(false) };
        if !self.is_iterator(self.ty(body, closure.body)) {
            return Ok(false);
        }
        self.no_reference(body, closure.body)?;
        if !matches!(hir.expr(closure.body).kind, ExprKind::Method { .. }) {
            return self.blocked(body, closure.body, "a reference into the map is handed out");
        }
        let end = hir.expr(closure.body).span.hi;
        self.replace(body, Span::new(end, end), ".collect::<Vec<_>>()");
        Ok(true)
    }

    /// Something lazy, that may still look into what it came from.
    fn is_iterator(&self, ty: Ty) -> bool {
        ty.any(&mut |t| match t.kind() {
            TyKind::Ext(path, _) => {
                let info = self.cx.analysis.program.knowledge.types.get(path);
                info.is_some_and(|i| {
                    i.container.is_none() && !i.clone_is_value() && (i.item.is_some() || i.lends())
                })
            }
            TyKind::Opaque(_) => true,
            _ => false,
        })
    }

    /// `fold(init, |sum, item| …)`.
    fn second_parameter(&mut self, body: BodyIx, id: ExprId, item: Item) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ExprKind::Closure(closure) = &hir.expr(id).kind else {
            return self.blocked(body, id, "a function by name is given references into the map");
        };
        let [_, param] = &closure.params[..] else {
            return self.blocked(body, id, "a reference into the map is taken apart");
        };
        self.no_reference(body, closure.body)?;
        self.nothing_happens(body, hir.expr(closure.body).span)?;
        self.parameter(body, closure, param.pat, item, false)
    }
}
