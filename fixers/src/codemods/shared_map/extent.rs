//! How long a reference into the map is alive after the migration, and what must not happen meanwhile.

use uncork_lints::hir::{BlockKind, ExprId, ExprKind, LocalId};
use uncork_lints::infer::Callee;
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;

use super::op::Item;
use super::{Migration, Step};

const LET_GO: &str = "the lock is let go while a reference into the map would live on";

/// A variable that holds its shard until code lets the lock go, where the variable goes in the guard's place.
pub(super) struct Released {
    /// The guards given to `drop`, in order of place.
    at: Vec<ExprId>,
}

impl<'a> Migration<'_, 'a> {
    /// A temporary reference lives to the end of the statement around it.
    pub(super) fn until_statement_end(&mut self, body: BodyIx, from: ExprId) -> Span {
        let hir = self.cx.analysis.program.body(body);
        let lo = hir.expr(from).span.hi;
        let tree = self.tree(body);
        if let Some(at) = tree.stmt_around(from) {
            let end = match tree.stmt(at) {
                Some(
                    uncork_lints::hir::Stmt::Let { span, .. } | uncork_lints::hir::Stmt::Expr { span, .. },
                ) => span.hi,
                None => lo,
            };
            return Span::new(lo, end.max(lo));
        }
        // A block's last expression, or a closure's body.
        let mut here = from;
        while let Some((parent, kind)) = tree.parent_kind(here) {
            if matches!(kind, ExprKind::Block(_) | ExprKind::Closure(_)) {
                break;
            }
            here = parent;
        }
        Span::new(lo, hir.expr(here).span.hi)
    }

    /// A variable lives to the end of the block it is declared in.
    pub(super) fn until_block_end(&mut self, body: BodyIx, block: ExprId, from: u32) -> Span {
        let end = self.cx.analysis.program.body(body).expr(block).span.hi;
        Span::new(from, end.max(from))
    }

    /// Refuses if, inside `extent`, the map is used again or the task may be parked.
    pub(super) fn nothing_happens(&mut self, body: BodyIx, extent: Span) -> Step {
        if let Some(&release) = self.releases_in(body, extent).first() {
            return self.blocked(body, release, LET_GO);
        }
        self.nothing_happens_but(body, extent, &[])
    }

    /// The same, but not for what lies in one of `free`.
    fn nothing_happens_but(&mut self, body: BodyIx, extent: Span, free: &[Span]) -> Step {
        let hir = self.cx.analysis.program.body(body);
        let ids: Vec<ExprId> = self.tree(body).ids().collect();
        for id in ids {
            let expr = hir.expr(id);
            if !extent.contains(expr.span)
                || expr.span.is_empty()
                || free.iter().any(|f| f.contains(expr.span))
            {
                continue;
            }
            if self.mentioned.contains(&(body, id)) {
                return self.blocked(body, id, "the map is used again while a reference into it is alive");
            }
            match &expr.kind {
                ExprKind::Await(_) => {
                    return self.blocked(body, id, "a reference into the map would be alive across an await");
                }
                ExprKind::Call { .. } | ExprKind::Method { .. } => {
                    let callee = self.cx.analysis.types[body.0 as usize].callee(id);
                    if let Callee::Fn(def) | Callee::Virtual(def) = callee
                        && self.touching.binary_search(&def).is_ok()
                    {
                        return self.blocked(
                            body,
                            id,
                            "a function that uses the map is called while a reference into it is alive",
                        );
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The guards that are given to `drop` inside `extent`, in order of place.
    pub(super) fn releases_in(&self, body: BodyIx, extent: Span) -> Vec<ExprId> {
        let hir = self.cx.analysis.program.body(body);
        let inside = |&&(b, id): &&(BodyIx, ExprId)| b == body && extent.contains(hir.expr(id).span);
        let mut out: Vec<ExprId> = self.released.keys().filter(inside).map(|&(_, id)| id).collect();
        out.sort_by_key(|&id| hir.expr(id).span.lo);
        out
    }

    /// Refuses if, while a variable is alive, the map is used again or the task may be parked. It is alive to the end of
    /// `extent`, or to where the guard it came from was dropped: there it can be dropped itself.
    pub(super) fn alive(&mut self, body: BodyIx, extent: Span) -> Step<Released> {
        let hir = self.cx.analysis.program.body(body);
        let at = self.releases_in(body, extent);
        let mut free = Vec::new();
        for &release in &at {
            // A closure would take the variable along.
            let mut here = release;
            while let Some((parent, kind)) = self.tree(body).parent_kind(here) {
                let inner = match kind {
                    ExprKind::Closure(_) => true,
                    ExprKind::Block(block) => matches!(block.kind, BlockKind::Async { .. }),
                    _ => false,
                };
                if inner && extent.contains(hir.expr(parent).span) {
                    return self.blocked(body, release, LET_GO);
                }
                here = parent;
            }
            let Some(at) = self.tree(body).stmt_around(release) else {
                return self.blocked(body, release, LET_GO);
            };
            // Nothing is held from the drop to the end of its block; behind that block, the other ways still hold it.
            let until = hir.expr(at.block).span.hi.min(extent.hi);
            free.push(Span::new(hir.expr(release).span.lo, until));
        }
        self.nothing_happens_but(body, extent, &free)?;
        Ok(Released { at })
    }

    /// Lets a variable go where the guard went. Answers whether it had to get another name for that, under which the plain
    /// reference has been bound to the old one: `again` puts that binding in its place.
    pub(super) fn let_go(
        &mut self,
        body: BodyIx,
        local: LocalId,
        item: Item,
        plain: bool,
        released: &Released,
    ) -> Step<Option<String>> {
        let (Some(&first), Some(&last)) = (released.at.first(), released.at.last()) else { return Ok(None) };
        let hir = self.cx.analysis.program.body(body);
        let declared = hir.local(local);
        let name = declared.name;
        let until = hir.expr(last).span.lo;
        let shadowed = hir
            .locals
            .iter()
            .any(|other| other.name == name && other.span.lo > declared.span.lo && other.span.lo < until);
        let holder = if plain && !shadowed {
            name.to_string()
        } else {
            let holder = format!("{}_ref", name.as_str().trim_start_matches('_'));
            let taken = hir.locals.iter().any(|other| other.name.as_str() == holder)
                || self.released.iter().any(|(&(b, _), to)| b == body && to.as_ref() == Some(&holder));
            if taken || declared.mutable {
                return self.blocked(body, first, LET_GO);
            }
            let mutable = if item.mutable() { "mut " } else { "" };
            self.replace(body, declared.span, format!("{mutable}{holder}"));
            holder
        };
        for &release in &released.at {
            // Two at once are two uses of the map, and refused before.
            self.released.insert((body, release), Some(holder.clone()));
        }
        Ok((holder != name.as_str()).then_some(holder))
    }
}
