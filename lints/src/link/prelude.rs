//! What names mean without any `use`.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::name::Name;
use crate::program::{PerNs, Res};
use crate::ty::{Ty, TyKind};

static PRELUDE: LazyLock<FxHashMap<Name, PerNs>> = LazyLock::new(|| {
    let mut map: FxHashMap<Name, PerNs> = FxHashMap::default();
    let types = [
        ("Vec", "std::vec::Vec"),
        ("String", "std::string::String"),
        ("Option", "std::option::Option"),
        ("Result", "std::result::Result"),
        ("Box", "std::boxed::Box"),
        ("Iterator", "std::iter::Iterator"),
        ("IntoIterator", "std::iter::IntoIterator"),
        ("DoubleEndedIterator", "std::iter::DoubleEndedIterator"),
        ("ExactSizeIterator", "std::iter::ExactSizeIterator"),
        ("Extend", "std::iter::Extend"),
        ("FromIterator", "std::iter::FromIterator"),
        ("Clone", "std::clone::Clone"),
        ("Copy", "std::marker::Copy"),
        ("Send", "std::marker::Send"),
        ("Sync", "std::marker::Sync"),
        ("Sized", "std::marker::Sized"),
        ("Unpin", "std::marker::Unpin"),
        ("Drop", "std::ops::Drop"),
        ("Fn", "std::ops::Fn"),
        ("FnMut", "std::ops::FnMut"),
        ("FnOnce", "std::ops::FnOnce"),
        ("AsRef", "std::convert::AsRef"),
        ("AsMut", "std::convert::AsMut"),
        ("Into", "std::convert::Into"),
        ("From", "std::convert::From"),
        ("TryFrom", "std::convert::TryFrom"),
        ("TryInto", "std::convert::TryInto"),
        ("Default", "std::default::Default"),
        ("ToOwned", "std::borrow::ToOwned"),
        ("ToString", "std::string::ToString"),
        ("PartialEq", "std::cmp::PartialEq"),
        ("Eq", "std::cmp::Eq"),
        ("PartialOrd", "std::cmp::PartialOrd"),
        ("Ord", "std::cmp::Ord"),
        ("Future", "std::future::Future"),
        ("IntoFuture", "std::future::IntoFuture"),
        ("Debug", "std::fmt::Debug"),
    ];
    for (short, path) in types {
        map.entry(Name::new(short)).or_default().types = Some(Res::Ext(Name::new(path)));
    }
    let values = [
        ("Some", "std::option::Option::Some"),
        ("None", "std::option::Option::None"),
        ("Ok", "std::result::Result::Ok"),
        ("Err", "std::result::Result::Err"),
        ("drop", "std::mem::drop"),
    ];
    for (short, path) in values {
        map.entry(Name::new(short)).or_default().values = Some(Res::Ext(Name::new(path)));
    }
    for (name, ty) in [("bool", Ty::BOOL), ("char", Ty::CHAR), ("str", Ty::STR)] {
        map.entry(Name::new(name)).or_default().types = Some(Res::Prim(ty));
    }
    for name in ["i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize"] {
        let name = Name::new(name);
        map.entry(name).or_default().types = Some(Res::Prim(Ty::new(TyKind::Int(name))));
    }
    for name in ["f32", "f64"] {
        let name = Name::new(name);
        map.entry(name).or_default().types = Some(Res::Prim(Ty::new(TyKind::Float(name))));
    }
    map
});

/// What a name means in the prelude and among primitive types.
pub(super) fn lookup(name: Name) -> Option<&'static PerNs> {
    PRELUDE.get(&name)
}
