//! Reads a record's tree, whatever its types have drifted to.
//!
//! The same field is `22` here and `"22"` there, a list is `{"items":[…]}`, `[…]`, or a single object
//! where it has one item, and what is missing is `null`, `""` or `{}`.

use serde_json::Value;

/// The scalar at a path of keys with dots between them, as text; an empty one is none.
/// A list on the way stands for its first item.
pub(super) fn text(tree: &Value, path: &str) -> Option<String> {
    match at(tree, path)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The first of several paths that leads to text.
pub(super) fn first_text(tree: &Value, paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|path| text(tree, path))
}

pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// True for `true` and `"true"`.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// The items of what stands for a list.
pub(super) fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Object(map) if map.is_empty() => &[],
        Value::Object(map) => match map.get("items").or_else(|| map.get("item")) {
            Some(inner) => items(inner),
            None => std::slice::from_ref(value),
        },
        _ => &[],
    }
}

/// A member by its name in any case: EC2, RDS and their newer forms each write it otherwise.
pub(super) fn member<'a>(tree: &'a Value, name: &str) -> Option<&'a Value> {
    tree.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn at<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(tree, |tree, key| {
        let inner = match tree {
            Value::Array(items) => items.first()?,
            other => other,
        };
        inner.get(key)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn drifted_types_are_read_all_the_same() {
        let tree = json!({"a": {"items": [{"b": 22}, {"b": 23}]}, "c": "", "d": "true", "e": "443", "f": true});
        assert_eq!(text(&tree, "a.items.b").as_deref(), Some("22"));
        assert_eq!(text(&tree, "c"), None);
        assert_eq!(text(&tree, "a"), None);
        assert_eq!(first_text(&tree, &["c", "f"]).as_deref(), Some("true"));
        assert_eq!(number(&tree["e"]), Some(443));
        assert!(is_true(&tree["d"]) && is_true(&tree["f"]) && !is_true(&tree["e"]));
    }

    #[test]
    fn a_list_has_three_forms_and_an_empty_one() {
        let one = json!({"a": 1});
        for list in [json!([one]), json!({"items": [one]}), json!({"items": one}), one.clone()] {
            assert_eq!(items(&list), std::slice::from_ref(&one), "{list}");
        }
        for none in [json!({}), json!(null), json!({"items": {}}), json!("a")] {
            assert!(items(&none).is_empty(), "{none}");
        }
    }
}
