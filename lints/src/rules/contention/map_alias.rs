//! Type aliases that spell a map behind a lock: part of the findings where they are used, a finding where they are not.

use crate::Analysis;
use crate::hir::{ItemKind, TypeKind, TypeRef};
use crate::link::Ns;
use crate::name::Name;
use crate::program::{DefId, DefKind, ModIx, Program, Res};

/// The aliases through which a type is spelled, outermost first.
pub(super) fn through(program: &Program, module: ModIx, ty: &TypeRef) -> Vec<DefId> {
    let mut out = Vec::new();
    let mut work = vec![(module, ty)];
    // An alias of itself is an error that only the compiler need report.
    while let Some((module, ty)) = work.pop()
        && out.len() < 8
    {
        let TypeKind::Path(path) = &ty.kind else { continue };
        let names: Vec<Name> = path.segments.iter().map(|s| s.name).collect();
        if let Some((Res::Def(def), used)) = program.resolve(module, false, path.global, &names, Ns::Types)
            && used == names.len()
            && let ItemKind::Type { ty: Some(aliased), .. } = &program.item(def).kind
        {
            out.push(def);
            work.push((program.def(def).module, aliased));
        }
        let args = path.segments.iter().filter_map(|s| s.args.as_deref());
        work.extend(args.flat_map(|args| args.types.iter()).map(|arg| (module, arg)));
    }
    out
}

/// Aliases that stand in modules, outside tests.
pub(super) fn free(a: &Analysis) -> impl Iterator<Item = DefId> + '_ {
    let program = &a.program;
    (0..program.defs.len()).map(|i| DefId(i as u32)).filter(move |&id| {
        let def = program.def(id);
        def.kind == DefKind::TypeAlias && def.parent.is_none() && !def.in_test
    })
}

/// Whether a name stands in the sources more than once, comments and strings counted: who uses the alias anyhow is
/// reported there. O(bytes).
pub(crate) fn is_named_elsewhere(a: &Analysis, name: Name) -> bool {
    let finder = memchr::memmem::Finder::new(name.as_str());
    let mut count = 0;
    for file in a.sources.iter() {
        let text = file.1.text.as_bytes();
        let word = |at: Option<&u8>| at.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        count += finder
            .find_iter(text)
            .filter(|&at| {
                !word(at.checked_sub(1).and_then(|i| text.get(i)))
                    && !word(text.get(at + name.as_str().len()))
            })
            .take(2)
            .count();
        if count > 1 {
            return true;
        }
    }
    false
}
