//! Whether code outside the workspace can name the type that changes.

use uncork_lints::hir::Visibility;

use super::{Migration, Target, decl};

impl Migration<'_, '_> {
    /// A public field of a public struct, or a public static, in a library. Whether its module can be reached is not
    /// asked: a `pub use` may lead anywhere.
    pub(super) fn is_public(&self) -> bool {
        let program = &self.cx.analysis.program;
        let (Target::Field(def, _) | Target::Static(def)) = self.target;
        let krate = &program.crates[program.module(program.def(def).module).krate.0 as usize];
        let is_pub = |vis: &Visibility| *vis == Visibility::Public;
        let field = match self.target {
            Target::Field(_, field) => {
                decl::fields(program, def).iter().any(|f| f.name == field && is_pub(&f.vis))
            }
            Target::Static(_) => true,
        };
        field && is_pub(&program.item(def).vis) && !krate.is_bin && !krate.is_test
    }
}
