//! Names that say what code does rather than what it is about.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::name::Name;

use super::hash::text_hash;

/// Methods of std's containers, options, locks, iterators and strings, and the prelude's variants. They are part of a
/// node's label; other names may vary.
const WORDS: &str = "
    Err None Ok Some abs abort all and and_then any append as_bytes as_deref as_mut as_ref as_slice as_str
    back back_mut binary_search borrow borrow_mut bytes ceil chain chars checked_add checked_sub chunks
    clear clone cloned cmp collect compare_exchange concat contains contains_key copied count dedup default
    drain duration_since elapsed ends_with entry enumerate eq err execute expect extend extend_from_slice
    fetch_add fetch_sub filter filter_map find find_map first flat_map flatten floor flush fold for_each
    from front front_mut get get_mut get_or_init get_or_insert_with insert inspect into into_inner
    into_iter into_keys into_values is_empty is_err is_none is_none_or is_ok is_some is_some_and iter
    iter_mut join keys last len lines load lock map map_err map_or map_or_else max max_by max_by_key min
    min_by min_by_key new next notify_all notify_one now ok ok_or ok_or_else or or_default or_else
    or_insert or_insert_with partial_cmp partition peek pop pop_back pop_front position pow push push_back
    push_front push_str range read recv remove remove_entry replace reserve resize retain rev round
    saturating_add saturating_sub seek send skip sleep sort sort_by sort_by_key sort_unstable spawn split
    sqrt starts_with store sum swap swap_remove sync_all take then then_some to_lowercase to_owned
    to_string to_uppercase to_vec trim truncate try_from try_into try_lock try_read try_recv try_send
    try_write unwrap unwrap_or unwrap_or_default unwrap_or_else update value value_mut values values_mut
    wait windows with_capacity wrapping_add write zip
";

/// The words with the hashes of their texts.
pub(super) static VOCABULARY: LazyLock<FxHashMap<Name, u64>> =
    LazyLock::new(|| WORDS.split_whitespace().map(|word| (Name::new(word), text_hash(word))).collect());
