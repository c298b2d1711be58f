//! Which known name was meant.

/// The known name nearest to `name`, if it is near enough to be meant (Damerau–Levenshtein, at most a third of it off).
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = name.to_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase().replace('_', "-")), k))
        .filter(|(distance, k)| *distance <= (k.chars().count().max(lower.chars().count()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// The end of a message that may name what was meant.
pub(crate) fn hint(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}
