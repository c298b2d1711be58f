//! Types of macro invocations.

use super::cx::Cx;
use crate::hir::{MacroCall, MacroKind};
use crate::ty::{Ty, TyKind};

impl Cx<'_> {
    pub(super) fn mac(&mut self, mac: &MacroCall, expected: Option<Ty>) -> Ty {
        let name = mac.path.segments.last().map_or("", |s| s.name.as_str());
        match mac.kind {
            MacroKind::Format => {
                for &arg in mac.args.iter() {
                    self.expr(arg, None);
                }
                match name {
                    "format" => Ty::ext("std::string::String", []),
                    "print" | "println" | "eprint" | "eprintln" => Ty::UNIT,
                    "write" | "writeln" => {
                        let e = self.fresh();
                        Ty::ext("std::result::Result", [Ty::UNIT, e])
                    }
                    "panic" => Ty::NEVER,
                    "anyhow" => Ty::ext("anyhow::Error", []),
                    _ => Ty::UNKNOWN,
                }
            }
            MacroKind::Log | MacroKind::Assert => {
                for &arg in mac.args.iter() {
                    self.expr(arg, None);
                }
                Ty::UNIT
            }
            MacroKind::Matches => {
                let scrutinee = mac.args.first().map_or(Ty::UNKNOWN, |&a| self.expr(a, None));
                if let Some(&pat) = mac.pats.first() {
                    self.pat(pat, scrutinee);
                }
                for &arg in mac.args.iter().skip(1) {
                    self.expr(arg, None);
                }
                Ty::BOOL
            }
            MacroKind::Vec => {
                let elem = self.fresh();
                for &arg in mac.args.iter() {
                    let ty = self.expr(arg, Some(elem));
                    self.unify(elem, ty);
                }
                Ty::ext("std::vec::Vec", [elem])
            }
            MacroKind::VecRepeat => {
                let elem = mac.args.first().map_or(Ty::UNKNOWN, |&a| self.expr(a, None));
                for &arg in mac.args.iter().skip(1) {
                    self.expr(arg, None);
                }
                Ty::ext("std::vec::Vec", [elem])
            }
            MacroKind::Dbg => {
                let tys: Vec<Ty> = mac.args.iter().map(|&a| self.expr(a, None)).collect();
                match tys[..] {
                    [one] => one,
                    _ => Ty::UNKNOWN,
                }
            }
            MacroKind::Diverge => {
                for &arg in mac.args.iter() {
                    self.expr(arg, None);
                }
                Ty::NEVER
            }
            MacroKind::Select => {
                let mut result = Ty::NEVER;
                for (i, pair) in mac.args.chunks(2).enumerate() {
                    match *pair {
                        [future, body] => {
                            let ty = self.expr(future, None);
                            let out = self.awaited(ty).unwrap_or(Ty::UNKNOWN);
                            if let Some(&pat) = mac.pats.get(i) {
                                self.pat(pat, out);
                            }
                            let ty = self.expr(body, expected);
                            result = self.join(result, ty);
                        }
                        [els] => {
                            let ty = self.expr(els, expected);
                            result = self.join(result, ty);
                        }
                        _ => {}
                    }
                }
                result
            }
            MacroKind::Join => {
                let parts: Vec<Ty> = mac
                    .args
                    .iter()
                    .map(|&a| {
                        let ty = self.expr(a, None);
                        self.awaited(ty).unwrap_or(Ty::UNKNOWN)
                    })
                    .collect();
                if name == "join" { Ty::new(TyKind::Tuple(parts.into())) } else { Ty::UNKNOWN }
            }
            MacroKind::Known | MacroKind::Guess | MacroKind::Opaque => {
                let tys: Vec<Ty> = mac.args.iter().map(|&a| self.expr(a, None)).collect();
                for &pat in mac.pats.iter() {
                    self.pat(pat, Ty::UNKNOWN);
                }
                let _ = tys;
                Ty::UNKNOWN
            }
        }
    }
}
