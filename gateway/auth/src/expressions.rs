//! What expressions in CEL can do, in conditions of policies and in mappings of claims alike: the functions that zot's have.

use std::collections::HashMap;

use cel::{
    Env, ExecutionError, Value,
    common::{
        functions::Function,
        types::{CelBool, LIST_TYPE},
        value::{CowVal, Val},
    },
    extensions,
};
use serde_json::Value as Json;

/// The standard functions, and those for strings, lists, numbers, base64 and sets.
pub(crate) fn environment() -> Result<Env, String> {
    let mut environment = Env::stdlib();
    for extension in [extensions::strings, extensions::lists, extensions::math, extensions::encoders] {
        environment.add_extension(extension).map_err(|error| error.to_string())?;
    }
    let sets: [(&str, &str, Function); 3] = [
        ("sets.contains", "list_sets_contains_list", contains),
        ("sets.equivalent", "list_sets_equivalent_list", equivalent),
        ("sets.intersects", "list_sets_intersects_list", intersects),
    ];
    for (name, id, function) in sets {
        environment.add_overload(name, id, vec![LIST_TYPE, LIST_TYPE], function).map_err(|error| error.to_string())?;
    }
    Ok(environment)
}

/// `sets.contains(all, some)`: whether each of `some` is in `all`.
fn contains<'b, 'v>(lists: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    with_two(&lists, holds_all)
}

/// `sets.equivalent(one, other)`: whether each of either is in the other.
fn equivalent<'b, 'v>(lists: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    with_two(&lists, |one, other| holds_all(one, other) && holds_all(other, one))
}

/// `sets.intersects(one, other)`: whether anything is in both.
fn intersects<'b, 'v>(lists: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    with_two(&lists, |one, other| one.iter().any(|element| is_in(*element, other)))
}

fn with_two<'b, 'v>(
    lists: &[CowVal<'b, 'v>],
    answer: impl FnOnce(&[&dyn Val], &[&dyn Val]) -> bool,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [one, other] = lists else { return Err(ExecutionError::invalid_argument_count(2, lists.len())) };
    let answer = answer(&elements(one.as_ref())?, &elements(other.as_ref())?);
    Ok(CowVal::owned(if answer { CelBool::TRUE } else { CelBool::FALSE }))
}

fn elements(list: &dyn Val) -> Result<Vec<&dyn Val>, ExecutionError> {
    let unexpected = || ExecutionError::UnexpectedType { got: list.get_type().name().to_owned(), want: "list".to_owned() };
    let mut items = list.as_iterable().ok_or_else(unexpected)?.iter();
    let mut elements = Vec::new();
    while let Some(element) = items.next() {
        elements.push(element);
    }
    Ok(elements)
}

fn holds_all(all: &[&dyn Val], some: &[&dyn Val]) -> bool {
    some.iter().all(|element| is_in(*element, all))
}

fn is_in(element: &dyn Val, list: &[&dyn Val]) -> bool {
    list.iter().any(|other| element.equals(*other))
}

/// JSON as CEL has it where it comes from outside: every number is a double.
pub(crate) fn of_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => text.as_str().into(),
        Json::Array(elements) => elements.iter().map(of_json).collect::<Vec<_>>().into(),
        Json::Object(entries) => entries.iter().map(|(key, value)| (key.as_str(), of_json(value))).collect::<HashMap<_, _>>().into(),
    }
}

/// What a compiler says on one line: it draws the place on lines of its own.
pub(crate) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cel::Context;
    use serde_json::json;

    use super::*;

    fn evaluate(expression: &str) -> Result<Value, ExecutionError> {
        let environment = Arc::new(environment().unwrap());
        let program = environment.compile(expression).unwrap();
        let mut context = Context::with_env(Arc::clone(&environment));
        context.add_variable_from_value("claims", of_json(&json!({"groups": ["a", "b"], "n": [1, 2]})));
        program.execute(&context)
    }

    #[test]
    fn sets_are_compared_as_sets() {
        for (expression, expected) in [
            ("sets.contains(['a', 'b'], ['b'])", true),
            ("sets.contains(['a', 'b'], [])", true),
            ("sets.contains([], ['a'])", false),
            ("sets.contains(claims.groups, ['b', 'b', 'a'])", true),
            ("sets.contains(claims.groups, ['c'])", false),
            ("sets.equivalent(claims.groups, ['b', 'a', 'a'])", true),
            ("sets.equivalent(claims.groups, ['a'])", false),
            ("sets.equivalent([], [])", true),
            ("sets.intersects(claims.groups, ['x', 'a'])", true),
            ("sets.intersects(claims.groups, ['x'])", false),
            ("sets.intersects(claims.groups, [])", false),
            ("sets.contains(claims.n, [1, 2])", true),
            ("sets.contains([[1], [2]], [[2]])", true),
        ] {
            assert_eq!(evaluate(expression).unwrap(), Value::Bool(expected), "{expression}");
        }
        for expression in ["sets.contains('a', ['a'])", "sets.contains(['a'])", "sets.intersects(claims, ['a'])"] {
            assert!(evaluate(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn base64_is_read_and_written() {
        assert_eq!(evaluate("base64.encode(b'hello')").unwrap(), "aGVsbG8=".into());
        assert_eq!(evaluate("string(base64.decode('aGVsbG8'))").unwrap(), "hello".into());
        assert!(evaluate("base64.decode('!')").is_err());
    }
}
