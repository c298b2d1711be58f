//! Dependency tables: finding, adding and extending entries in the style of their neighbours.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

/// An entry to add.
pub(super) struct Spec {
    /// Its key.
    pub(super) key: String,
    /// The version requirement; `None` to inherit from the workspace.
    pub(super) version: Option<String>,
    /// Features.
    pub(super) features: Vec<String>,
}

/// The key of the entry for `krate`: by `package =` or by its own name, dashes and underscores taken alike.
pub(super) fn find(table: &dyn TableLike, krate: &str) -> Option<String> {
    let same = |name: &str| name.replace('-', "_") == krate.replace('-', "_");
    table.iter().find_map(|(key, item)| {
        let package = item.get("package").and_then(Item::as_str).unwrap_or(key);
        same(package).then(|| key.to_owned())
    })
}

/// The features an entry names.
pub(super) fn features(entry: &Item) -> Vec<String> {
    let Some(list) = entry.get("features").and_then(Item::as_array) else { return Vec::new() };
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Adds features to an entry of any form.
pub(super) fn add_features(entry: &mut Item, missing: &[String]) {
    if let Some(version) = entry.as_str().map(str::to_owned) {
        // `x = "1"` becomes `x = { version = "1", features = […] }`; what stood around the value stays.
        let mut table = InlineTable::new();
        table.insert("version", version.into());
        table.insert("features", Value::Array(missing.iter().collect()));
        let decor = entry.as_value().map(|v| v.decor().clone());
        let mut new = Value::InlineTable(table);
        if let Some(decor) = decor {
            *new.decor_mut() = decor;
        }
        *entry = Item::Value(new);
        return;
    }
    let Some(table) = entry.as_table_like_mut() else { return };
    match table.get_mut("features").and_then(Item::as_array_mut) {
        Some(list) => {
            for feature in missing {
                push_like_neighbours(list, feature);
            }
        }
        None => {
            let list: Array = missing.iter().collect();
            // `x.workspace = true` is a dotted table: written out as `x.features = […]` beside it.
            table.insert("features", value(list));
        }
    }
}

/// Appends to an array; in one written over several lines the new element gets a line of its own.
fn push_like_neighbours(list: &mut Array, feature: &str) {
    let prefix = list
        .iter()
        .last()
        .and_then(|v| v.decor().prefix())
        .and_then(|p| p.as_str())
        .filter(|p| p.contains('\n'))
        .map(str::to_owned);
    match prefix {
        Some(prefix) => {
            let indent = prefix.rsplit('\n').next().unwrap_or("").to_owned();
            let trailing = list.trailing_comma();
            let mut new = Value::from(feature);
            new.decor_mut().set_prefix(format!("\n{indent}"));
            list.push_formatted(new);
            list.set_trailing_comma(trailing);
        }
        None => list.push(feature),
    }
}

/// Adds an entry: sorted in if the table was sorted, else last.
pub(super) fn add_entry(table: &mut dyn TableLike, spec: &Spec) {
    let keys: Vec<String> = table.iter().map(|(k, _)| k.to_owned()).collect();
    let sorted = keys.len() > 1 && keys.is_sorted();
    let dotted = table.iter().any(|(_, item)| item.as_table_like().is_some_and(|t| t.is_dotted()));
    let item = match (&spec.version, spec.features.as_slice()) {
        (Some(version), []) => value(version.as_str()),
        (Some(version), features) => {
            let mut inline = InlineTable::new();
            inline.insert("version", version.as_str().into());
            inline.insert("features", Value::Array(features.iter().collect()));
            value(inline)
        }
        (None, []) if dotted => {
            let mut inner = Table::new();
            inner.set_dotted(true);
            inner.insert("workspace", value(true));
            Item::Table(inner)
        }
        (None, features) => {
            let mut inline = InlineTable::new();
            inline.insert("workspace", true.into());
            if !features.is_empty() {
                inline.insert("features", Value::Array(features.iter().collect()));
            }
            value(inline)
        }
    };
    table.insert(&spec.key, item);
    if sorted {
        table.sort_values();
    }
}

/// The `dependencies` table, made if there is none.
pub(super) fn dependencies(doc: &mut DocumentMut) -> Option<&mut dyn TableLike> {
    if !doc.contains_key("dependencies") {
        let mut table = Table::new();
        table.decor_mut().set_prefix("\n");
        doc.insert("dependencies", Item::Table(table));
    }
    let item = doc.get_mut("dependencies")?;
    if let Some(table) = item.as_table_mut() {
        // Only `[dependencies.x]` so far: the parent gets a header of its own now.
        table.set_implicit(false);
    }
    item.as_table_like_mut()
}
