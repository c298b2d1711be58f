//! Where fields, statics and structs are mentioned: one walk over the program for all migrations of a round.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use uncork_lints::Analysis;
use uncork_lints::hir::{ExprId, ExprKind, PatId, PatKind};
use uncork_lints::infer::Callee;
use uncork_lints::name::Name;
use uncork_lints::program::{BodyIx, DefId, Program, Res};
use uncork_lints::ty::TyKind;

use super::super::tree::Tree;

/// Mentions by what is mentioned, each list in the order of bodies.
pub(in crate::codemods) struct Index<'a> {
    program: &'a Program,
    trees: RefCell<FxHashMap<BodyIx, Rc<Tree<'a>>>>,
    /// `_.name`, whatever it is a field of.
    pub(in crate::codemods) fields: FxHashMap<Name, Vec<(BodyIx, ExprId)>>,
    /// Paths to a static.
    pub(in crate::codemods) statics: FxHashMap<DefId, Vec<(BodyIx, ExprId)>>,
    /// Literals and calls that make a value of a struct.
    pub(in crate::codemods) constructors: FxHashMap<DefId, Vec<(BodyIx, ExprId)>>,
    /// Patterns that take a struct apart by field names.
    pub(in crate::codemods) patterns: FxHashMap<DefId, Vec<(BodyIx, PatId)>>,
    /// Who calls a function.
    pub(in crate::codemods) callers: FxHashMap<DefId, Vec<DefId>>,
}

impl<'a> Index<'a> {
    /// Walks the program.
    pub(in crate::codemods) fn new(analysis: &'a Analysis) -> Index<'a> {
        let program = &analysis.program;
        let mut index = Index {
            program,
            trees: RefCell::default(),
            fields: FxHashMap::default(),
            statics: FxHashMap::default(),
            constructors: FxHashMap::default(),
            patterns: FxHashMap::default(),
            callers: FxHashMap::default(),
        };
        for (number, info) in program.bodies.iter().enumerate() {
            let body = BodyIx(number as u32);
            let Some(types) = analysis.types.get(number) else { continue };
            index.calls(analysis, info.owner, number);
            let hir = program.body(body);
            for (at, expr) in hir.exprs.iter().enumerate() {
                let id = ExprId(at as u32);
                match &expr.kind {
                    ExprKind::Field { name, .. } => index.fields.entry(*name).or_default().push((body, id)),
                    ExprKind::Path(_) => {
                        if let Some(Res::Def(def)) = types.res(id) {
                            index.statics.entry(def).or_default().push((body, id));
                        }
                    }
                    ExprKind::Struct { .. } => {
                        if let TyKind::Adt(def, _) = types.expr(id).peel_refs().kind() {
                            index.constructors.entry(*def).or_default().push((body, id));
                        }
                    }
                    ExprKind::Call { .. } => {
                        if let Callee::Ctor(def) = types.callee(id) {
                            index.constructors.entry(def).or_default().push((body, id));
                        }
                    }
                    _ => {}
                }
            }
            for (at, pat) in hir.pats.iter().enumerate() {
                let id = PatId(at as u32);
                if let (PatKind::Struct { .. }, TyKind::Adt(def, _)) =
                    (&pat.kind, types.pat(id).peel_refs().kind())
                {
                    index.patterns.entry(*def).or_default().push((body, id));
                }
            }
        }
        index
    }

    fn calls(&mut self, analysis: &Analysis, owner: DefId, number: usize) {
        let Some(types) = analysis.types.get(number) else { return };
        for callee in types.calls.values() {
            match callee {
                Callee::Fn(def) => self.callers.entry(*def).or_default().push(owner),
                Callee::Virtual(def) => {
                    self.callers.entry(*def).or_default().push(owner);
                    for implementor in analysis.program.decls.implementors.get(def).into_iter().flatten() {
                        self.callers.entry(*implementor).or_default().push(owner);
                    }
                }
                _ => {}
            }
        }
    }

    /// A body with its parents, made once.
    pub(in crate::codemods) fn tree(&self, body: BodyIx) -> Rc<Tree<'a>> {
        let mut trees = self.trees.borrow_mut();
        trees.entry(body).or_insert_with(|| Rc::new(Tree::new(self.program.body(body)))).clone()
    }
}
